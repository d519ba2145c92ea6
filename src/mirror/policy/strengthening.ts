/**
 * Archives that have weak checksums only, or none: fetched once, their strong hashes are pinned for ever (issue 4,
 * point 4). What could not be had is tried again later, ever less often.
 */
import type { Clock } from '../../clock.ts';
import { SeraiError } from '../../errors.ts';
import { type Checksum, showChecksum } from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import type { Blobs, StoredBlob } from '../../store/blobs.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import type { Fetcher } from '../../upstream/fetcher.ts';
import { type DeclaredSource, isStrong } from '../../verify/policy/declared-source.ts';
import { type ArchiveCaches, cacheAddresses } from '../archives/archive-caches.ts';
import { isOfTheSource } from '../archives/failure-memory.ts';
import { Gate } from '../archives/gate.ts';
import { eventOf } from '../report/events.ts';

const HOUR = 3_600_000;
/** Milliseconds before the second try, doubled before each further one. */
const FIRST_WAIT = HOUR;
const LONGEST_WAIT = 24 * HOUR;
/** Archives under way at once: this is done once, and must not be in the way of clients. */
const AT_ONCE = 4;
/** Milliseconds that one sync gives to it: a slow host must not keep the next sync from beginning. */
const LONGEST_RUN = HOUR / 12;
/** Addresses tried for one archive. */
const ADDRESSES = 16;

export interface StrengtheningOptions {
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly caches: (repository: string, checksums: readonly Checksum[]) => Promise<ArchiveCaches>;
}

export interface WeakArchive {
  readonly source: DeclaredSource;
  readonly addresses: readonly string[];
}

export class Strengthening {
  readonly #options: StrengtheningOptions;
  readonly #waits = new Map<string, { readonly until: number; readonly next: number }>();

  constructor(options: StrengtheningOptions) {
    this.#options = options;
  }

  /**
   * Pins what can be had of the archives, by pin key; the number of new pins. What takes too long is left for the next
   * run. Throws what is not of a source.
   */
  async run(archives: ReadonlyMap<string, WeakArchive>, signal?: AbortSignal): Promise<number> {
    const over = new AbortController();
    const awake = new AbortController();
    const stop = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
    this.#options.clock.sleep(LONGEST_RUN, awake.signal).then(
      () => over.abort(),
      () => undefined,
    );
    try {
      const gate = new Gate(AT_ONCE);
      const pinned = await Promise.allSettled(
        [...archives].map(([key, archive]) =>
          gate
            .run(() => this.#pin(key, archive, stop, signal))
            .catch((error: unknown) => {
              over.abort();
              throw error;
            }),
        ),
      );
      for (const each of pinned) if (each.status === 'rejected') throw each.reason;
      return pinned.filter((each) => each.status === 'fulfilled' && each.value).length;
    } finally {
      awake.abort();
    }
  }

  async #pin(
    key: string,
    archive: WeakArchive,
    stop: AbortSignal,
    asked: AbortSignal | undefined,
  ): Promise<boolean> {
    const { repository, catalogue, clock } = this.#options;
    const wait = this.#waits.get(key);
    if (stop.aborted || (wait !== undefined && clock.now() < wait.until)) return false;
    const blob = (await this.#stored(archive)) ?? (await this.#fetch(archive, stop));
    if (blob === undefined) {
      // A source that took until the end waits as one that failed, so that others get their turn.
      if (asked?.aborted === true) return false;
      const next = wait?.next ?? FIRST_WAIT;
      this.#waits.set(key, { until: clock.now() + next, next: Math.min(2 * next, LONGEST_WAIT) });
      return false;
    }
    this.#waits.delete(key);
    const checksums = blob.digests.filter(isStrong);
    const pin = { key, checksums, size: blob.size, at: clock.now() };
    const detail = { key, checksums: checksums.map(showChecksum), size: blob.size };
    await catalogue.savePin(repository, pin, eventOf('pinned', pin.at, repository, detail));
    return true;
  }

  /** A blob that is here already; undefined when there is none, or no checksum to find it by. */
  async #stored({ source }: WeakArchive): Promise<StoredBlob | undefined> {
    const { catalogue, blobs } = this.#options;
    const [checksum] = source.checksums;
    if (checksum === undefined) return undefined;
    for (const known of await catalogue.blobsWith(checksum)) {
      const digests = await blobs.digest(known.id, ['md5', 'sha256', 'sha512']);
      const texts = new Set(digests?.map(showChecksum));
      const matches = source.checksums.every((each) => texts.has(showChecksum(each)));
      if (digests === undefined || !matches || !texts.has(`sha256=${known.id}`)) continue;
      const blob = { id: known.id, size: known.size, digests };
      await catalogue.recordBlob(blob);
      return blob;
    }
    return undefined;
  }

  async #fetch({ source, addresses }: WeakArchive, signal: AbortSignal): Promise<StoredBlob | undefined> {
    const { repository, catalogue, blobs, fetcher, limits, caches } = this.#options;
    const { before, after } = await caches(repository, source.checksums);
    const all = [
      ...cacheAddresses(before, source.checksums),
      ...addresses,
      ...cacheAddresses(after, source.checksums),
    ];
    for (const url of [...new Set(all)].slice(0, ADDRESSES)) {
      if (signal.aborted) return undefined;
      try {
        const response = await fetcher.fetch({
          url,
          maxBytes: limits.archive,
          timeout: limits.archive_timeout,
          signal,
        });
        const blob = await blobs.put(response.body, {
          expected: source.checksums,
          kinds: ['sha256', 'sha512'],
          maxBytes: limits.archive,
        });
        await catalogue.recordBlob(blob);
        return blob;
      } catch (error) {
        if (error instanceof SeraiError && error.code === 'aborted') return undefined;
        if (!isOfTheSource(error)) throw error;
      }
    }
    return undefined;
  }
}
