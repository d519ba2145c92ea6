/** Fetching all archives of the present snapshot: what is there is skipped, so an interruption loses nothing. */
import type { Clock } from '../clock.ts';
import { type ErrorCode, SeraiError } from '../errors.ts';
import { showChecksum } from '../hashes.ts';
import type { Catalogue, ListedArchive } from '../store/catalogue.ts';
import type { Archives } from './archives.ts';
import { archivesIn, declarationKey } from './declarations.ts';
import { decodeFacts } from './file-facts.ts';

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

/** Fetches what is missing. Ends early, with what it has, when the signal aborts. */
export async function prefetch(options: PrefetchOptions): Promise<PrefetchReport> {
  const wanted = await listAll(options);
  const failed: PrefetchReport['failed'][number][] = [];
  let present = 0;
  let fetched = 0;
  let done = 0;
  options.progress(0, wanted.length);
  const queue = wanted.values();
  const work = async (): Promise<void> => {
    for (const archive of queue) {
      if (options.signal?.aborted === true) return;
      try {
        if ((await options.archives.find([archive])) !== undefined) present += 1;
        else {
          await obtainPatiently(archive, options);
          fetched += 1;
        }
      } catch (error) {
        if (!(error instanceof SeraiError)) throw error;
        failed.push({ archive: nameOf(archive), code: error.code, reason: error.message });
      }
      done += 1;
      options.progress(done, wanted.length);
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, work));
  return { total: wanted.length, present, fetched, failed };
}

/** Every archive that the present snapshot declares, once. */
async function listAll({ repository, catalogue }: PrefetchOptions): Promise<readonly ListedArchive[]> {
  const snapshot = await catalogue.currentSnapshot(repository);
  if (snapshot === undefined) return [];
  const pieces = await catalogue.pieces(snapshot.pieces);
  const listed = new Map<number, ListedArchive>();
  const seen = new Set<string>();
  for (const piece of pieces.values()) {
    for (const declaration of archivesIn([{ files: decodeFacts(piece.facts) }])) {
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
      if (!again || options.signal?.aborted === true) throw error;
      await options.clock.sleep(wait, options.signal);
      options.archives.forgetFailure(archive);
    }
  }
}

function nameOf(archive: ListedArchive): string {
  const [checksum] = archive.checksums;
  const [source] = archive.sources;
  return source ?? (checksum === undefined ? `archive ${archive.id}` : showChecksum(checksum));
}
