/**
 * The security advisories in force. The last feed that could be read is kept in the catalogue, so that a restart, or
 * a feed that is down, damaged or suddenly empty, lifts no hold.
 */
import type { Clock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import { asSeraiError, SeraiError } from '../../errors.ts';
import type { Catalogue, StoredFeed } from '../../store/catalogue.ts';
import { type FeedLimits, readAdvisoryFeed } from '../../upstream/advisory-feed.ts';
import type { Fetcher } from '../../upstream/fetcher.ts';
import { shownAddress } from '../../upstream/http-errors.ts';
import { showPath } from '../../upstream/tree-rules.ts';
import { type Advisory, parseAdvisories } from '../../verify/policy/advisories.ts';
import { isoTime } from '../report/iso-time.ts';
import { readDocuments } from './advisory-reading.ts';
import {
  decodeRecord,
  encodeRecord,
  type FeedFailure,
  type FeedRecord,
  parseKept,
  recordDigest,
} from './advisory-record.ts';

type AdvisoriesConfig = Pick<Config, 'advisories'>;

export interface AdvisoryRefresh {
  readonly catalogue: Pick<Catalogue, 'feed' | 'saveFeed'>;
  readonly config: AdvisoriesConfig;
  readonly fetcher: Pick<Fetcher, 'fetch'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly limits: FeedLimits;
  readonly signal?: AbortSignal | undefined;
}

export interface RefreshedAdvisories {
  /** The advisories in force are others than before. */
  readonly changed: boolean;
  /** Why the feed could not be taken; what was kept stays in force. */
  readonly failure?: SeraiError;
}

export interface LoadedAdvisories {
  readonly advisories: readonly Advisory[];
  /** Milliseconds since the epoch, of the last time that the feed was read; undefined before the first. */
  readonly fetchedAt?: number;
  /** What could not be understood of the feed, for people. */
  readonly problems: readonly string[];
  /** Another one exactly when the kept advisories are. */
  readonly digest: string;
}

/**
 * Asks the source once `interval` has passed since it was last read; after a failure the next call asks again. Throws
 * only what the catalogue throws, `store-corrupt` among it for a kept feed that cannot be read.
 */
export async function refreshAdvisories(refresh: AdvisoryRefresh): Promise<RefreshedAdvisories> {
  const { catalogue, config, clock } = refresh;
  if (config.advisories === undefined) return { changed: false };
  const { source, interval } = config.advisories;
  const key = feedKey(source);
  const stored = await catalogue.feed(key);
  const now = clock.now();
  if (stored !== undefined && !isDue(stored.fetchedAt, now, interval)) return { changed: false };
  const last = decodeRecord(stored?.advisories);
  let taken: TakenFeed;
  try {
    taken = await takeFeed(source, last, stored?.validator, refresh);
  } catch (error) {
    const failure = asSeraiError(error, 'internal', `the advisory feed ${key}`);
    await rememberFailure(failure, last, stored, refresh);
    return { changed: false, failure };
  }
  const { record, validator } = taken;
  const feed: StoredFeed = { fetchedAt: now, advisories: encodeRecord(record) };
  await catalogue.saveFeed(key, validator === undefined ? feed : { ...feed, validator });
  return { changed: recordDigest(record) !== recordDigest(last) };
}

/** What is in force: nothing, without `[advisories]` or before the first read. Throws `store-corrupt`. */
export async function loadAdvisories(
  catalogue: Pick<Catalogue, 'feed'>,
  config: AdvisoriesConfig,
): Promise<LoadedAdvisories> {
  const source = config.advisories?.source;
  const stored = source === undefined ? undefined : await catalogue.feed(feedKey(source));
  const record = decodeRecord(stored?.advisories);
  const advisories: Advisory[] = [];
  const problems = [...record.problems];
  for (const document of record.documents) {
    const parsed = parseAdvisories(parseKept(document));
    advisories.push(...parsed.advisories);
    problems.push(...parsed.problems.map((problem) => `${showPath(document.name)}: ${problem}`));
  }
  return {
    advisories,
    ...(stored !== undefined && stored.fetchedAt !== NEVER && { fetchedAt: stored.fetchedAt }),
    problems,
    digest: recordDigest(record),
  };
}

/** How the feed stands, for people; undefined without `[advisories]`. Times are ISO 8601, UTC. */
export interface FeedState {
  /** Without a password. */
  readonly source: string;
  /** OSV documents about opam packages that are in force. */
  readonly documents: number;
  /** Undefined before the first read. */
  readonly fetchedAt?: string;
  readonly problems: readonly string[];
  /** Since when and why it cannot be taken; what was kept stays in force. */
  readonly failure?: { readonly since: string; readonly code: string; readonly message: string };
}

/** Throws `store-corrupt`. */
export async function feedState(
  catalogue: Pick<Catalogue, 'feed'>,
  { advisories }: AdvisoriesConfig,
): Promise<FeedState | undefined> {
  if (advisories === undefined) return undefined;
  const source = feedKey(advisories.source);
  const stored = await catalogue.feed(source);
  const { documents, problems, failure } = decodeRecord(stored?.advisories);
  return {
    source,
    documents: documents.length,
    ...(stored !== undefined && stored.fetchedAt !== NEVER && { fetchedAt: isoTime(stored.fetchedAt) }),
    problems,
    ...(failure !== undefined && {
      failure: { since: isoTime(failure.at), code: failure.code, message: failure.message },
    }),
  };
}

/** `fetchedAt` of a feed that could not be read yet. */
const NEVER = 0;

/** Said once: the same failure again changes nothing. */
async function rememberFailure(
  { code, message }: SeraiError,
  last: FeedRecord,
  stored: StoredFeed | undefined,
  { catalogue, config, clock }: AdvisoryRefresh,
): Promise<void> {
  if (code === 'aborted' || config.advisories === undefined) return;
  if (last.failure?.code === code && last.failure.message === message) return;
  const failure: FeedFailure = { at: last.failure?.at ?? clock.now(), code, message };
  const advisories = encodeRecord({ ...last, failure });
  await catalogue.saveFeed(feedKey(config.advisories.source), {
    fetchedAt: NEVER,
    ...stored,
    advisories,
  });
}

interface TakenFeed {
  readonly record: FeedRecord;
  readonly validator?: string | undefined;
}

async function takeFeed(
  source: string,
  last: FeedRecord,
  validator: string | undefined,
  { fetcher, limits, signal }: AdvisoryRefresh,
): Promise<TakenFeed> {
  const feed = await readAdvisoryFeed({ source, fetcher, limits, validator, signal });
  if (feed.kind === 'unchanged') {
    const { documents, problems } = last;
    return { record: { documents, problems }, validator };
  }
  const record = readDocuments(feed.documents, last);
  if (record.documents.length === 0 && last.documents.length > 0) {
    throw new SeraiError(
      'snapshot-refused',
      `the advisory feed ${shownAddress(source)} has no advisory about opam packages any more, and had ${last.documents.length}; those stay in force. If that is right, name another advisories.source in serai.toml, or none`,
    );
  }
  return { record, validator: feed.validator };
}

/** A clock that went back must not keep the feed from being read. */
function isDue(fetchedAt: number, now: number, interval: number): boolean {
  return now < fetchedAt || now - fetchedAt >= interval;
}

/** A password in the address does not go into the catalogue. */
function feedKey(source: string): string {
  return shownAddress(source);
}
