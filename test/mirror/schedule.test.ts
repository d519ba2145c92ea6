import { describe, expect, test } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { keepSyncing } from '../../src/mirror/sync/schedule.ts';
import { TestClock } from '../support/test-clock.ts';

const MINUTE = 60_000;

interface Loop {
  readonly clock: TestClock;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  /** When each sync began, in milliseconds after the first. */
  readonly began: number[];
  readonly failures: { code: string; nextTry: number }[];
  readonly successes: string[];
  /** Lets the clock go on to just before, then to when the next sync has to begin. */
  nextAfter(milliseconds: number): Promise<void>;
}

function start(sync: (count: number) => Promise<string>, random = 0): Loop {
  const clock = new TestClock();
  const first = clock.now();
  const stop = new AbortController();
  const began: number[] = [];
  const failures: { code: string; nextTry: number }[] = [];
  const successes: string[] = [];
  const ended = keepSyncing<string>({
    interval: 5 * MINUTE,
    clock,
    random: () => random,
    signal: stop.signal,
    sync: () => {
      began.push(clock.now() - first);
      return sync(began.length);
    },
    succeeded: (report) => successes.push(report),
    failed: ({ code }, nextTry) => failures.push({ code, nextTry }),
  });
  const nextAfter = async (milliseconds: number): Promise<void> => {
    const before = began.length;
    await clock.asleep();
    clock.advance(milliseconds - 1);
    expect(began.length).toBe(before);
    clock.advance(1);
    await clock.asleep();
    expect(began.length).toBe(before + 1);
  };
  return { clock, stop, ended, began, failures, successes, nextAfter };
}

const refused = (): Promise<never> => Promise.reject(new SeraiError('upstream-unreachable', 'no'));

test('syncs at once, and then at the interval', async () => {
  const loop = start(async (count) => `report ${count}`);
  await loop.nextAfter(5 * MINUTE);
  await loop.nextAfter(5 * MINUTE);
  expect(loop.successes).toEqual(['report 1', 'report 2', 'report 3']);
  loop.stop.abort();
  await loop.ended;
});

test.each([
  [0, 5 * MINUTE],
  [0.5, 5.25 * MINUTE],
  [0.999999, 5 * MINUTE * 1.0999999],
])('waits are stretched by up to a tenth: %d', async (random, wait) => {
  const loop = start(async () => 'report', random);
  await loop.nextAfter(Math.ceil(wait));
  loop.stop.abort();
  await loop.ended;
});

describe('after failures', () => {
  test('it tries sooner, then doubles the wait up to the interval', async () => {
    const loop = start(refused);
    for (const seconds of [5, 10, 20, 40, 80, 160, 300, 300]) await loop.nextAfter(seconds * 1000);
    expect(loop.failures.map(({ nextTry }) => nextTry / 1000)).toEqual([
      5, 10, 20, 40, 80, 160, 300, 300, 300,
    ]);
    expect(new Set(loop.failures.map(({ code }) => code))).toEqual(new Set(['upstream-unreachable']));
    loop.stop.abort();
    await loop.ended;
  });

  test('a thousand of them make no wait beyond the interval', async () => {
    const loop = start(refused);
    for (let count = 0; count < 1100; count++) {
      await loop.clock.asleep();
      loop.clock.advance(5 * MINUTE);
    }
    await loop.clock.asleep();
    expect(loop.failures.at(-1)?.nextTry).toBe(5 * MINUTE);
    loop.stop.abort();
    await loop.ended;
  });

  test('a success begins the counting anew', async () => {
    const loop = start((count) => (count === 3 ? Promise.resolve('report') : refused()));
    await loop.nextAfter(5000);
    await loop.nextAfter(10_000);
    await loop.nextAfter(5 * MINUTE);
    await loop.nextAfter(5000);
    expect(loop.successes).toEqual(['report']);
    loop.stop.abort();
    await loop.ended;
  });

  test('what is no SeraiError is told as internal', async () => {
    const loop = start(() => Promise.reject(new TypeError('a defect')));
    await loop.clock.asleep();
    expect(loop.failures[0]?.code).toBe('internal');
    loop.stop.abort();
    await loop.ended;
  });
});

describe('told to stop', () => {
  test('it wakes from its wait and ends', async () => {
    const loop = start(async () => 'report');
    await loop.clock.asleep();
    loop.stop.abort();
    await loop.ended;
    expect(loop.clock.sleepers).toBe(0);
    expect(loop.began).toEqual([0]);
  });

  test('it waits for the sync under way, whose failure by that is none', async () => {
    const under = Promise.withResolvers<string>();
    const loop = start(() => under.promise);
    loop.stop.abort();
    under.reject(new SeraiError('aborted', 'told to stop'));
    await loop.ended;
    expect([loop.failures, loop.successes]).toEqual([[], []]);
  });

  test('before the start: it does nothing', async () => {
    const stop = new AbortController();
    stop.abort();
    let syncs = 0;
    await keepSyncing({
      interval: MINUTE,
      clock: new TestClock(),
      random: () => 0,
      signal: stop.signal,
      sync: async () => {
        syncs += 1;
      },
      succeeded: () => undefined,
      failed: () => undefined,
    });
    expect(syncs).toBe(0);
  });
});
