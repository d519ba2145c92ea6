/** A store in a temporary folder with the syncs of its repositories, over any kind of upstream. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import { type Config, configSchema } from '../../src/config.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { SeraiError } from '../../src/errors.ts';
import { parseSha256, type Sha256 } from '../../src/hashes.ts';
import { type Mirror, openMirror } from '../../src/mirror/mirror.ts';
import type { PublishOutcome } from '../../src/mirror/publisher.ts';
import { RepositorySync, type SyncReport } from '../../src/mirror/sync.ts';
import type { Dialect } from '../../src/verify/dialect.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { contents, read } from '../support/tar-reading.ts';
import { TestClock } from '../support/test-clock.ts';

export type Limits = z.input<typeof configSchema>['limits'];

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'serai-test-mirror-'));
  onTestFinished(() => rm(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

/** Stopped when the test ends. */
export async function startUpstream(): Promise<CountingUpstream> {
  const upstream = await CountingUpstream.start();
  onTestFinished(() => upstream.stop());
  return upstream;
}

export function configOf(
  data: string,
  upstreams: Readonly<Record<string, string>>,
  limits: Limits = {},
): Config {
  const repository = Object.fromEntries(
    // What upstream removes goes at once: how long it stays is a matter of test/mirror/policy*.
    Object.entries(upstreams).map(([name, upstream]) => [name, { upstream, keep_removed: 0 as const }]),
  );
  return configSchema.parse({ data, allow_private_addresses: true, limits, repository });
}

export class TestMirror {
  readonly clock = new TestClock();
  readonly #syncs = new Map<string, RepositorySync>();
  #config: Config;
  #mirror: Mirror | undefined;

  private constructor(config: Config) {
    this.#config = config;
  }

  /** Repositories by name with their upstreams; closed when the test ends. */
  static async open(upstreams: Readonly<Record<string, string>>, limits?: Limits): Promise<TestMirror> {
    const mirror = new TestMirror(configOf(join(await temporaryFolder(), 'data'), upstreams, limits));
    onTestFinished(() => mirror.close());
    await mirror.restart();
    return mirror;
  }

  get config(): Config {
    return this.#config;
  }

  get mirror(): Mirror {
    if (this.#mirror === undefined) throw new Error('the mirror is closed');
    return this.#mirror;
  }

  /** As after the process ended and began again, perhaps with another configuration. */
  async restart(config: Config = this.#config): Promise<void> {
    await this.close();
    this.#config = config;
    this.#mirror = await openMirror(config, this.clock);
  }

  async close(): Promise<void> {
    const mirror = this.#mirror;
    this.#mirror = undefined;
    this.#syncs.clear();
    await mirror?.close();
  }

  async sync(repository = 'default', dialect?: Dialect): Promise<SyncReport> {
    let sync = this.#syncs.get(repository);
    if (sync === undefined || dialect !== undefined) {
      sync = new RepositorySync({
        ...this.mirror,
        repository,
        ...(dialect === undefined ? {} : { dialect }),
      });
      if (dialect === undefined) this.#syncs.set(repository, sync);
    }
    return sync.run(() => undefined);
  }

  /** A sync that looked at a tree. */
  async publish(repository = 'default'): Promise<PublishOutcome> {
    const report = await this.sync(repository);
    if (report.kind === 'not-modified') throw new Error('the upstream said that nothing changed');
    return report;
  }

  /** The bytes of index.tar.gz as they would be served after a restart. */
  async index(repository = 'default'): Promise<Buffer> {
    const { served } = this.mirror;
    await served.refresh(repository);
    const broken = served.broken(repository);
    if (broken !== undefined) throw broken;
    const current = served.current(repository);
    if (current === undefined) throw new Error(`${repository} was not published`);
    return current.index;
  }

  /** The files in it, as text (latin1). */
  async files(repository = 'default'): Promise<Record<string, string>> {
    return contents(await read(gunzipSync(await this.index(repository))));
  }

  /** The blobs in the store. */
  async blobs(): Promise<{ readonly id: Sha256; readonly path: string }[]> {
    const folder = join(this.#config.data, 'blobs', 'sha256');
    const names = await readdir(folder, { recursive: true });
    return names.flatMap((name) => {
      const id = parseSha256(name.slice(name.lastIndexOf('/') + 1));
      return id === undefined ? [] : [{ id, path: join(folder, name) }];
    });
  }

  leftovers(): Promise<string[]> {
    return readdir(join(this.#config.data, 'blobs', 'tmp'));
  }

  async events(): Promise<string[]> {
    return (await this.mirror.catalogue.events(0, 1000)).map(({ kind }) => kind);
  }
}

/** The code and message that a promise is rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<{ code: ErrorCode; message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SeraiError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('nothing failed');
}
