/**
 * What the guard keeps of an `opam` file, or of a 1.2 `url` file: its text, cut at its fields and sections.
 * Most changes leave most fields as they were, to the byte; only what is not is read again and printed in the
 * canonical form. Kept for thousands of files, so it is two arrays and the text.
 */
import { parseOpamFile } from '../../opam/parser.ts';
import { type Item, OpamSyntaxError, sourceText } from '../../opam/syntax.ts';
import { compareBytewise } from '../../opam/tree.ts';
import { detached } from './texts.ts';

export interface ReadableFacts {
  readonly readable: true;
  readonly source: string;
  /** Of fields and sections ({@link partKey}), in C order; those of one key in the file's. */
  readonly keys: readonly string[];
  /** For each key where its text begins and ends in the source. */
  readonly bounds: readonly number[];
}

export interface UnreadableFacts {
  readonly readable: false;
  /** Why, for people. */
  readonly problem: string;
}

export type FileFacts = ReadableFacts | UnreadableFacts;

/** A field or section whose bytes differ; a text is empty where it is not there. Of duplicates all together. */
export interface ChangedPart {
  readonly key: string;
  readonly before: string;
  readonly after: string;
}

/** What stands for a file that is no regular file, in place of its id. */
export const IRREGULAR = '';

const IRREGULAR_FACTS = unreadableFacts('it is no regular file');
/** Stands in the keys of sections, and cannot stand in the name of a field. */
const SECTION = ' {}';

export function unreadableFacts(problem: string): UnreadableFacts {
  return { readable: false, problem };
}

/** The facts of a file by its id; those of {@link IRREGULAR} are known without reading. */
export function lookUp(id: string, factsOf: (id: string) => FileFacts): FileFacts {
  return id === IRREGULAR ? IRREGULAR_FACTS : factsOf(id);
}

/** Never throws: that a file is not of the language is a fact too. */
export function readFacts(bytes: Uint8Array, depth?: number): FileFacts {
  let items: readonly Item[];
  try {
    ({ items } = parseOpamFile(bytes, depth === undefined ? {} : { depth }));
  } catch (error) {
    if (error instanceof OpamSyntaxError) return unreadableFacts(error.message);
    throw error;
  }
  const source = sourceText(bytes);
  const parts = items.map((item, index) => ({
    key: partKey(item),
    start: item.at,
    end: items[index + 1]?.at ?? source.length,
  }));
  parts.sort((a, b) => compareBytewise(a.key, b.key));
  const keys = parts.map(({ key }) => key);
  return { readable: true, source, keys, bounds: parts.flatMap(({ start, end }) => [start, end]) };
}

/** A field's name; of a section its name and label, so that no field is taken for a section. */
export function partKey(item: Item): string {
  if (item.kind === 'field') return detached(item.name);
  return detached(`${item.name}${SECTION}${item.label === undefined ? '' : ` ${item.label}`}`);
}

/** The parts by key, in C order, each with its text. */
export function* partsOf(facts: ReadableFacts): Generator<readonly [key: string, text: string]> {
  for (let index = 0; index < facts.keys.length; ) {
    const end = endOf(facts, index);
    yield [facts.keys[index] ?? '', textOf(facts, index, end)];
    index = end;
  }
}

/** The parts that differ to the byte, in C order of their keys. */
export function* changedParts(before: ReadableFacts, after: ReadableFacts): Generator<ChangedPart> {
  let old = 0;
  let now = 0;
  while (old < before.keys.length || now < after.keys.length) {
    const order = compareKeys(before.keys[old], after.keys[now]);
    const key = (order <= 0 ? before.keys[old] : after.keys[now]) ?? '';
    const oldEnd = order <= 0 ? endOf(before, old) : old;
    const nowEnd = order >= 0 ? endOf(after, now) : now;
    const was = textOf(before, old, oldEnd);
    const is = textOf(after, now, nowEnd);
    if (was !== is) yield { key, before: was, after: is };
    old = oldEnd;
    now = nowEnd;
  }
}

/** Behind the last key there is no other. */
function compareKeys(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  return compareBytewise(a, b);
}

/** Behind the last of those with the key at `index`. */
function endOf({ keys }: ReadableFacts, index: number): number {
  let end = index + 1;
  while (end < keys.length && keys[end] === keys[index]) end += 1;
  return end;
}

function textOf({ source, bounds }: ReadableFacts, from: number, to: number): string {
  let text = '';
  for (let index = from; index < to; index++) {
    const part = source.slice(bounds[2 * index], bounds[2 * index + 1]);
    text = text === '' ? part : `${text}\n${part}`;
  }
  return text;
}
