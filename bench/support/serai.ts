/** serai as a process of its own, as a user runs it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Ran, Started } from './bench.ts';
import type { Server } from './files.ts';
import { firstAnswer, freePort } from './http.ts';

export interface SeraiSettings {
  /** Upstreams by the repositories' names; settings of its own behind each. */
  readonly repositories: Readonly<Record<string, { readonly upstream: string; readonly more?: string }>>;
  /** Lines at the top of the configuration. */
  readonly more?: string;
  /** Lines of its part `[limits]`. */
  readonly limits?: string;
}

export interface SeraiHome {
  readonly config: string;
  readonly data: string;
  readonly address: string;
}

/**
 * A folder with a configuration; the data are to be in it too. `weak_hashes` only warns: the default fetches archives
 * with md5 alone to pin them, and those of the real repository are in a network that a benchmark does not go to.
 */
export async function makeSerai(bench: Bench, settings: SeraiSettings): Promise<SeraiHome> {
  const folder = bench.path('serai');
  mkdirSync(folder);
  const port = await freePort();
  const repositories = Object.entries(settings.repositories).map(([name, { upstream, more = '' }]) =>
    [`[repository.${name}]`, `upstream = "${upstream}"`, 'weak_hashes = "warn"', more].join('\n'),
  );
  const config = join(folder, 'serai.toml');
  writeFileSync(
    config,
    [
      `listen = "127.0.0.1:${port}"`,
      'data = "./data"',
      'allow_private_addresses = true',
      settings.more ?? '',
      ...(settings.limits === undefined ? [] : ['[limits]', settings.limits]),
      ...repositories,
      '',
    ].join('\n'),
  );
  return { config, data: join(folder, 'data'), address: `http://127.0.0.1:${port}` };
}

/** Runs a command of serai to its end. */
export function runSerai(bench: Bench, home: SeraiHome, ...args: readonly string[]): Promise<Ran> {
  return bench.run(bench.program, [...args, '--config', home.config]);
}

export interface ServingSerai extends Server {
  readonly said: Started['said'];
}

/** Begins `serai serve`, and does not wait for anything. */
export function startSerai(bench: Bench, home: SeraiHome): ServingSerai {
  const started = bench.start(bench.program, ['serve', '--config', home.config]);
  return { ...started, address: home.address, stop: () => started.stop() };
}

/** `serai serve`, when it has synced these repositories and nothing else is to be done. */
export async function startSyncedSerai(
  bench: Bench,
  home: SeraiHome,
  ...repositories: readonly string[]
): Promise<ServingSerai> {
  const serving = startSerai(bench, home);
  for (const repository of repositories) await serving.said(`synced ${repository}:`);
  await firstAnswer(`${home.address}/healthz`);
  return serving;
}
