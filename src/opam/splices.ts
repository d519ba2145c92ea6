/** Changes to a source text that leave the rest of it as it was. Texts hold one byte a character. */
import { Lexer } from './lexer.ts';
import type { Item } from './syntax.ts';

/** `text` in place of the bytes from `start` up to `end`. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Items that stand beside one another: a section's, or the whole file's. */
export interface Scope {
  readonly source: string;
  readonly items: readonly Item[];
  /** Offset of the closing brace, or the source's length. */
  readonly close: number;
}

/** The source with all splices, in any order; no two begin at one place, and none overlap. */
export function spliced(source: string, splices: readonly Splice[]): string {
  let text = '';
  let copied = 0;
  for (const splice of [...splices].sort((a, b) => a.start - b.start)) {
    text += source.slice(copied, splice.start) + splice.text;
    copied = splice.end;
  }
  return text + source.slice(copied);
}

/** Offset behind the last byte of the item at that index; comments behind it do not count. */
export function itemEnd(scope: Scope, index: number): number {
  const limit = scope.items[index + 1]?.at ?? scope.close;
  const lexer = new Lexer(scope.source);
  let end = scope.items[index]?.at ?? limit;
  for (lexer.end = end; ; end = lexer.end) {
    lexer.next();
    if (lexer.kind === 'end' || lexer.start >= limit) return end;
  }
}

/** Takes an item out: its lines when it has them for itself, else its own bytes and the blanks behind. */
export function itemRemoval(scope: Scope, index: number): Splice {
  const { source } = scope;
  const at = scope.items[index]?.at ?? scope.close;
  const start = blanksBefore(source, at);
  const behind = blanksBehind(source, itemEnd(scope, index));
  if (isLineStart(source, start)) {
    if (behind === source.length) return { start, end: behind, text: '' };
    const newline = source.startsWith('\r\n', behind) ? 2 : source.startsWith('\n', behind) ? 1 : 0;
    if (newline > 0) return { start, end: behind + newline, text: '' };
  }
  return { start: at, end: behind, text: '' };
}

/** Puts fields behind the scope's last item, laid out as what is there. */
export function fieldsAtEnd(scope: Scope, fields: readonly string[]): Splice {
  const { source, close, items } = scope;
  if (close === source.length) {
    const newline = newlineBefore(source, source.lastIndexOf('\n') + 1);
    const first = source === '' || source.endsWith('\n') ? '' : newline;
    return { start: close, end: close, text: first + fields.map((field) => field + newline).join('') };
  }
  const start = blanksBefore(source, close);
  if (isLineStart(source, start)) {
    const indent = indentOf(source, items.at(-1)) ?? `${source.slice(start, close)}  `;
    const newline = newlineBefore(source, start);
    return { start, end: start, text: fields.map((field) => indent + field + newline).join('') };
  }
  return { start: close, end: close, text: `${start < close ? '' : ' '}${fields.join(' ')} ` };
}

/** Puts texts before the value at `at`: on lines of their own when that value begins its line. */
export function textsBefore(source: string, at: number, texts: readonly string[]): Splice {
  const start = blanksBefore(source, at);
  const separator = isLineStart(source, start) ? newlineBefore(source, start) + source.slice(start, at) : ' ';
  return { start: at, end: at, text: texts.map((text) => text + separator).join('') };
}

function indentOf(source: string, item: Item | undefined): string | undefined {
  if (item === undefined) return undefined;
  const start = blanksBefore(source, item.at);
  return isLineStart(source, start) ? source.slice(start, item.at) : undefined;
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

function blanksBefore(source: string, at: number): number {
  let start = at;
  while (isBlank(source[start - 1])) start -= 1;
  return start;
}

function blanksBehind(source: string, at: number): number {
  let end = at;
  while (isBlank(source[end])) end += 1;
  return end;
}

function isLineStart(source: string, at: number): boolean {
  return at === 0 || source[at - 1] === '\n';
}

/** The line ending before a line that begins at `at`. */
function newlineBefore(source: string, at: number): string {
  return source[at - 2] === '\r' && source[at - 1] === '\n' ? '\r\n' : '\n';
}
