/** Fetching all archives of the present snapshot: what is there is skipped, so an interruption loses nothing. */
import type { Clock } from '../../clock.ts';
import { asSeraiError, type ErrorCode, SeraiError } from '../../errors.ts';
import { showChecksum } from '../../hashes.ts';
import type { Catalogue, ListedArchive } from '../../store/catalogue.ts';
import { decodeContent } from '../index/file-facts.ts';
import type { Archives } from './archives.ts';
import { archivesIn, declarationKey } from './declarations.ts';

/** Tries of one archive, all of its sources each time. */
const TRIES = 3;
/** Before the second try, in milliseconds; doubled before each further one. */
const FIRST_WAIT = 1000;

/** What another try may mend; wrong bytes and refusals it does not. */
const WORTH_ANOTHER_TRY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream-unreachable',
  'upstream-timeout',
  'upstream-truncated',
  'upstream-status',
]);

/** Failures that are not one archive's. */
const OUR_OWN_GROUND: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'store-failed',
  'store-corrupt',
  'internal',
]);

export interface PrefetchOptions {
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly archives: Archives;
  readonly clock: Clock;
  /** Archives under way at once; each upstream host has its own bound within. */
  readonly parallel: number;
  readonly progress: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface PrefetchReport {
  readonly total: number;
  readonly present: number;
  readonly fetched: number;
  readonly failed: readonly {
    readonly archive: string;
    readonly code: ErrorCode;
    readonly reason: string;
  }[];
}

/**
 * Fetches what is missing. When the signal aborts it ends at once with what it has: downloads under way count
 * as neither fetched nor failed. Throws when the store fails, which no other archive would escape.
 */
export async function prefetch(options: PrefetchOptions): Promise<PrefetchReport> {
  const { archives, progress, signal } = options;
  const wanted = await listAll(options);
  const failed: PrefetchReport['failed'][number][] = [];
  let present = 0;
  let fetched = 0;
  let broken: SeraiError | undefined;
  const tell = (): void => progress(present + fetched + failed.length, wanted.length);
  tell();
  const isOver = (): boolean => signal?.aborted === true || broken !== undefined;
  const queue = wanted.values();
  const work = async (): Promise<void> => {
    for (const archive of queue) {
      if (isOver()) return;
      try {
        if ((await archives.find([archive])) !== undefined) present += 1;
        else {
          await orAborted(obtainPatiently(archive, options), signal);
          fetched += 1;
        }
      } catch (error) {
        if (isOver()) return;
        const failure = asSeraiError(error, 'internal', `fetching ${nameOf(archive)}`);
        if (OUR_OWN_GROUND.has(failure.code)) broken ??= failure;
        else failed.push({ archive: nameOf(archive), code: failure.code, reason: failure.message });
      }
      tell();
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, work));
  if (broken !== undefined) throw broken;
  return { total: wanted.length, present, fetched, failed };
}

/** Rejects when the signal aborts, and leaves the work to whoever ends it: the fetcher, when it is closed. */
async function orAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  const told = Promise.withResolvers<never>();
  const tell = (): void =>
    told.reject(new SeraiError('aborted', 'the fetching of archives was told to stop'));
  signal.addEventListener('abort', tell, { once: true });
  if (signal.aborted) tell();
  try {
    await Promise.race([work, told.promise]);
  } finally {
    signal.removeEventListener('abort', tell);
  }
}

/** Every archive that the present snapshot declares, once. */
async function listAll({ repository, catalogue }: PrefetchOptions): Promise<readonly ListedArchive[]> {
  const snapshot = await catalogue.currentSnapshot(repository);
  if (snapshot === undefined) return [];
  const contents = await catalogue.contents(snapshot.pieces);
  const listed = new Map<number, ListedArchive>();
  const seen = new Set<string>();
  for (const content of contents.values()) {
    for (const declaration of archivesIn([{ files: decodeContent(content) }])) {
      const key = declarationKey(declaration);
      const [first] = declaration.checksums;
      if (seen.has(key) || first === undefined) continue;
      seen.add(key);
      for (const archive of await catalogue.listed(repository, first))
        if (declarationKey(archive) === key) listed.set(archive.id, archive);
    }
  }
  return [...listed.values()];
}

async function obtainPatiently(archive: ListedArchive, options: PrefetchOptions): Promise<void> {
  for (let attempt = 1, wait = FIRST_WAIT; ; attempt++, wait *= 2) {
    try {
      await options.archives.obtain(options.repository, [archive]);
      return;
    } catch (error) {
      const again = error instanceof SeraiError && WORTH_ANOTHER_TRY.has(error.code) && attempt < TRIES;
      if (!again) throw error;
      await options.clock.sleep(wait, options.signal);
      options.archives.forgetFailure(options.repository, archive);
    }
  }
}

function nameOf(archive: ListedArchive): string {
  const [checksum] = archive.checksums;
  const [source] = archive.sources;
  return source ?? (checksum === undefined ? `archive ${archive.id}` : showChecksum(checksum));
}
