import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  differingEntries,
  type GitTreeEntry,
  namesIn,
  parseTreeObject,
} from '../../src/upstream/git-tree-object.ts';

const ID = 20;

/** As git stores a tree: sorted, folders as if their names ended in a slash. */
function stored(entries: readonly GitTreeEntry[]): Buffer {
  const key = ({ name, mode }: GitTreeEntry): Buffer =>
    Buffer.from(mode === '40000' ? `${name}/` : name, 'latin1');
  return Buffer.concat(
    entries
      .toSorted((a, b) => Buffer.compare(key(a), key(b)))
      .map(({ mode, name, oid }) =>
        Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(oid, 'hex')]),
      ),
  );
}

function entry(name: string, seed: number, mode = '100644'): GitTreeEntry {
  return { name, mode, oid: seed.toString(16).padStart(2 * ID, '0') };
}

/** Few names, ids and modes, so that trees have much in common; ids of zeros look like the end of a name. */
const anyTree = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'a.b', 'a-b', 'ab', 'a0', 'A', 'b', 'é', 'repo'),
      seed: fc.nat({ max: 2 }),
      mode: fc.constantFrom('100644', '40000', '100755'),
    }),
    { selector: ({ name }) => name },
  )
  .map((entries) => entries.map(({ name, seed, mode }) => entry(name, seed, mode)));

function without(entries: readonly GitTreeEntry[], others: readonly GitTreeEntry[]): GitTreeEntry[] {
  const known = new Set(others.map((other) => JSON.stringify(other)));
  return entries.filter((one) => !known.has(JSON.stringify(one)));
}

describe('differingEntries', () => {
  it('gives what either has and the other has not just so, whatever the two are', () => {
    fc.assert(
      fc.property(anyTree, anyTree, (before, after) => {
        const [old, now] = [stored(before), stored(after)];
        const { before: was, after: is } = differingEntries(old, now, ID);
        expect(was).toEqual(without(parseTreeObject(old, ID), parseTreeObject(now, ID)));
        expect(is).toEqual(without(parseTreeObject(now, ID), parseTreeObject(old, ID)));
      }),
      { numRuns: 1000 },
    );
  });

  it('misses nothing of trees that are not sorted', () => {
    fc.assert(
      fc.property(anyTree, anyTree, (before, after) => {
        const raw = (entries: readonly GitTreeEntry[]): Buffer =>
          Buffer.concat(entries.map((one) => stored([one])));
        const { before: was, after: is } = differingEntries(raw(before), raw(after), ID);
        expect(was).toEqual(expect.arrayContaining(without(before, after)));
        expect(is).toEqual(expect.arrayContaining(without(after, before)));
      }),
    );
  });

  it('takes a name that was a file and is a folder for both', () => {
    const { before, after } = differingEntries(
      stored([entry('a', 1), entry('a.b', 1)]),
      stored([entry('a', 1, '40000'), entry('a.b', 1)]),
      ID,
    );
    expect([before, after]).toEqual([[entry('a', 1)], [entry('a', 1, '40000')]]);
  });
});

test('the names alone are those of the entries', () => {
  fc.assert(
    fc.property(anyTree, (entries) => {
      const bytes = stored(entries);
      expect(namesIn(bytes, ID)).toEqual(parseTreeObject(bytes, ID).map(({ name }) => name));
    }),
  );
});

test.each([
  ['ends in an id', 1],
  ['ends before an id', ID],
  ['ends in a name', ID + 1],
])('an object that %s is refused', (_, missing) => {
  const whole = stored([entry('a', 1), entry('b', 2)]);
  const short = whole.subarray(0, whole.length - missing);
  const refusal = expect.objectContaining({ code: 'store-corrupt' });
  expect(() => parseTreeObject(short, ID)).toThrow(refusal);
  expect(() => namesIn(short, ID)).toThrow(refusal);
  expect(() => differingEntries(whole, short, ID)).toThrow(refusal);
  expect(() => differingEntries(short, whole, ID)).toThrow(refusal);
});
