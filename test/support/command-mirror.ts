/** A mirror that is worked by commands alone: an upstream, a configuration file, a data folder. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type PackageUpstream, startPackageUpstream } from './package-upstream.ts';
import { type CommandResult, runSerai } from './serai-command.ts';

export interface CommandMirror {
  readonly upstream: PackageUpstream;
  readonly folder: string;
  /** The catalogue's file. */
  readonly catalogue: string;
  /** The configuration's file; give it to other commands with `--config`. */
  readonly config: string;
  /** Writes the configuration anew; `UPSTREAM` in it stands for the upstream's address. */
  configure(toml: string): Promise<void>;
  /** Runs a command; fails the test when it does not exit with `exitCode`. */
  run(args: readonly string[], exitCode?: number): Promise<CommandResult>;
  /** As `run` with `--json`, its standard output parsed. */
  json(args: readonly string[], exitCode?: number): Promise<unknown>;
  /** Takes all of it away. */
  remove(): Promise<void>;
  /** As `run` with `--json`, each line of its standard output parsed. */
  jsonLines(args: readonly string[], exitCode?: number): Promise<unknown[]>;
}

const ONE_REPOSITORY = '[repository.default]\nupstream = "UPSTREAM"\n';

/** As `startCommandMirror`, and taken away when the test that is running ends. */
export async function commandMirror(toml?: string): Promise<CommandMirror> {
  const mirror = await startCommandMirror(toml);
  onTestFinished(() => mirror.remove());
  return mirror;
}

/** Nothing is synced yet. */
export async function startCommandMirror(toml: string = ONE_REPOSITORY): Promise<CommandMirror> {
  const upstream = await startPackageUpstream();
  const folder = await mkdtemp(join(tmpdir(), 'serai-commands-'));
  const config = join(folder, 'serai.toml');
  const configure = (text: string): Promise<void> =>
    writeFile(
      config,
      `allow_private_addresses = true\ndata = "data"\n${text.replaceAll('UPSTREAM', upstream.address)}`,
    );
  await configure(toml);
  const run = async (args: readonly string[], exitCode = 0): Promise<CommandResult> => {
    const result = await runSerai([...args, '--config', config], { cwd: folder });
    if (result.exitCode !== exitCode)
      throw new Error(
        `serai ${args.join(' ')} exited with ${result.exitCode}, not ${exitCode}:\n${result.stdout}${result.stderr}`,
      );
    return result;
  };
  return {
    upstream,
    folder,
    config,
    catalogue: join(folder, 'data', 'catalogue.sqlite'),
    configure,
    run,
    remove: async () => {
      await upstream.remove();
      await rm(folder, { recursive: true, force: true });
    },
    json: async (args, exitCode) => JSON.parse((await run([...args, '--json'], exitCode)).stdout),
    jsonLines: async (args, exitCode) =>
      (await run([...args, '--json'], exitCode)).stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line): unknown => JSON.parse(line)),
  };
}
