/** The real opam client in a root of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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
  /** Standard error alone. */
  readonly errors: string;
}

export interface OpamClient {
  readonly root: string;
  run(...args: string[]): Promise<OpamResult>;
  /** Runs, and throws with all that opam said when it fails. */
  expect(...args: string[]): Promise<string>;
  /** Lines of `opam list --available-or-not`, names with versions. */
  versions(): Promise<readonly string[]>;
  /** `opam source` into a new folder, with nothing in the client's own cache. */
  source(id: string): Promise<SourceResult>;
  /** Every address that the client's download tool was called with so far, redirects not followed. */
  asked(): readonly string[];
  remove(): Promise<void>;
}

export interface SourceResult extends OpamResult {
  /** Where the sources are when it succeeded. */
  readonly folder: string;
  /** Of the archive's file CONTENT; undefined when there is none. */
  readonly content: string | undefined;
}

/** The programs that opam 2.1 downloads with. */
const DOWNLOAD_TOOLS = ['curl', 'wget'];

export async function createOpamClient(): Promise<OpamClient> {
  const root = await mkdtemp(join(tmpdir(), 'serai-opam-'));
  const tools = join(root, 'tools');
  const log = join(root, 'asked');
  await watchDownloads(tools, log);
  const run = async (...args: string[]): Promise<OpamResult> => {
    const child = spawn('opam', args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${tools}:${process.env.PATH ?? ''}`,
        HOME: root,
        OPAMROOT: join(root, 'opam'),
        OPAMROOTISOK: '1',
        OPAMYES: '1',
        OPAMCOLOR: 'never',
      },
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      errors += text;
    });
    const [exitCode] = await once(child, 'close');
    return { exitCode: typeof exitCode === 'number' ? exitCode : null, output, errors };
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
  let sources = 0;
  const source = async (id: string): Promise<SourceResult> => {
    await rm(join(root, 'opam', 'download-cache'), { recursive: true, force: true });
    sources += 1;
    const folder = join(root, `source-${sources}`);
    const result = await run('source', id, `--dir=${folder}`);
    const file = join(folder, 'CONTENT');
    return { ...result, folder, content: existsSync(file) ? readFileSync(file, 'utf8') : undefined };
  };
  const asked = (): readonly string[] =>
    existsSync(log)
      ? readFileSync(log, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
      : [];
  return {
    root,
    run,
    expect,
    versions,
    source,
    asked,
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

/** Puts scripts in place of the download tools, which note their last argument and run what they stand for. */
async function watchDownloads(folder: string, log: string): Promise<void> {
  await mkdir(folder);
  for (const tool of DOWNLOAD_TOOLS) {
    const real = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
    if (real === '') continue;
    const script = join(folder, tool);
    await writeFile(
      script,
      `#!/bin/sh\nfor last; do :; done\nprintf '%s\\n' "$last" >>'${log}'\nexec '${real}' "$@"\n`,
    );
    await chmod(script, 0o755);
  }
}

/** Adds the mirror as the only repository of a new root, with an empty switch: `opam source` wants one. */
export async function initClient(client: OpamClient, address: string): Promise<string> {
  const said = await client.expect('init', '--bare', '--no-setup', '--disable-sandboxing', address);
  await client.expect('switch', 'create', 'test', '--empty');
  return said;
}
