/**
 * Archives on demand: found in the store, or fetched from their sources in turn. Every listed checksum is
 * verified before anyone learns that the archive is there; one download serves however many ask.
 */
import type { Clock } from '../clock.ts';
import { reasonOf, SeraiError } from '../errors.ts';
import { type Checksum, HASH_KINDS, type HashKind, type Sha256, showChecksum } from '../hashes.ts';
import type { Limits } from '../limits.ts';
import type { Blobs, StoredBlob } from '../store/blobs.ts';
import type { Archive, Catalogue, ListedArchive } from '../store/catalogue.ts';
import type { Fetcher } from '../upstream/fetcher.ts';
import { Gate, KeyedGates } from './gate.ts';

/** Failures remembered at once; the oldest are forgotten first. */
const FAILURES = 10_000;

export interface ArchivesOptions {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly fetcher: Fetcher;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Caches in opam's layout: asked before the declared sources, and after them. */
  readonly caches: (repository: string) => Promise<{
    readonly before: readonly string[];
    readonly after: readonly string[];
  }>;
}

export interface FoundArchive {
  readonly blob: Sha256;
}

interface Failure {
  readonly until: number;
  readonly error: SeraiError;
}

export class Archives {
  readonly #options: ArchivesOptions;
  readonly #inFlight = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, Failure>();
  readonly #all: Gate;
  readonly #hosts: KeyedGates;

  constructor(options: ArchivesOptions) {
    this.#options = options;
    this.#all = new Gate(options.limits.downloads);
    this.#hosts = new KeyedGates(options.limits.downloads_per_host);
  }

  /** The archives that the repository lists under this checksum; empty when it is not to be answered. */
  listed(repository: string, checksum: Checksum): Promise<readonly ListedArchive[]> {
    return this.#options.catalogue.listed(repository, checksum);
  }

  /** A blob in the store that matches all checksums of one of these archives; no network. */
  async find(archives: readonly Archive[]): Promise<FoundArchive | undefined> {
    for (const archive of archives) {
      if (archive.blob !== undefined && (await this.#options.blobs.size(archive.blob)) !== undefined)
        return { blob: archive.blob };
    }
    for (const archive of archives) {
      const blob = await this.#adopt(archive);
      if (blob !== undefined) return { blob };
    }
    return undefined;
  }

  /** Finds or fetches; throws a SeraiError that says what was tried. Never ends early for one who left. */
  async obtain(repository: string, archives: readonly ListedArchive[]): Promise<FoundArchive> {
    let failure = new SeraiError('not-found', 'no published snapshot lists this checksum');
    for (const archive of archives) {
      try {
        return await this.#obtainOne(repository, archive);
      } catch (error) {
        if (!(error instanceof SeraiError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async #obtainOne(repository: string, archive: ListedArchive): Promise<FoundArchive> {
    for (;;) {
      const found = await this.find([archive]);
      if (found !== undefined) return found;
      this.#throwRemembered(archive);
      const names = archive.checksums.map((checksum) => showChecksum(checksum));
      const other = names.map((name) => this.#inFlight.get(name)).find((download) => download !== undefined);
      if (other !== undefined) {
        await other;
        continue;
      }
      const download = this.#download(repository, archive);
      const settled = download.then(
        () => undefined,
        () => undefined,
      );
      for (const name of names) this.#inFlight.set(name, settled);
      try {
        return { blob: await download };
      } catch (error) {
        this.#remember(archive, error);
        throw error;
      } finally {
        for (const name of names) this.#inFlight.delete(name);
      }
    }
  }

  /** A blob that some other set of checksums brought, if it matches this one too. */
  async #adopt(archive: Archive): Promise<Sha256 | undefined> {
    const { catalogue, blobs } = this.#options;
    for (const checksum of archive.checksums) {
      for (const blob of await catalogue.blobsWith(checksum)) {
        const unmeasured = archive.checksums
          .map(({ kind }) => kind)
          .filter((kind) => !blob.digests.some((digest) => digest.kind === kind));
        const measured = await blobs.digest(blob.id, unmeasured);
        if (measured === undefined) {
          await catalogue.forgetBlob(blob.id);
          continue;
        }
        const digests = [...blob.digests, ...measured];
        if (unmeasured.length > 0) await catalogue.recordBlob({ ...blob, digests });
        if (!matches(archive, { ...blob, digests })) continue;
        await catalogue.linkArchive(archive.id, blob.id);
        return blob.id;
      }
    }
    return undefined;
  }

  async #download(repository: string, archive: ListedArchive): Promise<Sha256> {
    const related = await this.#options.catalogue.related(archive.checksums);
    // Another download may have ended between this one's look and its turn.
    const done = await this.find(
      related.filter((other) => other.id === archive.id && other.blob !== undefined),
    );
    if (done !== undefined) return done.blob;
    const caches = await this.#options.caches(repository);
    const addresses = [
      ...cacheAddresses(caches.before, archive.checksums),
      ...archive.sources,
      ...cacheAddresses(caches.after, archive.checksums),
    ];
    const tried: string[] = [];
    let last: SeraiError | undefined;
    for (const address of new Set(addresses)) {
      try {
        const blob = await this.#all.run(() => this.#fetchFrom(address, archive, related));
        await this.#link(blob, [archive, ...related]);
        return blob.id;
      } catch (error) {
        if (!(error instanceof SeraiError) || error.code === 'store-failed' || error.code === 'aborted')
          throw error;
        tried.push(`${withoutCredentials(address)}: ${reasonOf(error)}`);
        last = error;
      }
    }
    const name = archive.checksums.map((checksum) => showChecksum(checksum))[0] ?? 'no checksum';
    const message = `archive ${name} could not be had from ${tried.length} source${tried.length === 1 ? '' : 's'}`;
    throw new SeraiError(last?.code ?? 'not-found', [message, ...tried].join('\n  '), { cause: last });
  }

  #fetchFrom(address: string, archive: Archive, related: readonly Archive[]): Promise<StoredBlob> {
    const { fetcher, blobs, limits } = this.#options;
    const maxBytes = archive.size ?? limits.archive;
    return this.#hosts.run(hostOf(address), async () => {
      const response = await fetcher.fetch({ url: address, maxBytes, timeout: limits.archive_timeout });
      return blobs.put(response.body, {
        expected: archive.checksums,
        kinds: kindsOf(related),
        maxBytes,
        ...(archive.size === undefined ? {} : { exactBytes: archive.size }),
      });
    });
  }

  async #link(blob: StoredBlob, archives: readonly Archive[]): Promise<void> {
    const { catalogue } = this.#options;
    await catalogue.recordBlob(blob);
    for (const archive of archives)
      if (matches(archive, blob)) await catalogue.linkArchive(archive.id, blob.id);
  }

  #throwRemembered(archive: Archive): void {
    const failure = this.#failures.get(failureKey(archive));
    if (failure === undefined) return;
    if (this.#options.clock.now() < failure.until) throw failure.error;
    this.#failures.delete(failureKey(archive));
  }

  #remember(archive: Archive, error: unknown): void {
    if (!(error instanceof SeraiError) || error.code === 'aborted') return;
    const [oldest] = this.#failures.keys();
    if (this.#failures.size >= FAILURES && oldest !== undefined) this.#failures.delete(oldest);
    const until = this.#options.clock.now() + this.#options.limits.failure_memory;
    this.#failures.set(failureKey(archive), { until, error });
  }

  /** Lets the next request for this archive try again at once. */
  forgetFailure(archive: Archive): void {
    this.#failures.delete(failureKey(archive));
  }
}

function failureKey(archive: Archive): string {
  return String(archive.id);
}

/** Every checksum of the set, and the signed size. */
function matches(archive: Archive, blob: StoredBlob): boolean {
  if (archive.size !== undefined && archive.size !== blob.size) return false;
  return archive.checksums.every((checksum) =>
    blob.digests.some((digest) => digest.kind === checksum.kind && digest.hex === checksum.hex),
  );
}

function kindsOf(archives: readonly Archive[]): HashKind[] {
  const kinds = new Set(archives.flatMap((archive) => archive.checksums.map(({ kind }) => kind)));
  return HASH_KINDS.filter((kind) => kinds.has(kind));
}

function cacheAddresses(caches: readonly string[], checksums: readonly Checksum[]): string[] {
  return caches.flatMap((cache) =>
    checksums.map(({ kind, hex }) => `${cache.replace(/\/+$/, '')}/${kind}/${hex.slice(0, 2)}/${hex}`),
  );
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}

function withoutCredentials(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
}
