/**
 * Archives on demand: found in the store, or fetched from their sources in turn. Every listed checksum is
 * verified before anyone learns that the archive is there; one download serves however many ask. Sets of
 * checksums that share a hash do not wait for one another: one that lies could name a source that stalls.
 */
import type { Clock } from '../../clock.ts';
import { SeraiError } from '../../errors.ts';
import type { Checksum } from '../../hashes.ts';
import type { Archive, ListedArchive } from '../../store/catalogue.ts';
import { ArchiveDownloads, type DownloadOptions } from './archive-download.ts';
import { FailureMemory, isOfTheSource } from './failure-memory.ts';
import type { FoundArchive } from './found-archive.ts';
import { KeptArchives } from './kept-archives.ts';

/**
 * Milliseconds that one set of checksums has before the next one under the same hash is tried beside it: one
 * that lies may name a source that stalls.
 */
const HEAD_START = 2_000;

export interface ArchivesOptions extends DownloadOptions {
  readonly clock: Clock;
  /** Brings an archive into the store in place of a download of our own: another process does them for all. */
  readonly elsewhere?: ObtainElsewhere | undefined;
}

/** Rejects with the other process's SeraiError; what failed is remembered there alone. */
export type ObtainElsewhere = (repository: string, archive: ListedArchive) => Promise<FoundArchive>;

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
  readonly #kept: KeptArchives;
  readonly #downloads: ArchiveDownloads;

  constructor(options: ArchivesOptions) {
    this.#options = options;
    this.#failures = new FailureMemory(options.clock, options.limits.failure_memory);
    this.#kept = new KeptArchives(options);
    this.#downloads = new ArchiveDownloads(options, this.#kept);
  }

  /** The archives that the repository lists under this checksum; empty when it is not to be answered. */
  listed(repository: string, checksum: Checksum): Promise<readonly ListedArchive[]> {
    return this.#options.catalogue.listed(repository, checksum);
  }

  /** A blob in the store that matches all checksums of one of these archives; no network. */
  find(archives: readonly Archive[]): Promise<FoundArchive | undefined> {
    return this.#kept.find(archives);
  }

  /** The host that is asked first for it; empty when nobody can be. */
  firstHost(repository: string, archive: ListedArchive): Promise<string> {
    return this.#downloads.firstHost(repository, archive);
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
    const running = archives.map((archive) => this.#inFlight.get(downloadKey(repository, archive)));
    const found = when === 'verified' ? running.find((download) => download?.isVerified) : undefined;
    if (found !== undefined) return found.verified;
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
      this.#downloads.run(repository, archive, (found, open) =>
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
