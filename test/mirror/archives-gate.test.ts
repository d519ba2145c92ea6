/** The gates that downloads pass, and the memory of those that failed. */
import { describe, expect, test } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { FailureMemory } from '../../src/mirror/archives/failure-memory.ts';
import { Gate, KeyedGates } from '../../src/mirror/archives/gate.ts';
import { TestClock } from '../support/test-clock.ts';

/** Work that is done when it is told, and what is under way. */
function workshop() {
  const finish: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const order: number[] = [];
  return {
    work: (number: number) => async (): Promise<number> => {
      order.push(number);
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => finish.push(resolve));
      running -= 1;
      return number;
    },
    finishOne: () => finish.shift()?.(),
    /** Resolves once so many have begun in all. */
    begun: async (count: number): Promise<void> => {
      while (order.length < count) await Promise.resolve();
    },
    order,
    running: () => running,
    most: () => most,
  };
}

describe('Gate', () => {
  test('lets so many in at once, the others in the order they came', async () => {
    const gate = new Gate(2);
    const shop = workshop();
    const all = Array.from({ length: 6 }, (_, number) => gate.run(shop.work(number)));
    for (const work of all) {
      expect(shop.running()).toBeLessThanOrEqual(2);
      shop.finishOne();
      await work;
    }
    expect(shop.most()).toBe(2);
    expect(shop.order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(gate.idle).toBe(true);
  });

  test('work that fails gives its place on', async () => {
    const gate = new Gate(1);
    const failing = gate.run(() => Promise.reject(new Error('no')));
    const next = gate.run(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
    expect(gate.idle).toBe(true);
  });
});

async function at(gates: KeyedGates, key: string, work: () => Promise<number>): Promise<number> {
  const leave = await gates.enter(key);
  try {
    return await work();
  } finally {
    leave();
  }
}

describe('KeyedGates', () => {
  test('a place that is given back twice is given back once', async () => {
    const gates = new KeyedGates(1);
    const leave = await gates.enter('a');
    leave();
    const held = await gates.enter('a');
    leave();
    let entered = false;
    const third = gates.enter('a').then((leaveThird) => {
      entered = true;
      leaveThird();
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(entered).toBe(false);
    held();
    await third;
  });

  test('one key does not wait for another', async () => {
    const gates = new KeyedGates(1);
    const shop = workshop();
    const slow = at(gates, 'a', shop.work(1));
    await shop.begun(1);
    expect(await at(gates, 'b', () => Promise.resolve(2))).toBe(2);
    shop.finishOne();
    expect(await slow).toBe(1);
  });

  // Each depth puts the newcomers at another moment between the ends of the two.
  test.each([0, 1, 2, 3, 4, 5])(
    'two that end together do not forget the gate of newcomers (%i)',
    async (depth) => {
      const gates = new KeyedGates(2);
      const shop = workshop();
      const first = [at(gates, 'a', shop.work(1)), at(gates, 'a', shop.work(2))];
      await shop.begun(2);
      shop.finishOne();
      let moment = Promise.resolve();
      for (let step = 0; step < depth; step++) moment = moment.then(() => undefined);
      const newcomers = moment.then(() => [at(gates, 'a', shop.work(3)), at(gates, 'a', shop.work(4))]);
      shop.finishOne();
      await Promise.all(first);
      const late = at(gates, 'a', shop.work(5));
      const working = [...(await newcomers), late];
      while (shop.order.length < 5 || shop.running() > 0) {
        shop.finishOne();
        await Promise.resolve();
      }
      await Promise.all(working);
      expect(shop.most()).toBe(2);
    },
  );
});

describe('FailureMemory', () => {
  const FAILED = new SeraiError('upstream-status', 'no');

  test('remembers for its time, to the millisecond', () => {
    const clock = new TestClock();
    const memory = new FailureMemory(clock, 1000);
    memory.remember('a', FAILED);
    clock.advance(999);
    expect(() => memory.throwRemembered('a')).toThrow(FAILED);
    expect(() => memory.throwRemembered('b')).not.toThrow();
    clock.advance(1);
    expect(() => memory.throwRemembered('a')).not.toThrow();
  });

  test.each(['store-failed', 'store-corrupt', 'aborted', 'internal'] as const)(
    'does not remember %s, which is no source’s fault',
    (code) => {
      const memory = new FailureMemory(new TestClock(), 1000);
      memory.remember('a', new SeraiError(code, 'ours'));
      memory.remember('a', new TypeError('a defect'));
      expect(() => memory.throwRemembered('a')).not.toThrow();
    },
  );

  test('forgets the oldest beyond its bound', () => {
    const memory = new FailureMemory(new TestClock(), 1000);
    for (let number = 0; number <= 10_000; number++) memory.remember(String(number), FAILED);
    expect(() => memory.throwRemembered('0')).not.toThrow();
    expect(() => memory.throwRemembered('1')).toThrow(FAILED);
    expect(() => memory.throwRemembered('10000')).toThrow(FAILED);
  });
});
