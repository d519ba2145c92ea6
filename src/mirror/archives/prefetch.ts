/** Fetching all archives of the present snapshot: what is there is skipped, so an interruption loses nothing. */
import type { Clock } from '../../clock.ts';
import { asSeraiError, type ErrorCode, SeraiError } from '../../errors.ts';
import { showChecksum } from '../../hashes.ts';
import type { Catalogue, ListedArchive } from '../../store/catalogue.ts';
import { decodeContent } from '../index/file-facts.ts';
import type { Archives } from './archives.ts';
import { archivesIn, declarationKey } from './declarations.ts';

/**
 * Archives under way at once of those that one host is asked for first: being downloaded, within the host's own bound,
 * and waiting to be kept together with others, which holds no more than a name. A slow host keeps its own archives
 * waiting, and no other's.
 */
const UNDER_WAY = 1024;

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
  const { progress, signal } = options;
  const wanted = await listAll(options);
  const failed: PrefetchReport['failed'][number][] = [];
  let present = 0;
  let fetched = 0;
  let broken: SeraiError | undefined;
  const tell = (): void => progress(present + fetched + failed.length, wanted.length);
  tell();
  const givenUp = new AbortController();
  const over = signal === undefined ? givenUp.signal : AbortSignal.any([signal, givenUp.signal]);
  const fetchAll = async (queue: Iterator<ListedArchive>): Promise<void> => {
    for (let step = queue.next(); step.done !== true && !over.aborted; step = queue.next()) {
      const archive = step.value;
      try {
        if (await orAborted(obtainPatiently(archive, { ...options, signal: over }), over)) fetched += 1;
        else present += 1;
      } catch (error) {
        if (over.aborted) return;
        const failure = asSeraiError(error, 'internal', `fetching ${nameOf(archive)}`);
        if (OUR_OWN_GROUND.has(failure.code)) {
          broken ??= failure;
          givenUp.abort();
        } else failed.push({ archive: nameOf(archive), code: failure.code, reason: failure.message });
      }
      tell();
    }
  };
  const queues = [...(await byHost(wanted, options)).values()];
  await Promise.all(
    queues.flatMap((archives) => {
      const queue = archives.values();
      return Array.from({ length: Math.min(UNDER_WAY, archives.length) }, () => fetchAll(queue));
    }),
  );
  if (broken !== undefined) throw broken;
  return { total: wanted.length, present, fetched, failed };
}

/** Rejects when the signal aborts, and leaves the work to whoever ends it: the fetcher, when it is closed. */
async function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const told = Promise.withResolvers<never>();
  const tell = (): void =>
    told.reject(new SeraiError('aborted', 'the fetching of archives was told to stop'));
  signal.addEventListener('abort', tell, { once: true });
  if (signal.aborted) tell();
  try {
    return await Promise.race([work, told.promise]);
  } finally {
    signal.removeEventListener('abort', tell);
  }
}

/** Every archive that the present snapshot declares, once. */
async function listAll({ repository, catalogue }: PrefetchOptions): Promise<readonly ListedArchive[]> {
  const snapshot = await catalogue.currentSnapshot(repository);
  if (snapshot === undefined) return [];
  const contents = await catalogue.contents(snapshot.pieces);
  const declared = new Set<string>();
  for (const content of contents.values())
    for (const declaration of archivesIn([{ files: decodeContent(content) }]))
      declared.add(declarationKey(declaration));
  return (await catalogue.listing(repository)).filter((archive) => declared.has(declarationKey(archive)));
}

/** The archives by the host that each is asked of first. */
async function byHost(
  archives: readonly ListedArchive[],
  options: PrefetchOptions,
): Promise<ReadonlyMap<string, readonly ListedArchive[]>> {
  const queues = new Map<string, ListedArchive[]>();
  for (const archive of archives) {
    const host = await options.archives.firstHost(options.repository, archive);
    const queue = queues.get(host);
    if (queue === undefined) queues.set(host, [archive]);
    else queue.push(archive);
  }
  return queues;
}

/** Whether it had to be fetched. */
async function obtainPatiently(archive: ListedArchive, options: PrefetchOptions): Promise<boolean> {
  for (let attempt = 1, wait = FIRST_WAIT; ; attempt++, wait *= 2) {
    try {
      return (await options.archives.obtain(options.repository, [archive])).fetched;
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
