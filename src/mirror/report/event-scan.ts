/** Going through the log without holding more than a batch of it in memory. */
import { SeraiError } from '../../errors.ts';
import type { Catalogue, LoggedEvent } from '../../store/catalogue.ts';
import { findBrokenEvent, NO_EVENT } from '../../store/events.ts';

type Log = Pick<Catalogue, 'events'>;

/** Events read at once; the longest has some 50 KB. */
const BATCH = 200;

/** Oldest first, from a sequence number on. */
export async function* scanEvents(log: Log, from = 1): AsyncGenerator<LoggedEvent> {
  let next = from;
  for (;;) {
    const batch = await log.events(next, BATCH);
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined) return;
    next = last.sequence + 1;
  }
}

/** The sequence number of the last event, 0 for an empty log. */
export async function lastSequence(log: Log): Promise<number> {
  const isThere = async (sequence: number): Promise<boolean> => (await log.events(sequence, 1)).length > 0;
  let known = 0;
  let beyond = 1;
  while (await isThere(beyond)) {
    known = beyond;
    beyond *= 2;
  }
  while (beyond - known > 1) {
    const middle = Math.floor((known + beyond) / 2);
    if (await isThere(middle)) known = middle;
    else beyond = middle;
  }
  return known;
}

/** Where the last `count` events that are `wanted` begin. */
export async function startOfLast(
  count: number,
  wanted: (event: LoggedEvent) => boolean,
  log: Log,
): Promise<number> {
  let end = (await lastSequence(log)) + 1;
  let left = count;
  while (end > 1 && left > 0) {
    const begin = Math.max(1, end - BATCH);
    const batch = await log.events(begin, end - begin);
    for (const event of batch.toReversed()) {
      if (!wanted(event)) continue;
      left -= 1;
      if (left === 0) return event.sequence;
    }
    end = begin;
  }
  return left === 0 ? end : 1;
}

export interface VerifiedLog {
  /** Events that follow one from the other, from the first on. */
  readonly events: number;
  /** The hash of the last of them; 64 zeros for none. */
  readonly last: string;
  /** The sequence number of the first event that does not follow; undefined when all do. */
  readonly broken?: number;
}

/** Follows the chain of hashes from the first event to the last, or to the first that is broken. */
export async function verifyLog(log: Log): Promise<VerifiedLog> {
  let last = { sequence: 0, hash: NO_EVENT };
  let limit = BATCH;
  for (;;) {
    const batch = await readBatch(last.sequence + 1, limit, log);
    if (batch === 'unreadable') {
      // Which one it is shows when they are read one by one.
      if (limit === 1) return { events: last.sequence, last: last.hash, broken: last.sequence + 1 };
      limit = 1;
      continue;
    }
    const broken = findBrokenEvent(batch, last.sequence === 0 ? undefined : last);
    for (const { sequence, hash } of batch)
      if (sequence !== broken) last = { sequence, hash };
      else return { events: last.sequence, last: last.hash, broken };
    if (batch.length === 0) return { events: last.sequence, last: last.hash };
  }
}

async function readBatch(
  from: number,
  limit: number,
  log: Log,
): Promise<readonly LoggedEvent[] | 'unreadable'> {
  try {
    return await log.events(from, limit);
  } catch (error) {
    if (error instanceof SeraiError && error.code === 'store-corrupt') return 'unreadable';
    throw error;
  }
}
