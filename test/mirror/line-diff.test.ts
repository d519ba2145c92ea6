/** Changes of lines: what is taken out of one text and put into another, and never more than needed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineChanges } from '../../src/mirror/report/line-diff.ts';

test.each([
  ['nothing', 'a\nb\n', 'a\nb\n', [], []],
  ['nothing but the last newline', 'a\nb', 'a\nb\n', [], []],
  ['a line', 'a\nb\nc\n', 'a\nx\nc\n', ['b'], ['x']],
  ['lines in two places', 'a\nb\nc\nd\n', 'a\nx\nc\nd\ny\n', ['b'], ['x', 'y']],
  ['all of it', 'a\n', 'b\n', ['a'], ['b']],
  ['from nothing', '', 'a\n', [], ['a']],
  ['a line that moved', 'a\nb\nc\n', 'c\na\nb\n', ['c'], ['c']],
])('%s', (_, before, after, removed, added) => {
  expect(lineChanges(before, after)).toEqual({ removed, added });
});

/** The length of the longest common subsequence, by trying everything. */
function common(a: readonly string[], b: readonly string[]): number {
  const [first, ...rest] = a;
  if (first === undefined || b.length === 0) return 0;
  const without = common(rest, b);
  const found = b.indexOf(first);
  return found === -1 ? without : Math.max(without, 1 + common(rest, b.slice(found + 1)));
}

test('what is left is a longest common subsequence', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 });
  fc.assert(
    fc.property(lines, lines, (was, is) => {
      const { removed, added } = lineChanges(`${was.join('\n')}\n`, `${is.join('\n')}\n`);
      const [a, b] = [was, is].map((each) => (each.length === 0 ? [''] : each)) as [string[], string[]];
      expect(a.length - removed.length).toBe(common(a, b));
      expect(b.length - added.length).toBe(common(a, b));
    }),
  );
});

test('texts that are other all through are not compared line by line for ever', () => {
  const text = (word: string): string => Array.from({ length: 5000 }, (_, at) => `${word} ${at}\n`).join('');
  const { removed, added } = lineChanges(text('was'), text('is'));
  expect([removed.length, added.length]).toEqual([5000, 5000]);
});
