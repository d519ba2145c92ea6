/** The built program as a user runs it, as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';

/** The main file. */
export const MAIN = inject('program');

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end. */
export async function runSerai(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [exitCode] = await once(child, 'close');
  return { exitCode: typeof exitCode === 'number' ? exitCode : null, stdout, stderr };
}

export interface ServingCommand {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  readonly process: ChildProcess;
  /** Every line of the log so far. */
  readonly lines: readonly string[];
  /** Resolves with the first log line, past or coming, that contains the text. */
  line(text: string): Promise<string>;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** A test that fails does not stop what it started: whatever still runs then ends with the process of the tests. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** `serai serve` on a free port; resolves when it listens. */
export async function startSerai(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<ServingCommand> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--listen', '127.0.0.1:0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  running.add(child);
  const ended = once(child, 'exit').finally(() => running.delete(child));
  const lines: string[] = [];
  const waiting = new Set<{ text: string; resolve: (line: string) => void }>();
  const take = (line: string): void => {
    lines.push(line);
    for (const wait of waiting) {
      if (!line.includes(wait.text)) continue;
      waiting.delete(wait);
      wait.resolve(line);
    }
  };
  createInterface({ input: child.stdout }).on('line', take);
  createInterface({ input: child.stderr }).on('line', take);
  const line = (text: string): Promise<string> => {
    const past = lines.find((candidate) => candidate.includes(text));
    if (past !== undefined) return Promise.resolve(past);
    const coming = new Promise<string>((resolve) => waiting.add({ text, resolve }));
    const died = ended.then(() => {
      throw new Error(`serai ended before it said «${text}»:\n${lines.join('\n')}`);
    });
    return Promise.race([coming, died]);
  };
  const listening = await line(' on http://');
  const address = /http:\/\/[0-9.:]+/.exec(listening)?.[0] ?? '';
  const stop = async (): Promise<number | null> => {
    child.kill('SIGTERM');
    const [exitCode] = await ended;
    return typeof exitCode === 'number' ? exitCode : null;
  };
  return { address, process: child, lines, line, stop };
}
