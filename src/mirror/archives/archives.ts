/**
 * Archives on demand: found in the store, or fetched from their sources in turn. Every listed checksum is
 * verified before anyone learns that the archive is there; one download serves however many ask. Sets of
 * checksums that share a hash do not wait for one another: one that lies could name a source that stalls.
 */
import type { Clock } from '../../clock.ts';
import { reasonOf, SeraiError } from '../../errors.ts';
import {
  type Checksum,
  HASH_KINDS,
  type HashKind,
  parseSha256,
  type Sha256,
  showChecksum,
} from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import type { BlobHandle, Blobs, PutOptions, StoredBlob } from '../../store/blobs.ts';
import type { Archive, Catalogue, ListedArchive } from '../../store/catalogue.ts';
import type { Fetcher } from '../../upstream/fetcher.ts';
import { shownAddress } from '../../upstream/http-errors.ts';
import { cacheAddresses, type FindCaches } from './archive-caches.ts';
import { putAside } from './damaged-blobs.ts';
import { FailureMemory, isOfTheSource } from './failure-memory.ts';
import { Gate, KeyedGates } from './gate.ts';

/**
 * Milliseconds that one set of checksums has before the next one under the same hash is tried beside it: one
 * that lies may name a source that stalls.
 */
const HEAD_START = 2_000;

/** Addresses tried for one archive; the real repository has 4 and a cache. */
const ADDRESSES = 64;

/** Archives at once on their way from an upstream to the disk. Each has a file open, and up to two buffers. */
const KEPT = 64;

export interface ArchivesOptions {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly fetcher: Fetcher;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly caches: FindCaches;
  /** Brings an archive into the store in place of a download of our own: another process does them for all. */
  readonly elsewhere?: ObtainElsewhere | undefined;
}

/** Rejects with the other process's SeraiError; what failed is remembered there alone. */
export type ObtainElsewhere = (repository: string, archive: ListedArchive) => Promise<FoundArchive>;

export interface FoundArchive {
  readonly blob: Sha256;
  /** Whether it had to be downloaded, by this call or by another at the same time. */
  readonly fetched: boolean;
  /** Its bytes were measured just now, on their way into the store. */
  readonly measured?: boolean;
  /** Of one that is not kept yet. */
  readonly coming?: ComingArchive;
}

/** All checksums of an archive are verified, and its bytes are still on their way to the disk. */
export interface ComingArchive {
  /** Undefined when it could not be kept. */
  open(): Promise<BlobHandle | undefined>;
  /** Rejects when it could not be kept. */
  readonly kept: Promise<FoundArchive>;
}

interface Download {
  readonly verified: Promise<FoundArchive>;
  readonly kept: Promise<FoundArchive>;
  isVerified: boolean;
}

type Stage = 'verified' | 'kept';

export class Archives {
  readonly #options: ArchivesOptions;
  readonly #inFlight = new Map<string, Download>();
  readonly #failures: FailureMemory;
  readonly #all: Gate;
  /** Downloads that are under way or not yet on the disk: a disk that is slower than the network makes them wait. */
  readonly #kept = new Gate(KEPT);
  readonly #hosts: KeyedGates;

  constructor(options: ArchivesOptions) {
    this.#options = options;
    this.#failures = new FailureMemory(options.clock, options.limits.failure_memory);
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
        return { blob: archive.blob, fetched: false };
    }
    for (const archive of archives) {
      const blob = await this.#adopt(archive);
      if (blob !== undefined) return { blob, fetched: false };
    }
    return undefined;
  }

  /**
   * Finds or fetches; throws a SeraiError that says what was tried. Never ends early for one who left. Resolves when the
   * archive is kept, or as soon as it is `verified`.
   */
  async obtain(
    repository: string,
    archives: readonly ListedArchive[],
    when: Stage = 'kept',
  ): Promise<FoundArchive> {
    // Nobody waits for another set of checksums, which may lie, where one is verified already.
    const verified = archives
      .map((archive) => this.#inFlight.get(downloadKey(repository, archive)))
      .find((download) => download?.isVerified);
    if (verified !== undefined) return verified[when];
    const attempts: Promise<FoundArchive>[] = [];
    for (const archive of archives) {
      attempts.push(this.#obtainOne(repository, archive, when));
      if (attempts.length === archives.length) break;
      const found = await this.#headStart(attempts);
      if (found !== undefined) return found;
    }
    try {
      return await Promise.any(attempts);
    } catch (error) {
      throw allFailed(error instanceof AggregateError ? error.errors : [error]);
    }
  }

  /** What one of the attempts brings before the next begins; undefined when all failed or take too long. */
  async #headStart(attempts: readonly Promise<FoundArchive>[]): Promise<FoundArchive | undefined> {
    const over = new AbortController();
    const first = Promise.any(attempts).catch(() => undefined);
    const late = this.#options.clock.sleep(HEAD_START, over.signal).then(() => undefined);
    try {
      return await Promise.race([first, late]);
    } finally {
      over.abort();
    }
  }

  /** Resolves when no download is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#inFlight.values()].map(({ kept }) => kept));
  }

  async #obtainOne(repository: string, archive: ListedArchive, when: Stage): Promise<FoundArchive> {
    const found = await this.find([archive]);
    if (found !== undefined) return found;
    const key = downloadKey(repository, archive);
    const running = this.#inFlight.get(key);
    if (running !== undefined) return running[when];
    if (this.#options.elsewhere === undefined) this.#failures.throwRemembered(key);
    const download = this.#begin(repository, archive);
    this.#inFlight.set(key, download);
    download.kept.then(
      () => this.#inFlight.delete(key),
      (error: unknown) => {
        this.#inFlight.delete(key);
        if (this.#options.elsewhere === undefined) this.#failures.remember(key, error);
      },
    );
    return download[when];
  }

  #begin(repository: string, archive: ListedArchive): Download {
    const { elsewhere } = this.#options;
    const verified = Promise.withResolvers<FoundArchive>();
    const kept: Promise<FoundArchive> =
      elsewhere?.(repository, archive) ??
      this.#download(repository, archive, (found, open) =>
        verified.resolve({ ...found, coming: { open, kept } }),
      );
    kept.then(verified.resolve, verified.reject);
    const download: Download = { verified: verified.promise, kept, isVerified: false };
    verified.promise.then(
      () => {
        download.isVerified = true;
      },
      () => undefined,
    );
    return download;
  }

  /** A blob that some other set of checksums brought, if it matches this one too. */
  async #adopt(archive: Archive): Promise<Sha256 | undefined> {
    const { catalogue } = this.#options;
    // Where a SHA-256 is among them, no other blob than the one of that name can match.
    const name = archive.checksums.find(({ kind }) => kind === 'sha256');
    for (const checksum of name === undefined ? archive.checksums : [name]) {
      for (const known of await catalogue.blobsWith(checksum)) {
        const blob = await this.#measured(known, archive);
        if (blob === undefined || !matches(archive, blob)) continue;
        await catalogue.recordBlob(blob, [archive.id]);
        return blob.id;
      }
    }
    return undefined;
  }

  /** The blob with all digests that the archive asks for; undefined when it is gone or damaged. */
  async #measured(blob: StoredBlob, archive: Archive): Promise<StoredBlob | undefined> {
    const { catalogue, blobs } = this.#options;
    const missing = archive.checksums
      .map(({ kind }) => kind)
      .filter((kind) => !blob.digests.some((digest) => digest.kind === kind));
    if (missing.length === 0) {
      if ((await blobs.size(blob.id)) !== undefined) return blob;
      await catalogue.forgetBlob(blob.id);
      return undefined;
    }
    const measured = await blobs.digest(blob.id, [...new Set(missing), 'sha256']);
    if (measured === undefined) {
      await catalogue.forgetBlob(blob.id);
      return undefined;
    }
    // What a damaged blob measures must not be recorded as the hash of what it was.
    if (!measured.some(({ kind, hex }) => kind === 'sha256' && hex === blob.id)) {
      await putAside(blob.id, this.#options);
      return undefined;
    }
    const whole = { ...blob, digests: [...blob.digests, ...measured] };
    await catalogue.recordBlob(whole);
    return whole;
  }

  async #download(
    repository: string,
    archive: ListedArchive,
    verified: (found: FoundArchive, open: ComingArchive['open']) => void,
  ): Promise<FoundArchive> {
    const related = await this.#options.catalogue.related(archive.checksums);
    // Another download may have ended between this one's look and its turn.
    const done = await this.find(
      related.filter((other) => other.id === archive.id && other.blob !== undefined),
    );
    if (done !== undefined) return done;
    const measured = await this.#isAbsent(archive);
    const addresses = await this.#addresses(repository, archive);
    const tried: string[] = [];
    let last: SeraiError | undefined;
    for (const address of addresses) {
      try {
        const blob = await this.#fetchFrom(address, archive, related, ({ id }, open) =>
          verified({ blob: id, measured: true, fetched: true }, open),
        );
        await this.#record(blob, [archive, ...related]);
        return { blob: blob.id, measured, fetched: true };
      } catch (error) {
        if (!isOfTheSource(error)) throw error;
        const reason = reasonOf(error);
        const shown = shownAddress(address);
        tried.push(reason.includes(shown) ? reason : `${shown}: ${reason}`);
        last = error;
      }
    }
    const name = archive.checksums.map((checksum) => showChecksum(checksum)).join(' ');
    const message = `archive ${name} could not be had from ${tried.length} source${tried.length === 1 ? '' : 's'}`;
    throw new SeraiError(last?.code ?? 'not-found', [message, ...tried].join('\n  '), { cause: last });
  }

  /** Whether there is certainly no file that a download would leave as it is, unmeasured. */
  async #isAbsent({ checksums }: Archive): Promise<boolean> {
    const known = checksums.find(({ kind }) => kind === 'sha256');
    const id = known && parseSha256(known.hex);
    return id !== undefined && (await this.#options.blobs.size(id)) === undefined;
  }

  /** Each once, in the order to try. */
  async #addresses(repository: string, archive: ListedArchive): Promise<readonly string[]> {
    const caches = await this.#options.caches(repository, archive.checksums);
    const addresses = [
      ...cacheAddresses(caches.before, archive.checksums),
      ...archive.sources,
      ...cacheAddresses(caches.after, archive.checksums),
    ];
    return [...new Set(addresses)].slice(0, ADDRESSES);
  }

  /** The host that is asked first for it; empty when nobody can be. */
  async firstHost(repository: string, archive: ListedArchive): Promise<string> {
    const [first] = await this.#addresses(repository, archive);
    return first === undefined ? '' : hostOf(first);
  }

  async #fetchFrom(
    address: string,
    archive: Archive,
    related: readonly Archive[],
    verified: NonNullable<PutOptions['verified']>,
  ): Promise<StoredBlob> {
    const { blobs, limits } = this.#options;
    const maxBytes = archive.size ?? limits.archive;
    const turn = new Turn();
    try {
      // Begun before its turn has come: so the store knows that it will come, and can keep others together with it.
      return await blobs.put(this.#bytesFrom(address, maxBytes, turn), {
        expected: archive.checksums,
        kinds: kindsOf(related),
        maxBytes,
        ...(archive.size === undefined ? {} : { exactBytes: archive.size }),
        verified,
        synced: () => turn.kept?.(),
      });
    } finally {
      turn.kept?.();
      turn.downloaded?.();
    }
  }

  async *#bytesFrom(address: string, maxBytes: number, turn: Turn): AsyncGenerator<Uint8Array> {
    const { fetcher, limits } = this.#options;
    const downloaded = await this.#enter(hostOf(address));
    turn.downloaded = downloaded;
    turn.kept = await this.#kept.enter();
    const { body } = await fetcher.fetch({ url: address, maxBytes, timeout: limits.archive_timeout });
    yield* body;
    // Keeping the bytes is no more a download: the next one begins meanwhile, when the connection is free.
    setImmediate(downloaded);
  }

  /** A place among all is taken only with a place at the host, else one slow host would take them all. */
  async #enter(host: string): Promise<() => void> {
    const leaveHost = await this.#hosts.enter(host);
    const leaveAll = await this.#all.enter();
    return () => {
      leaveAll();
      leaveHost();
    };
  }

  /** For the archive that was asked for, and for every other that these bytes answer. */
  #record(blob: StoredBlob, archives: readonly Archive[]): Promise<void> {
    const answered = archives.filter((archive) => matches(archive, blob)).map(({ id }) => id);
    return this.#options.catalogue.recordBlob(blob, [...new Set(answered)]);
  }

  /** Lets the next request for this archive try again at once. */
  forgetFailure(repository: string, archive: Archive): void {
    this.#failures.forget(downloadKey(repository, archive));
  }
}

function allFailed(errors: readonly unknown[]): unknown {
  const [first] = errors;
  if (errors.length === 1) return first;
  // What is wrong on our own ground matters more to whoever has to act than what is wrong with a source.
  const worst = errors.find((error) => !isOfTheSource(error)) ?? first;
  if (first === undefined) return new SeraiError('not-found', 'no published snapshot lists this checksum');
  if (!(worst instanceof SeraiError)) return worst;
  const messages = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  return new SeraiError(worst.code, messages.join('\n'), { cause: worst });
}

/** Each repository has sources of its own: one's failure, and what it says, is no business of another's. */
function downloadKey(repository: string, archive: Archive): string {
  return `${repository} ${archive.id}`;
}

/** Every checksum of the set, and the signed size. */
function matches(archive: Archive, blob: StoredBlob): boolean {
  if (archive.size !== undefined && archive.size !== blob.size) return false;
  return archive.checksums.every((checksum) =>
    blob.digests.some((digest) => digest.kind === checksum.kind && digest.hex === checksum.hex),
  );
}

/** The places that a download has, once it has its turn; each is given back as soon as it can be. */
class Turn {
  downloaded: (() => void) | undefined;
  kept: (() => void) | undefined;
}

function kindsOf(archives: readonly Archive[]): HashKind[] {
  const kinds = new Set(archives.flatMap((archive) => archive.checksums.map(({ kind }) => kind)));
  return HASH_KINDS.filter((kind) => kinds.has(kind));
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}
