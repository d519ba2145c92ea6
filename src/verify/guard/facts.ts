/**
 * What the guard keeps of an `opam` file, or of a 1.2 `url` file: its text, cut at its fields and sections.
 * Most changes leave most fields as they were, to the byte; only what is not is read again and printed in the
 * canonical form.
 */
import { parseOpamFile } from '../../opam/parser.ts';
import { isErased, printOpamFile } from '../../opam/printer.ts';
import { type Item, OpamSyntaxError, type Section, sourceText } from '../../opam/syntax.ts';
import { compareBytewise } from '../../opam/tree.ts';

export interface Part {
  readonly kind: 'field' | 'section';
  readonly name: string;
  /** From its name to the next part; of duplicates all, one after the other. */
  readonly text: string;
}

export interface ReadableFacts {
  readonly readable: true;
  /** By {@link partKey}. */
  readonly parts: ReadonlyMap<string, Part>;
  /** Characters that the facts hold, for those who keep many. */
  readonly size: number;
}

export interface UnreadableFacts {
  readonly readable: false;
  /** Why, for people. */
  readonly problem: string;
}

export type FileFacts = ReadableFacts | UnreadableFacts;

/** What stands for a file that is no regular file, in place of its id. */
export const IRREGULAR = '';

const IRREGULAR_FACTS = unreadableFacts('it is no regular file');

export function unreadableFacts(problem: string): UnreadableFacts {
  return { readable: false, problem };
}

/** The facts of a file by its id; those of {@link IRREGULAR} are known without reading. */
export function lookUp(id: string, factsOf: (id: string) => FileFacts): FileFacts {
  return id === IRREGULAR ? IRREGULAR_FACTS : factsOf(id);
}

/** Never throws: a file that is not of the language is a fact too. */
export function readFacts(bytes: Uint8Array, depth?: number): FileFacts {
  let items: readonly Item[];
  try {
    ({ items } = parseOpamFile(bytes, depth === undefined ? {} : { depth }));
  } catch (error) {
    if (error instanceof OpamSyntaxError) return unreadableFacts(error.message);
    throw error;
  }
  const source = sourceText(bytes);
  const parts = new Map<string, Part>();
  for (const [index, item] of items.entries()) {
    const key = partKey(item);
    // A slice, which shares the memory of the source.
    const text = source.slice(item.at, items[index + 1]?.at ?? source.length);
    const known = parts.get(key);
    parts.set(key, {
      kind: item.kind,
      name: item.name,
      text: known === undefined ? text : `${known.text}\n${text}`,
    });
  }
  return { readable: true, parts, size: source.length };
}

/** Braces cannot stand in a field's name, so that no field is taken for a section. */
export function partKey(item: Item): string {
  if (item.kind === 'field') return item.name;
  return item.label === undefined ? `${item.name} {}` : `${item.name} {} ${item.label}`;
}

/** The items of a part; it was parsed before, as a part of its file. */
export function itemsOf(part: Part): readonly Item[] {
  return parseOpamFile(Buffer.from(part.text, 'latin1')).items;
}

/**
 * The canonical text (SIGNED-FORMAT.md, "The bytes that are signed"), in which layout, comments, and the order
 * of a section's fields make no difference. Empty for what is not there, and for an empty list, which says the same.
 */
export function canonicalItems(items: readonly Item[]): string {
  return items
    .filter((item) => item.kind === 'section' || !isErased(item.value))
    .map((item) => printOpamFile({ items: [item.kind === 'field' ? item : sortedWithin(item)] }))
    .join('');
}

/** Items by name in C order; those of one name in their own, of which opam takes the first. */
export function sortedItems(items: readonly Item[]): readonly Item[] {
  return items.toSorted((a, b) => compareBytewise(a.name, b.name));
}

function sortedWithin(section: Section): Section {
  const items = section.items.map((item) => (item.kind === 'field' ? item : sortedWithin(item)));
  return { ...section, items: sortedItems(items) };
}
