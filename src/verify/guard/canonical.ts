/** Parts of an opam file in the canonical form, in which layout, comments and order make no difference. */
import { parseOpamFile } from '../../opam/parser.ts';
import { isErased, printOpamFile } from '../../opam/printer.ts';
import type { Item, Section } from '../../opam/syntax.ts';
import { compareBytewise } from '../../opam/tree.ts';

/** The deepest nesting that can be configured (limits.ts, `opam_depth`). */
const ANY_DEPTH = 2000;

/** The items of a part's text, which was parsed before as a part of its file. */
export function itemsOf(text: string): readonly Item[] {
  return parseOpamFile(Buffer.from(text, 'latin1'), { depth: ANY_DEPTH }).items;
}

/**
 * The canonical text (SIGNED-FORMAT.md, "The bytes that are signed"), the fields of sections sorted. Empty for
 * an empty list, which says what no field says.
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
