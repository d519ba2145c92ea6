/** Opam texts as trees and trees as short texts, so that a table of tests can hold both. */
import { parseOpamFile, parseOpamValue } from '../../src/opam/parser.ts';
import type { Item, OpamFile, Value } from '../../src/opam/syntax.ts';

/** Texts in tests hold one byte a character, like the trees. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function parseValue(text: string): Value {
  return parseOpamValue(bytesOf(text));
}

export function parseFile(text: string): OpamFile {
  return parseOpamFile(bytesOf(text));
}

/** The tree as an S-expression without positions: `(and a (not b))`, `(list "x" 1)`, `(option a (prefix >= "1"))`. */
export function shapeOf(value: Value): string {
  switch (value.kind) {
    case 'string':
      return JSON.stringify(value.text);
    case 'ident':
      return value.name;
    case 'int':
      return value.digits;
    case 'bool':
      return `#${value.value}`;
    case 'list':
    case 'group':
      return form(value.kind, ...value.items);
    case 'option':
      return form('option', value.value, ...value.options);
    case 'and':
    case 'or':
      return form(value.kind, ...value.operands);
    case 'not':
    case 'defined':
      return form(value.kind, value.operand);
    case 'relation':
      return form(value.operator, value.left, value.right);
    case 'environment':
      return form(`env ${value.operator}`, value.left, value.right);
    case 'prefix-relation':
      return form(`prefix ${value.operator}`, value.right);
  }
}

function form(head: string, ...values: readonly Value[]): string {
  return `(${[head, ...values.map((value) => shapeOf(value))].join(' ')})`;
}

/** A file's items the same way: `(field x "y")`, `(section url "label" (field …))`. */
export function shapeOfItems(items: readonly Item[]): string {
  return items
    .map((item) => {
      if (item.kind === 'field') return `(field ${item.name} ${shapeOf(item.value)})`;
      const label = item.label === undefined ? '' : ` ${JSON.stringify(item.label)}`;
      const inner = item.items.length === 0 ? '' : ` ${shapeOfItems(item.items)}`;
      return `(section ${item.name}${label}${inner})`;
    })
    .join(' ');
}
