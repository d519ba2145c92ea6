/** The form that all signed files share: which fields, how often, and the text that is signed. */
import { parseOpamFile } from '../../opam/parser.ts';
import { bare, canonicalText, isErased } from '../../opam/printer.ts';
import { type Field, OpamSyntaxError, type Value } from '../../opam/syntax.ts';
import type { Rule } from '../dialect.ts';
import { parseDate } from './dates.ts';
import { FormError } from './form-error.ts';
import { SignedText, signatureEntries } from './signed-text.ts';

export interface ValidFile<Content> {
  readonly valid: true;
  readonly content: Content;
  readonly signed: SignedText;
}

export interface InvalidFile {
  readonly valid: false;
  readonly rule: Rule;
  readonly reason: string;
}

export type SignedFile<Content> = ValidFile<Content> | InvalidFile;

/** The fields of one kind of file, `signature` and `x-…` apart. */
export interface FieldNames {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/** Values by field, bare (parentheses that mean nothing are off) and without the erased ones. */
export class Fields {
  readonly #values: ReadonlyMap<string, Value>;

  constructor(values: ReadonlyMap<string, Value>) {
    this.#values = values;
  }

  value(name: string): Value | undefined {
    return this.#values.get(name);
  }

  /** A required field that is one string. */
  text(name: string): string {
    const value = this.#values.get(name);
    if (value?.kind !== 'string') throw new FormError('FORM', `${name}: is not a string`);
    return value.text;
  }

  /** A required field that is a date. */
  date(name: string): number {
    const time = parseDate(this.text(name));
    if (time === undefined) throw new FormError('FORM', `${name}: is not a date like 2026-06-04T13:53:00Z`);
    return time;
  }

  /** The elements of a list; none when the field is absent. */
  list(name: string): readonly Value[] {
    const value = this.#values.get(name);
    if (value === undefined) return [];
    if (value.kind !== 'list') throw new FormError('FORM', `${name}: is not a list`);
    return value.items;
  }

  /** A field that must say what the path says. */
  expect(name: string, expected: string): void {
    const found = this.text(name);
    if (found !== expected) {
      throw new FormError(
        'FORM',
        `${name}: is ${JSON.stringify(found)}, and the path says ${JSON.stringify(expected)}`,
      );
    }
  }
}

/** Reads a signed file; `read` takes the fields apart and may throw FormError. */
export function readSignedFile<Content>(
  bytes: Uint8Array,
  names: FieldNames,
  depth: number,
  read: (fields: Fields) => Content,
): SignedFile<Content> {
  try {
    const parsed = parseFields(bytes, names, depth);
    const values = new Map(parsed.map((field) => [field.name, field.value]));
    const text = new SignedText(canonicalText(parsed), signatureEntries(values.get('signature')));
    // Required fields are looked for after erasing.
    const missing = names.required.find((name) => !values.has(name));
    if (missing !== undefined) throw new FormError('FORM', `the field ${missing}: is missing`);
    return { valid: true, content: read(new Fields(values)), signed: text };
  } catch (error) {
    if (error instanceof FormError) return { valid: false, rule: error.rule, reason: error.message };
    if (error instanceof OpamSyntaxError) return { valid: false, rule: 'FORM', reason: error.message };
    throw error;
  }
}

/** Sections, duplicates and unknown fields are refused before erasing; what is erased is left out. */
function parseFields(bytes: Uint8Array, names: FieldNames, depth: number): readonly Field[] {
  const seen = new Set<string>();
  const kept: Field[] = [];
  for (const item of parseOpamFile(bytes, { depth }).items) {
    if (item.kind === 'section') throw new FormError('FORM', `the section ${item.name} may not stand here`);
    const { name } = item;
    if (seen.has(name)) throw new FormError('FORM', `the field ${name}: is there twice`);
    seen.add(name);
    const known = name === 'signature' || name.startsWith('x-');
    if (!known && !names.required.includes(name) && !names.optional.includes(name)) {
      throw new FormError('FORM', `the field ${name}: is not one of this kind of file`);
    }
    const value = bare(item.value);
    if (!isErased(value)) kept.push({ ...item, value });
  }
  return kept;
}
