/**
 * The syntax tree of an opam file. Strings hold one byte a character (latin1), because opam's strings are
 * bytes and signatures are over bytes; {@link displayText} makes them readable.
 */
import { SeraiError } from '../errors.ts';

export type RelationOperator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~';
export type EnvironmentOperator = '=' | '+=' | '=+' | '=+=' | ':=' | '=:';

export type Atom =
  | { readonly kind: 'string'; readonly at: number; readonly text: string }
  | { readonly kind: 'ident'; readonly at: number; readonly name: string }
  /** Decimal, without leading zeros or underscores. */
  | { readonly kind: 'int'; readonly at: number; readonly digits: string }
  | { readonly kind: 'bool'; readonly at: number; readonly value: boolean };

/** `at` is the byte offset of the value's first token; of an infix operator's first operand. */
export type Value =
  | Atom
  | { readonly kind: 'list'; readonly at: number; readonly items: readonly Value[] }
  | { readonly kind: 'group'; readonly at: number; readonly items: readonly Value[] }
  | {
      readonly kind: 'option';
      readonly at: number;
      readonly value: Value;
      readonly options: readonly Value[];
    }
  /** Flat: `a & b & c` has three operands; `&` binds tighter than `|`. */
  | { readonly kind: 'and' | 'or'; readonly at: number; readonly operands: readonly Value[] }
  | { readonly kind: 'not' | 'defined'; readonly at: number; readonly operand: Value }
  | {
      readonly kind: 'relation';
      readonly at: number;
      readonly operator: RelationOperator;
      readonly left: Atom;
      readonly right: Atom;
    }
  | {
      readonly kind: 'prefix-relation';
      readonly at: number;
      readonly operator: RelationOperator;
      readonly right: Atom;
    }
  | {
      readonly kind: 'environment';
      readonly at: number;
      readonly operator: EnvironmentOperator;
      readonly left: Atom;
      readonly right: Atom;
    };

export interface Field {
  readonly kind: 'field';
  readonly at: number;
  readonly name: string;
  readonly value: Value;
}

export interface Section {
  readonly kind: 'section';
  readonly at: number;
  readonly name: string;
  /** As in `extra-source "name" { … }`. */
  readonly label?: string;
  readonly items: readonly Item[];
}

export type Item = Field | Section;

export interface OpamFile {
  readonly items: readonly Item[];
}

/** A file that is not of the language; `line` counts from 1, `column` (in bytes) from 0, as opam does. */
export class OpamSyntaxError extends SeraiError {
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super('opam-syntax', `line ${line}, column ${column}: ${message}`);
    this.name = 'OpamSyntaxError';
    this.line = line;
    this.column = column;
  }
}

/** The error at byte `at` of the source; walks it once, and only when there is an error. */
export function syntaxError(source: string, at: number, message: string): OpamSyntaxError {
  let line = 1;
  let lineStart = 0;
  for (let end = source.indexOf('\n'); end !== -1 && end < at; end = source.indexOf('\n', end + 1)) {
    line += 1;
    lineStart = end + 1;
  }
  return new OpamSyntaxError(message, line, at - lineStart);
}

/** The source as the lexer wants it: one byte a character. */
export function sourceText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** A piece of the source for a message: short, quoted, fit for a terminal. */
export function excerpt(text: string): string {
  const short = displayText(text.slice(0, 40)).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd');
  return text.length > 40 ? `'${short}…'` : `'${short}'`;
}

/** A text of bytes, as a person reads it: UTF-8 decoded, what is not UTF-8 replaced. */
export function displayText(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
