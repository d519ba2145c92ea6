/** A store in a temporary folder with the syncs of its repositories, over any kind of upstream. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { type Config, configSchema } from '../../src/config.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { SeraiError } from '../../src/errors.ts';
import { parseSha256, type Sha256 } from '../../src/hashes.ts';
import { type Mirror, openMirror } from '../../src/mirror/mirror.ts';
import { type AcceptedState, decodeAcceptedState } from '../../src/mirror/policy/accepted-state.ts';
import { eventOf } from '../../src/mirror/report/events.ts';
import type { PublishOutcome } from '../../src/mirror/sync/publisher.ts';
import { RepositorySync, type SyncReport } from '../../src/mirror/sync/sync.ts';
import { parseChecksum } from '../../src/opam/sources.ts';
import type { Dialect } from '../../src/verify/dialect.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { contents, read } from '../support/tar-reading.ts';
import { TestClock } from '../support/test-clock.ts';

export type Limits = z.input<typeof configSchema>['limits'];
/** Of a repository, as serai.toml has it. */
export type Settings = NonNullable<z.input<typeof configSchema>['repository']>[string];

const toldSchema = z.object({ version: z.string().optional(), rule: z.string().optional() });

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

/** The repository `default` with these settings; `more` stands at the top of the file. */
export function settingsOf(data: string, settings: Settings, more: object = {}): Config {
  return configSchema.parse({
    data,
    allow_private_addresses: true,
    ...more,
    repository: { default: settings },
  });
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
    return TestMirror.#opened(configOf(join(await temporaryFolder(), 'data'), upstreams, limits));
  }

  /** One repository with what the configuration may say of it, all else as it is by default. */
  static async with(settings: Settings, more: object = {}): Promise<TestMirror> {
    const data = join(await temporaryFolder(), 'data');
    return TestMirror.#opened(settingsOf(data, settings, more));
  }

  static async #opened(config: Config): Promise<TestMirror> {
    const mirror = new TestMirror(config);
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
    const sync =
      dialect === undefined
        ? this.#sync(repository)
        : new RepositorySync({ ...this.mirror, repository, dialect });
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

  /** `held p.1 archive-altered` and so on, but for publications. */
  async told(): Promise<string[]> {
    const events = (await this.mirror.catalogue.events(0, 1000)).filter(({ kind }) => kind !== 'published');
    return events.map(({ kind, detail }) => {
      const { version, rule } = toldSchema.parse(JSON.parse(detail));
      return [kind, version, rule].filter((word) => word !== undefined).join(' ');
    });
  }

  /** What the repository remembers of the tree that it accepted. */
  async state(repository = 'default'): Promise<AcceptedState> {
    const accepted = await this.mirror.catalogue.accepted(repository);
    if (accepted === undefined) throw new Error(`${repository} has accepted nothing`);
    return decodeAcceptedState(accepted.state);
  }

  /** A person releases a version: from its held change, or from the holds of policy where no change of it is held. */
  async release(version: string, repository = 'default'): Promise<void> {
    const { held } = await this.state(repository);
    const form = held.find((change) => change.version === version)?.form ?? '';
    const at = this.clock.now();
    await this.mirror.catalogue.saveDecision(
      { kind: 'release', repository, subject: version, reason: 'it was looked at', form, at },
      eventOf('released', at, repository, { version }),
    );
  }

  /** A person denies what the pattern names; the index follows with {@link rederive}. */
  async deny(subject: string, repository = 'default'): Promise<void> {
    const at = this.clock.now();
    await this.mirror.catalogue.saveDecision(
      { kind: 'denial', repository, subject, reason: 'it is bad', form: '', at },
      eventOf('denied', at, repository, {}),
    );
  }

  async undeny(subject: string, repository = 'default'): Promise<void> {
    const event = eventOf('undenied', this.clock.now(), repository, {});
    await this.mirror.catalogue.dropDecision({ kind: 'denial', repository, subject }, event);
  }

  async rederive(repository = 'default'): Promise<PublishOutcome | undefined> {
    return this.#sync(repository).rederive();
  }

  /** Whether the mirror would answer for an archive with this checksum, such as `sha256=…`. */
  async lists(checksum: string, repository = 'default'): Promise<boolean> {
    const parsed = parseChecksum(checksum);
    if (parsed === undefined) throw new Error(`${checksum} is no checksum`);
    return (await this.mirror.catalogue.listed(repository, parsed)).length > 0;
  }

  #sync(repository: string): RepositorySync {
    const sync = this.#syncs.get(repository) ?? new RepositorySync({ ...this.mirror, repository });
    this.#syncs.set(repository, sync);
    return sync;
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
