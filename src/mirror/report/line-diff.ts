/** Which lines of a text went, and which came: the least that can be said of it, for small changes of small texts. */

export interface LineChanges {
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** Above so many comparisons the whole middle counts as changed; edits of opam files need some hundreds. */
const MOST_COMPARISONS = 1_000_000;

/** Lines in the order of their texts; an end without a newline is as good as one with it. */
export function lineChanges(before: string, after: string): LineChanges {
  const was = linesOf(before);
  const is = linesOf(after);
  let start = 0;
  while (start < was.length && start < is.length && was[start] === is[start]) start += 1;
  let end = 0;
  while (end < was.length - start && end < is.length - start && was.at(-1 - end) === is.at(-1 - end))
    end += 1;
  const removed = was.slice(start, was.length - end);
  const added = is.slice(start, is.length - end);
  if (removed.length * added.length > MOST_COMPARISONS) return { removed, added };
  return withoutCommon(removed, added);
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** What is in no longest common subsequence, by the table of their lengths. */
function withoutCommon(was: readonly string[], is: readonly string[]): LineChanges {
  const width = is.length + 1;
  // At [i, j]: how many lines the ends of both from i and j on have in common.
  const lengths = new Uint32Array((was.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = was.length - 1; i >= 0; i--)
    for (let j = is.length - 1; j >= 0; j--)
      lengths[i * width + j] = was[i] === is[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const removed: string[] = [];
  const added: string[] = [];
  let i = 0;
  let j = 0;
  while (i < was.length || j < is.length) {
    if (i < was.length && j < is.length && was[i] === is[j]) {
      i += 1;
      j += 1;
    } else if (j === is.length || (i < was.length && at(i + 1, j) >= at(i, j + 1)))
      removed.push(was[i++] ?? '');
    else added.push(is[j++] ?? '');
  }
  return { removed, added };
}
