/** Downloading one archive: its addresses in turn, each within the bounds on downloads, straight into the store. */
import { reasonOf, SeraiError } from '../../errors.ts';
import { HASH_KINDS, type HashKind, showChecksum } from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import type { Blobs, PutOptions, StoredBlob } from '../../store/blobs.ts';
import type { Archive, Catalogue, ListedArchive } from '../../store/catalogue.ts';
import type { Fetcher } from '../../upstream/fetcher.ts';
import { shownAddress } from '../../upstream/http-errors.ts';
import { cacheAddresses, type FindCaches } from './archive-caches.ts';
import { isOfTheSource } from './failure-memory.ts';
import type { ComingArchive, FoundArchive } from './found-archive.ts';
import { Gate, KeyedGates } from './gate.ts';
import type { KeptArchives } from './kept-archives.ts';

/** Addresses tried for one archive; the real repository has 4 and a cache. */
const ADDRESSES = 64;

/** Archives at once on their way from an upstream to the disk. Each has a file open, and up to two buffers. */
const KEPT = 64;

export interface DownloadOptions {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly fetcher: Fetcher;
  readonly limits: Limits;
  readonly caches: FindCaches;
}

export class ArchiveDownloads {
  readonly #options: DownloadOptions;
  readonly #archives: KeptArchives;
  readonly #all: Gate;
  /** Downloads that are under way or not yet on the disk: a disk that is slower than the network makes them wait. */
  readonly #kept = new Gate(KEPT);
  readonly #hosts: KeyedGates;

  constructor(options: DownloadOptions, archives: KeptArchives) {
    this.#options = options;
    this.#archives = archives;
    this.#all = new Gate(options.limits.downloads);
    this.#hosts = new KeyedGates(options.limits.downloads_per_host);
  }

  /** `verified` is told as soon as all checksums are; throws a SeraiError that says what was tried. */
  async run(
    repository: string,
    archive: ListedArchive,
    verified: (found: FoundArchive, open: ComingArchive['open']) => void,
  ): Promise<FoundArchive> {
    const related = await this.#options.catalogue.related(archive.checksums);
    // Another download may have ended between this one's look and its turn.
    const done = await this.#archives.find(
      related.filter((other) => other.id === archive.id && other.blob !== undefined),
    );
    if (done !== undefined) return done;
    const measured = await this.#archives.isAbsent(archive);
    const addresses = await this.#addresses(repository, archive);
    const tried: string[] = [];
    let last: SeraiError | undefined;
    for (const address of addresses) {
      try {
        const blob = await this.#fetchFrom(address, archive, related, ({ id }, open) =>
          verified({ blob: id, measured: true, fetched: true }, open),
        );
        await this.#archives.record(blob, [archive, ...related]);
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

  /** The host that is asked first for it; empty when nobody can be. */
  async firstHost(repository: string, archive: ListedArchive): Promise<string> {
    const [first] = await this.#addresses(repository, archive);
    return first === undefined ? '' : hostOf(first);
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
