/** Texts, of one byte a character: how findings show them, fit for a line and a terminal, and how they are kept. */
import { displayText } from '../../opam/syntax.ts';

const LONGEST = 300;
/** What is left of the text that both have in common, on either side of what differs. */
const COMMON = 30;

/** A copy, which does not keep alive the long text that the original is a slice of. */
export function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Both texts, without the most of what they have in common where they are long. */
export function showPair(before: string, after: string): readonly [before: string, after: string] {
  const was = readable(before);
  const is = readable(after);
  if (was.length <= LONGEST && is.length <= LONGEST) return [was, is];
  let head = 0;
  while (head < was.length && was[head] === is[head]) head += 1;
  let tail = 0;
  const most = Math.min(was.length, is.length) - head;
  while (tail < most && was[was.length - 1 - tail] === is[is.length - 1 - tail]) tail += 1;
  return [cut(was, head, tail), cut(is, head, tail)];
}

/** The text's middle, with a little of what stands around it. */
function cut(text: string, head: number, tail: number): string {
  const from = Math.max(0, head - COMMON);
  const to = Math.min(text.length, text.length - tail + COMMON);
  const middle = text.slice(from, Math.min(to, from + LONGEST));
  const open = from + middle.length < text.length;
  return `${from > 0 ? '…' : ''}${middle.toWellFormed()}${open ? '…' : ''}`;
}

/** Bytes as a person reads them, without what a terminal would obey. */
function readable(text: string): string {
  return displayText(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
