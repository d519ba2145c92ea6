/** Group commit: who comes alone waits for nobody, who comes meanwhile goes together. */
import { describe, expect, it } from 'vitest';
import { Groups } from '../../src/store/groups.ts';

interface Under {
  readonly groups: readonly (readonly number[])[];
  readonly add: (item: number) => Promise<string>;
  /** Resolves once so many groups have begun. */
  readonly begun: (count: number) => Promise<void>;
  /** Lets the group that is under way end. */
  readonly end: () => void;
}

function grouped(outcomeOf: (item: number) => PromiseSettledResult<string>): Under {
  const groups: (readonly number[])[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  let gate = Promise.withResolvers<void>();
  const all = new Groups<number, string>(async (items) => {
    groups.push(items);
    for (const { count, resolve } of waiting) if (groups.length >= count) resolve();
    await gate.promise;
    gate = Promise.withResolvers();
    return items.map(outcomeOf);
  });
  return {
    groups,
    add: (item) => all.add(item),
    begun: (count) =>
      groups.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    end: () => gate.resolve(),
  };
}

const kept = (item: number): PromiseSettledResult<string> => ({ status: 'fulfilled', value: `kept ${item}` });

describe('Groups', () => {
  it('takes all of one turn together, and all that come meanwhile into the next', async () => {
    const { groups, add, begun, end } = grouped(kept);
    const first = [add(1), add(2)];
    await begun(1);
    const second = [add(3), add(4), add(5)];
    end();
    expect(await Promise.all(first)).toEqual(['kept 1', 'kept 2']);
    await begun(2);
    end();
    expect(await Promise.all(second)).toEqual(['kept 3', 'kept 4', 'kept 5']);
    expect(groups).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
    const alone = add(6);
    await begun(3);
    end();
    expect(await alone).toBe('kept 6');
    expect(groups[2]).toEqual([6]);
  });

  it('tells each its own outcome', async () => {
    const { add, begun, end } = grouped((item) =>
      item === 2 ? { status: 'rejected', reason: new Error('two') } : kept(item),
    );
    const outcomes = Promise.allSettled([add(1), add(2), add(3)]);
    await begun(1);
    end();
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('tells all of a group what no item is to blame for, and goes on with the next', async () => {
    let failing = true;
    const groups = new Groups<number, string>(async (items) => {
      if (failing) throw new Error('the disk');
      return items.map(kept);
    });
    const outcomes = await Promise.allSettled([groups.add(1), groups.add(2)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    failing = false;
    expect(await groups.add(3)).toBe('kept 3');
  });

  describe('with a pause', () => {
    /** No test waits so long. */
    const LONG = 60_000;

    function paused(pause: number): { groups: Groups<number, string>; begun: (readonly number[])[] } {
      const begun: (readonly number[])[] = [];
      const groups = new Groups<number, string>(async (items) => {
        begun.push(items);
        return items.map(kept);
      }, pause);
      return { groups, begun };
    }

    it('one waits for those that are announced, until all are here or will not come', async () => {
      const { groups, begun } = paused(LONG);
      const [first, second, third] = [groups.announce(), groups.announce(), groups.announce()];
      const outcomes = [first.add(1), second.add(2)];
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect(begun).toEqual([]);
      third.leave();
      expect(await Promise.all(outcomes)).toEqual(['kept 1', 'kept 2']);
      expect(begun).toEqual([[1, 2]]);
    });

    it('one that left twice, or after it came, is counted once', async () => {
      const { groups, begun } = paused(LONG);
      const [first, second, third] = [groups.announce(), groups.announce(), groups.announce()];
      const outcome = first.add(1);
      first.leave();
      second.leave();
      second.leave();
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect(begun).toEqual([]);
      const last = third.add(3);
      expect(await Promise.all([outcome, last])).toEqual(['kept 1', 'kept 3']);
    });

    it('one waits no longer than that for another who is late', async () => {
      const { groups, begun } = paused(1);
      const late = groups.announce();
      expect(await groups.announce().add(1)).toBe('kept 1');
      expect(await late.add(2)).toBe('kept 2');
      expect(begun).toEqual([[1], [2]]);
    });

    it('who comes alone waits for nobody', async () => {
      const { groups } = paused(LONG);
      expect(await groups.announce().add(1)).toBe('kept 1');
    });
  });
});
