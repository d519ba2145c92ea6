/** Going through a log of any length: every event once, in batches, and the first broken one found. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { lastSequence, scanEvents, startOfLast, verifyLog } from '../../src/mirror/report/event-scan.ts';
import type { LoggedEvent } from '../../src/store/catalogue.ts';
import { eventHash, NO_EVENT } from '../../src/store/events.ts';

/** No batch may be longer, however long the log. */
const LONGEST_BATCH = 200;

class MemoryLog {
  readonly kept: LoggedEvent[] = [];

  constructor(length: number) {
    for (let sequence = 1; sequence <= length; sequence++) {
      const previous = this.kept.at(-1)?.hash ?? NO_EVENT;
      const repository = sequence % 3 === 0 ? 'third' : 'other';
      const event = { sequence, at: 1000 + sequence, repository, kind: 'published', detail: '{}', previous };
      this.kept.push({ ...event, hash: eventHash(event) });
    }
  }

  async events(from: number, limit: number): Promise<readonly LoggedEvent[]> {
    expect(limit).toBeLessThanOrEqual(LONGEST_BATCH);
    const found = this.kept.filter(({ sequence }) => sequence >= from).slice(0, limit);
    if (found.some(({ hash }) => hash === 'unreadable')) throw new SeraiError('store-corrupt', 'no hash');
    return found;
  }
}

const length = fc.integer({ min: 0, max: 1000 });

test('every event comes once, in order, from where it is asked', async () => {
  await fc.assert(
    fc.asyncProperty(length, fc.integer({ min: 1, max: 1100 }), async (events, from) => {
      const log = new MemoryLog(events);
      const seen: number[] = [];
      for await (const { sequence } of scanEvents(log, from)) seen.push(sequence);
      expect(seen).toEqual(log.kept.slice(from - 1).map(({ sequence }) => sequence));
      expect(await lastSequence(log)).toBe(events);
    }),
    { numRuns: 30 },
  );
});

test('the last so many that are wanted begin where they do', async () => {
  await fc.assert(
    fc.asyncProperty(length, fc.integer({ min: 1, max: 500 }), async (events, count) => {
      const log = new MemoryLog(events);
      const isWanted = ({ repository }: LoggedEvent): boolean => repository === 'third';
      const begin = await startOfLast(count, isWanted, log);
      const wanted = log.kept.filter(isWanted);
      expect(log.kept.slice(begin - 1).filter(isWanted)).toEqual(wanted.slice(-count));
    }),
    { numRuns: 30 },
  );
});

describe('the chain', () => {
  test('of a whole log is followed to its last event', async () => {
    await fc.assert(
      fc.asyncProperty(length, async (events) => {
        const log = new MemoryLog(events);
        expect(await verifyLog(log)).toEqual({ events, last: log.kept.at(-1)?.hash ?? NO_EVENT });
      }),
      { numRuns: 30 },
    );
  });

  const spoiled: readonly [string, (log: MemoryLog, at: number) => void][] = [
    ['changed', (log, at) => log.kept.splice(at, 1, { ...eventAt(log, at), detail: '{"other":1}' })],
    [
      'given another hash',
      (log, at) => log.kept.splice(at, 1, { ...eventAt(log, at), hash: 'f'.repeat(64) }),
    ],
    ['unreadable', (log, at) => log.kept.splice(at, 1, { ...eventAt(log, at), hash: 'unreadable' })],
  ];
  test.each(spoiled)('is broken at an event that is %s', async (_, spoil) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 599 }), async (at) => {
        const log = new MemoryLog(600);
        const last = log.kept[at - 1]?.hash ?? NO_EVENT;
        spoil(log, at);
        expect(await verifyLog(log)).toEqual({ events: at, last, broken: at + 1 });
      }),
      { numRuns: 30 },
    );
  });

  test('is broken at the event after one that is gone', async () => {
    const log = new MemoryLog(600);
    log.kept.splice(399, 1);
    expect(await verifyLog(log)).toMatchObject({ events: 399, broken: 401 });
  });
});

function eventAt(log: MemoryLog, at: number): LoggedEvent {
  const event = log.kept[at];
  if (event === undefined) throw new Error(`no event at ${at}`);
  return event;
}
