/**
 * The canonical text (SIGNED-FORMAT.md, "The bytes that are signed"). Texts hold one byte a character.
 * Parentheses are decided from the meaning alone: {@link bare} takes them all off, and printing puts back
 * those without which the text would read as something else.
 */
import type { Atom, Field, Item, OpamFile, RelationOperator, Value } from './syntax.ts';

/** The canonical text of a value. */
export function printValue(value: Value): string {
  return print(bare(value));
}

/** One `field: value` line, as it is signed. */
export function printField(field: Field): string {
  return `${field.name}: ${printValue(field.value)}\n`;
}

/** A whole file in its own order, sections included; for what the mirror writes itself. */
export function printOpamFile(file: OpamFile): string {
  return file.items.map((item) => printItem(item)).join('');
}

function printItem(item: Item): string {
  if (item.kind === 'field') return printField(item);
  const label = item.label === undefined ? '' : ` ${printString(item.label)}`;
  return `${item.name}${label} {\n${item.items.map((inner) => printItem(inner)).join('')}}\n`;
}

/** A field whose whole value is `[]` or `[[]]`: it is erased before signing, once. */
export function isErased(value: Value): boolean {
  const outer = ungrouped(value);
  if (outer.kind !== 'list' || outer.items.length > 1) return false;
  const [only] = outer.items;
  if (only === undefined) return true;
  const inner = ungrouped(only);
  return inner.kind === 'list' && inner.items.length === 0;
}

/** The bytes that `signature:` entries sign: no `signature:`, erased fields gone, sorted bytewise by name. */
export function canonicalText(fields: readonly Field[]): string {
  return fields
    .filter((field) => field.name !== 'signature' && !isErased(field.value))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map((field) => printField(field))
    .join('');
}

/** The value without groups around one value, and `&` and `|` flat: equal meanings become equal shapes. */
export function bare(value: Value): Value {
  const inner = ungrouped(value);
  switch (inner.kind) {
    case 'group':
    case 'list':
      return { ...inner, items: bareAll(inner.items) };
    case 'option':
      return { ...inner, value: bare(inner.value), options: bareAll(inner.options) };
    case 'and':
    case 'or':
      return { ...inner, operands: flat(inner.kind, inner.operands, []) };
    case 'not':
    case 'defined':
      return { ...inner, operand: bare(inner.operand) };
    default:
      return inner;
  }
}

function bareAll(values: readonly Value[]): readonly Value[] {
  const all: Value[] = [];
  for (const value of values) all.push(bare(value));
  return all;
}

/** What is inside all the parentheses around one value. */
function ungrouped(value: Value): Value {
  let inner = value;
  while (inner.kind === 'group') {
    const [only] = inner.items;
    if (only === undefined || inner.items.length > 1) break;
    inner = only;
  }
  return inner;
}

/** Appends the operands to `into`, bare, those of an inner chain of the same kind in its place. */
function flat(kind: 'and' | 'or', operands: readonly Value[], into: Value[]): readonly Value[] {
  for (const operand of operands) {
    const inner = ungrouped(operand);
    if (inner.kind === kind) flat(kind, inner.operands, into);
    else into.push(bare(inner));
  }
  return into;
}

/** The text of a bare value. Written with loops, not callbacks: nested values take few frames of the stack. */
function print(value: Value): string {
  switch (value.kind) {
    case 'string':
    case 'ident':
    case 'int':
    case 'bool':
      return printAtom(value);
    case 'list':
      return `[${printSequence(value.items)}]`;
    case 'group':
      return `(${printSequence(value.items)})`;
    case 'option':
      return `${within(isLoose(value.value), print(value.value))} {${printSequence(value.options)}}`;
    case 'and':
    case 'or': {
      let text = '';
      for (const operand of value.operands) {
        if (text !== '') text += value.kind === 'and' ? ' & ' : ' | ';
        text += within(value.kind === 'and' && operand.kind === 'or', print(operand));
      }
      return text;
    }
    case 'not':
      // `!` before `=` would read as the operator `!=`.
      return `!${within(isChain(value.operand) || firstOperator(value.operand) === '=', print(value.operand))}`;
    case 'defined':
      return `?${within(isChain(value.operand), print(value.operand))}`;
    case 'relation':
    case 'environment':
      return `${printAtom(value.left)} ${value.operator} ${printAtom(value.right)}`;
    case 'prefix-relation':
      return `${value.operator} ${printAtom(value.right)}`;
  }
}

function within(parentheses: boolean, text: string): string {
  return parentheses ? `(${text})` : text;
}

/** Values beside one another. A comparison after a bare atom would read as infix, so it keeps parentheses. */
function printSequence(values: readonly Value[]): string {
  let text = '';
  let open = false;
  for (const value of values) {
    if (text !== '') text += ' ';
    const merges: boolean = open && firstOperator(value) !== undefined;
    text += within(merges, print(value));
    open = !merges && endsInAtom(value);
  }
  return text;
}

function isChain(value: Value): boolean {
  return value.kind === 'and' || value.kind === 'or';
}

/** Binds looser than `{…}` behind it. */
function isLoose(value: Value): boolean {
  return isChain(value) || value.kind === 'not' || value.kind === 'defined';
}

/** True when the text ends in an atom of its own, which an operator behind it would take as its left side. */
function endsInAtom(value: Value): boolean {
  switch (value.kind) {
    case 'string':
    case 'ident':
    case 'int':
    case 'bool':
      return true;
    case 'and':
    case 'or': {
      const last = value.operands.at(-1);
      return last !== undefined && !(value.kind === 'and' && last.kind === 'or') && endsInAtom(last);
    }
    case 'not':
    case 'defined':
      return !isChain(value.operand) && endsInAtom(value.operand);
    default:
      return false;
  }
}

/** The comparison that the text begins with, if it does and is not in parentheses. */
function firstOperator(value: Value): RelationOperator | undefined {
  switch (value.kind) {
    case 'prefix-relation':
      return value.operator;
    case 'option':
      return isLoose(value.value) ? undefined : firstOperator(value.value);
    case 'and':
    case 'or': {
      const [first] = value.operands;
      return first === undefined || (value.kind === 'and' && first.kind === 'or')
        ? undefined
        : firstOperator(first);
    }
    default:
      return undefined;
  }
}

function printAtom(atom: Atom): string {
  switch (atom.kind) {
    case 'string':
      return printString(atom.text);
    case 'ident':
      return atom.name;
    case 'int':
      return atom.digits;
    case 'bool':
      return atom.value ? 'true' : 'false';
  }
}

/** A string in plain quotes; newline, backslash and double quote escaped, every other byte as it is. */
export function printString(text: string): string {
  return `"${text.replace(/[\n\\"]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))}"`;
}
