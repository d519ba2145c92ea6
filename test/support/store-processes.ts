/** Runs scripts as processes of their own, so that they can really be killed. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { inject } from 'vitest';

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export interface Script {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ending>;
  /** Resolves when the output has this many lines; rejects when the script ends before. */
  lines(count: number): Promise<void>;
}

/** `name` is a script's, as `buildScripts` finds them. */
export function startScript(name: string, ...args: readonly string[]): Script {
  const child = spawn(process.execPath, [join(inject('scripts'), `${name}.mjs`), ...args]);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    child.emit('serai-output');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, output, errors }));
  });
  return {
    process: child,
    ended,
    lines: async (count) => {
      while (output.split('\n').length <= count) {
        const ending = await Promise.race([once(child, 'serai-output').then(() => undefined), ended]);
        if (ending !== undefined && output.split('\n').length <= count) {
          throw new Error(`${name} ended before line ${count}: ${ending.errors}`);
        }
      }
    },
  };
}

export function runScript(name: string, ...args: readonly string[]): Promise<Ending> {
  return startScript(name, ...args).ended;
}
