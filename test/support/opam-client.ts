/** The real opam client in a root of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const opamIsInstalled = spawnSync('opam', ['--version']).status === 0;

/** Says loudly that tests with the real client are left out; CI installs opam and never says it. */
export function warnWithoutOpam(what: string): void {
  if (!opamIsInstalled) console.warn(`SKIPPED: ${what}: opam is not installed (Debian's package is "opam")`);
}

export interface OpamResult {
  readonly exitCode: number | null;
  /** Standard output and error together. */
  readonly output: string;
}

export interface OpamClient {
  readonly root: string;
  run(...args: string[]): Promise<OpamResult>;
  /** Runs, and throws with all that opam said when it fails. */
  expect(...args: string[]): Promise<string>;
  /** Lines of `opam list --available-or-not`, names with versions. */
  versions(): Promise<readonly string[]>;
  remove(): Promise<void>;
}

export async function createOpamClient(): Promise<OpamClient> {
  const root = await mkdtemp(join(tmpdir(), 'serai-opam-'));
  const run = async (...args: string[]): Promise<OpamResult> => {
    const child = spawn('opam', args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        HOME: root,
        OPAMROOT: join(root, 'opam'),
        OPAMROOTISOK: '1',
        OPAMYES: '1',
        OPAMCOLOR: 'never',
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [exitCode] = await once(child, 'close');
    return { exitCode: typeof exitCode === 'number' ? exitCode : null, output };
  };
  const expect = async (...args: string[]): Promise<string> => {
    const { exitCode, output } = await run(...args);
    if (exitCode !== 0) throw new Error(`opam ${args.join(' ')} ended with ${exitCode}:\n${output}`);
    return output;
  };
  const versions = async (): Promise<readonly string[]> => {
    const output = await expect('list', '--all', '--all-versions', '--columns=package', '--short');
    return output.split('\n').filter((line) => line !== '');
  };
  return { root, run, expect, versions, remove: () => rm(root, { recursive: true, force: true }) };
}

/** Adds the mirror as the only repository of a new root, with an empty switch: `opam source` wants one. */
export async function initClient(client: OpamClient, address: string): Promise<string> {
  const said = await client.expect('init', '--bare', '--no-setup', '--disable-sandboxing', address);
  await client.expect('switch', 'create', 'test', '--empty');
  return said;
}
