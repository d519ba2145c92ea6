/** Looking into parsed files: fields by name, values as strings and lists. */
import type { Field, Item, Section, Value } from './syntax.ts';

/** The first field of that name, which is the one that opam takes of duplicates. */
export function field(items: readonly Item[], name: string): Value | undefined {
  for (const item of items) if (item.kind === 'field' && item.name === name) return item.value;
  return undefined;
}

export function sections(items: readonly Item[], name: string): readonly Section[] {
  return items.filter((item): item is Section => item.kind === 'section' && item.name === name);
}

export function fields(items: readonly Item[]): readonly Field[] {
  return items.filter((item): item is Field => item.kind === 'field');
}

/** A string's bytes, parentheses around it allowed; undefined for anything else. */
export function stringOf(value: Value | undefined): string | undefined {
  if (value?.kind === 'string') return value.text;
  if (value?.kind === 'group' && value.items.length === 1) return stringOf(value.items[0]);
  return undefined;
}

/** The elements of a list, or the value alone: opam reads both alike where it expects a list. */
export function elementsOf(value: Value | undefined): readonly Value[] {
  if (value === undefined) return [];
  return value.kind === 'list' ? value.items : [value];
}

/** All strings of a list or of a lone string; undefined when something else stands there. */
export function stringsOf(value: Value | undefined): readonly string[] | undefined {
  const strings: string[] = [];
  for (const element of elementsOf(value)) {
    const text = stringOf(element);
    if (text === undefined) return undefined;
    strings.push(text);
  }
  return strings;
}
