/**
 * A whole mirror for tests: a real upstream on loopback, a real store in a temporary folder, a real server.
 *
 *   const fixture = await mirrorOf({ limits: { miss_wait: '1s' } })
 *     .package('hello.1.0', { archive: BYTES })
 *     .in('other').package('hello.1.0', { archive: BYTES, checksums: ['md5'] })
 *     .forTest();                       // synced, listening, and taken away when the test ends
 *   await fixture.get(fixture.path('hello.1.0'));
 *
 * In `beforeAll` use `start()`, and `close()` in `afterAll`.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import type { Clock } from '../../src/clock.ts';
import { configSchema } from '../../src/config.ts';
import type { SeraiError } from '../../src/errors.ts';
import type { HashKind } from '../../src/hashes.ts';
import { type Mirror, openMirror } from '../../src/mirror/mirror.ts';
import { eventOf } from '../../src/mirror/report/events.ts';
import { RepositorySync, type SyncReport } from '../../src/mirror/sync/sync.ts';
import { createMirrorServer, type MirrorServer } from '../../src/proxy/server.ts';
import { ArchiveUpstream, bytes } from './archive-upstream.ts';
import { ask, RawConnection, type RawHeaders, type RawResponse } from './raw-client.ts';
import { tar } from './tar.ts';
import { TestClock } from './test-clock.ts';

export type RepositorySettings = Partial<NonNullable<z.input<typeof configSchema>['repository']>[string]>;

export interface FixtureOptions {
  /** As in serai.toml. */
  readonly limits?: z.input<typeof configSchema>['limits'];
  readonly clock?: Clock;
  /** For each repository, beside or in place of `upstream`; `*` is for all. */
  readonly repository?: Readonly<Record<string, RepositorySettings>>;
  readonly public_url?: string;
  readonly advisories?: z.input<typeof configSchema>['advisories'];
}

export interface PackageOptions {
  /** Served by the upstream at `/archives/ID`; without it nothing is. */
  readonly archive?: Uint8Array;
  /** Kinds measured from `archive`, or whole checksums such as `md5=…`; sha256 unless given. */
  readonly checksums?: readonly string[];
  /** Addresses, or paths of the upstream; `/archives/ID` unless given. */
  readonly sources?: readonly string[];
}

const NO_FILES: Readonly<Record<string, string>> = { repo: 'opam-version: "2.0"\n' };

/** Begins a fixture; packages go to the repository `default` until `in` names another. */
export function mirrorOf(options: FixtureOptions = {}): FixtureBuilder {
  return new FixtureBuilder(options);
}

export class FixtureBuilder {
  readonly #options: FixtureOptions;
  readonly #packages: { repository: string; id: string; options: PackageOptions }[] = [];
  readonly #repositories = new Set(['default']);
  #repository = 'default';

  constructor(options: FixtureOptions) {
    this.#options = options;
  }

  in(repository: string): this {
    this.#repositories.add(repository);
    this.#repository = repository;
    return this;
  }

  package(id: string, options: PackageOptions = {}): this {
    this.#packages.push({ repository: this.#repository, id, options });
    return this;
  }

  /** Listens, and with `sync` (the default) has published every repository that has packages. */
  async start({ sync = true }: { readonly sync?: boolean } = {}): Promise<MirrorFixture> {
    const fixture = await MirrorFixture.open(this.#options, [...this.#repositories]);
    for (const { repository, id, options } of this.#packages) fixture.package(repository, id, options);
    const filled = new Set(this.#packages.map(({ repository }) => repository));
    if (sync) for (const repository of filled) await fixture.sync(repository);
    return fixture;
  }

  /** As `start`, and closed when the test that is running ends. */
  async forTest(options: { readonly sync?: boolean } = {}): Promise<MirrorFixture> {
    const fixture = await this.start(options);
    onTestFinished(() => fixture.close());
    return fixture;
  }
}

export class MirrorFixture {
  readonly upstream: ArchiveUpstream;
  readonly folder: string;
  readonly mirror: Mirror;
  readonly running: MirrorServer;
  /** What the server reported to its log. */
  readonly reported: readonly SeraiError[];
  readonly #files = new Map<string, Map<string, string>>();
  readonly #archives = new Map<string, Uint8Array>();
  readonly #others: Mirror[] = [];

  private constructor(upstream: ArchiveUpstream, folder: string, mirror: Mirror) {
    this.upstream = upstream;
    this.folder = folder;
    this.mirror = mirror;
    const reported: SeraiError[] = [];
    this.reported = reported;
    this.running = createMirrorServer(mirror, (error) => reported.push(error));
  }

  static async open(options: FixtureOptions, repositories: readonly string[]): Promise<MirrorFixture> {
    const upstream = await ArchiveUpstream.start();
    const folder = await mkdtemp(join(tmpdir(), 'serai-mirror-'));
    const config = configSchema.parse({
      data: join(folder, 'data'),
      allow_private_addresses: true,
      limits: options.limits ?? {},
      ...(options.public_url === undefined ? {} : { public_url: options.public_url }),
      ...(options.advisories === undefined ? {} : { advisories: options.advisories }),
      repository: Object.fromEntries(
        repositories.map((name) => {
          const settings = { ...options.repository?.['*'], ...options.repository?.[name] };
          const origin = settings.sources === undefined ? { upstream: `${upstream.address}/${name}` } : {};
          return [name, { ...origin, ...settings }];
        }),
      ),
    });
    const mirror = await openMirror(config, options.clock ?? new TestClock());
    const fixture = new MirrorFixture(upstream, folder, mirror);
    for (const name of repositories) fixture.#files.set(name, new Map(Object.entries(NO_FILES)));
    const { server } = fixture.running;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return fixture;
  }

  get port(): number {
    const address = this.running.server.address() as AddressInfo | null;
    if (address === null) throw new Error('the mirror does not listen any more');
    return address.port;
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Puts a package into a repository's tree and its archive on the upstream; seen with the next `sync`. */
  package(repository: string, id: string, options: PackageOptions = {}): void {
    const { archive, checksums = ['sha256'], sources = [`/archives/${id}`] } = options;
    if (archive !== undefined) {
      this.upstream.set(`/archives/${id}`, bytes(archive));
      this.#archives.set(id, archive);
    }
    const listed = checksums.map((text) =>
      text.includes('=') ? text : `${text}=${hexOf(text as HashKind, archive ?? Buffer.alloc(0))}`,
    );
    const urls = sources.map((source) => (source.startsWith('/') ? this.upstream.address + source : source));
    const name = id.slice(0, id.indexOf('.'));
    this.file(
      repository,
      `packages/${name}/${id}/opam`,
      [
        'opam-version: "2.0"',
        'url {',
        `  src: "${urls[0]}"`,
        `  mirrors: [${urls
          .slice(1)
          .map((url) => `"${url}"`)
          .join(' ')}]`,
        `  checksum: [${listed.map((text) => `"${text}"`).join(' ')}]`,
        '}\n',
      ].join('\n'),
    );
  }

  /** Sets one file of a repository's tree. */
  file(repository: string, path: string, text: string): void {
    const files = this.#files.get(repository);
    if (files === undefined) throw new Error(`the fixture has no repository ${repository}`);
    files.set(path, text);
    const entries = [...files].map(([name, content]) => ({ name, content }));
    this.upstream.set(`/${repository}/index.tar.gz`, bytes(gzipSync(tar(...entries))));
  }

  /** Takes one file out of a repository's tree. */
  remove(repository: string, path: string): void {
    this.#files.get(repository)?.delete(path);
    const repo = this.#files.get(repository)?.get('repo');
    if (repo !== undefined) this.file(repository, 'repo', repo);
  }

  /** Syncs, and takes up what was published. */
  async sync(repository = 'default'): Promise<SyncReport> {
    const report = await new RepositorySync({ ...this.mirror, repository }).run(() => undefined);
    await this.mirror.served.refresh(repository);
    return report;
  }

  /** The same mirror as another process has it, on the same data; closed with the fixture. */
  async other(): Promise<OtherProcess> {
    const { config, clock } = this.mirror;
    const mirror = await openMirror(config, clock);
    this.#others.push(mirror);
    return new OtherProcess(mirror);
  }

  /** Where an archive of this package is served, as opam asks for it. */
  path(id: string, kind: HashKind = 'sha256', prefix = ''): string {
    const archive = this.#archives.get(id);
    if (archive === undefined) throw new Error(`the fixture has no archive of ${id}`);
    return cachePath(kind, hexOf(kind, archive), prefix);
  }

  get(target: string, headers: RawHeaders = {}): Promise<RawResponse> {
    return ask(this.port, 'GET', target, headers);
  }

  head(target: string, headers: RawHeaders = {}): Promise<RawResponse> {
    return ask(this.port, 'HEAD', target, headers);
  }

  connect(): Promise<RawConnection> {
    return RawConnection.open(this.port);
  }

  /** Ends everything and removes the folder. */
  async close(): Promise<void> {
    this.running.server.closeAllConnections();
    const drained = this.running.drain();
    this.running.server.closeAllConnections();
    await this.upstream.stop();
    await drained;
    for (const mirror of [...this.#others, this.mirror]) await mirror.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What a command does beside a server: what it decides is published before it ends, and nobody is told. */
export class OtherProcess {
  readonly mirror: Mirror;

  constructor(mirror: Mirror) {
    this.mirror = mirror;
  }

  /** As `serai deny` does: `pattern` in its canonical form, of all repositories unless one is named. */
  async deny(pattern: string, repository?: string): Promise<void> {
    await this.decide(pattern, repository);
    await this.rederive();
  }

  /** As `serai undeny` does. */
  async undeny(pattern: string, repository?: string): Promise<void> {
    const decision = { kind: 'denial' as const, subject: pattern, ...(repository && { repository }) };
    if (!(await this.mirror.catalogue.dropDecision(decision, eventOf('undenied', 0, repository ?? '', {}))))
      throw new Error(`${pattern} was not denied`);
    await this.rederive();
  }

  /** Only writes down what was decided. */
  async decide(pattern: string, repository?: string): Promise<void> {
    await this.mirror.catalogue.saveDecision(
      {
        kind: 'denial',
        subject: pattern,
        reason: 'a test',
        form: '',
        at: 0,
        ...(repository === undefined ? {} : { repository }),
      },
      eventOf('denied', 0, repository ?? '', {}),
    );
  }

  /** Publishes what follows from what was decided. */
  async rederive(): Promise<void> {
    for (const repository of Object.keys(this.mirror.config.repository))
      await new RepositorySync({ ...this.mirror, repository }).rederive();
  }

  async sync(repository = 'default'): Promise<SyncReport> {
    return new RepositorySync({ ...this.mirror, repository }).run(() => undefined);
  }
}

/** `PREFIX/cache/KIND/XX/HEX`. */
export function cachePath(kind: HashKind, hex: string, prefix = ''): string {
  return `${prefix}/cache/${kind}/${hex.slice(0, 2)}/${hex}`;
}

export function hexOf(kind: HashKind, content: Uint8Array): string {
  return createHash(kind).update(content).digest('hex');
}

/** Bytes that no run repeats soon in, the same for the same arguments. */
export function sampleBytes(length: number, seed = 1): Buffer {
  const sample = Buffer.alloc(length);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    sample[at] = state & 255;
  }
  return sample;
}
