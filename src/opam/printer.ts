/**
 * The canonical text (SIGNED-FORMAT.md, "The bytes that are signed"). Texts hold one byte a character.
 * Parentheses are decided from the meaning alone: {@link bare} takes them all off, and printing puts back
 * those without which the text would read as something else.
 */
import type { Atom, Field, Item, OpamFile, Value } from './syntax.ts';

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
  const outer = bare(value);
  if (outer.kind !== 'list') return false;
  if (outer.items.length === 0) return true;
  const [only] = outer.items;
  return outer.items.length === 1 && only !== undefined && only.kind === 'list' && only.items.length === 0;
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
  switch (value.kind) {
    case 'group':
      if (value.items.length === 1 && value.items[0] !== undefined) return bare(value.items[0]);
      return { ...value, items: value.items.map((item) => bare(item)) };
    case 'list':
      return { ...value, items: value.items.map((item) => bare(item)) };
    case 'option':
      return { ...value, value: bare(value.value), options: value.options.map((item) => bare(item)) };
    case 'and':
    case 'or': {
      const operands = value.operands.map((operand) => bare(operand));
      return {
        ...value,
        operands: operands.flatMap((operand) => (operand.kind === value.kind ? operand.operands : [operand])),
      };
    }
    case 'not':
    case 'defined':
      return { ...value, operand: bare(value.operand) };
    default:
      return value;
  }
}

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
    case 'option': {
      const inner = value.value;
      const loose =
        inner.kind === 'and' || inner.kind === 'or' || inner.kind === 'not' || inner.kind === 'defined';
      return `${within(loose, inner)} {${printSequence(value.options)}}`;
    }
    case 'and':
      return value.operands.map((operand) => within(operand.kind === 'or', operand)).join(' & ');
    case 'or':
      return value.operands.map((operand) => print(operand)).join(' | ');
    case 'not':
    case 'defined': {
      const inner = value.operand;
      const text = print(inner);
      // `!` before `=` would read as the operator `!=`.
      const merges = value.kind === 'not' && text.startsWith('=');
      const loose = inner.kind === 'and' || inner.kind === 'or' || merges;
      return `${value.kind === 'not' ? '!' : '?'}${loose ? `(${text})` : text}`;
    }
    case 'relation':
    case 'environment':
      return `${printAtom(value.left)} ${value.operator} ${printAtom(value.right)}`;
    case 'prefix-relation':
      return `${value.operator} ${printAtom(value.right)}`;
  }
}

function within(parentheses: boolean, value: Value): string {
  return parentheses ? `(${print(value)})` : print(value);
}

/** Values beside one another. A comparison after a bare atom would read as infix, so it keeps parentheses. */
function printSequence(values: readonly Value[]): string {
  let text = '';
  let previous: Value | undefined;
  for (const value of values) {
    if (previous !== undefined) text += ' ';
    text += within(previous !== undefined && endsInAtom(previous) && beginsWithComparison(value), value);
    previous = value;
  }
  return text;
}

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
      return last !== undefined && endsInAtom(last);
    }
    case 'not':
    case 'defined':
      return endsInAtom(value.operand);
    default:
      return false;
  }
}

function beginsWithComparison(value: Value): boolean {
  switch (value.kind) {
    case 'prefix-relation':
      return true;
    case 'option':
      return beginsWithComparison(value.value);
    case 'and':
    case 'or': {
      const [first] = value.operands;
      return first !== undefined && beginsWithComparison(first);
    }
    default:
      return false;
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
