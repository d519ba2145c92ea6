/**
 * Tokens of the opam language (OPAM-CLIENT.md, "The language"). Each byte is looked at a bounded number of
 * times, whatever the input.
 */
import { type EnvironmentOperator, excerpt, type RelationOperator, syntaxError } from './syntax.ts';

export type TokenKind =
  | 'end'
  | 'ident'
  | 'bool'
  | 'int'
  | 'string'
  | 'relation'
  | 'environment'
  | ':'
  | '{'
  | '}'
  | '['
  | ']'
  | '('
  | ')'
  | '&'
  | '|'
  | '!'
  | '?';

const WORD = 1;
const LETTER = 2;
const DIGIT = 4;
const BLANK = 8;

const CLASS = new Uint8Array(256);
for (let code = 0; code < 128; code++) {
  const character = String.fromCharCode(code);
  if (/[A-Za-z]/.test(character)) CLASS[code] = WORD | LETTER;
  if (/[0-9]/.test(character)) CLASS[code] = WORD | DIGIT;
  if (/[_-]/.test(character)) CLASS[code] = WORD;
  if (/[ \t]/.test(character)) CLASS[code] = BLANK;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
const HASH = 0x23;
const OPEN_PARENTHESIS = 0x28;
const CLOSE_PARENTHESIS = 0x29;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const COLON = 0x3a;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const UNDERSCORE = 0x5f;

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '"': '"',
  "'": "'",
  ' ': ' ',
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
};

/** OCaml's `int` on 64-bit machines, which is what opam reads integers into, goes from `-INT_BOUND` to below it. */
const INT_BOUND = 2n ** 62n;

export class Lexer {
  readonly source: string;
  /** The current token; `next` moves on. */
  kind: TokenKind = 'end';
  /** Byte offsets of the current token. */
  start = 0;
  end = 0;
  /** Of an ident its name, of a string its bytes, of an int its digits, of an operator itself. */
  text = '';
  /** The end of the last run of word characters that was seen to hold no letter. */
  #letterless = 0;

  constructor(source: string) {
    this.source = source;
  }

  /** Reads the next token into the fields. Throws OpamSyntaxError. */
  next(): void {
    const at = this.#skipBlanks(this.end);
    this.start = at;
    if (at >= this.source.length) {
      this.kind = 'end';
      this.end = at;
      return;
    }
    const code = this.source.charCodeAt(at);
    if (((CLASS[code] ?? 0) & WORD) !== 0) return this.#word(at);
    if (code === QUOTE) return this.#string(at);
    this.#symbol(at, code);
  }

  #skipBlanks(from: number): number {
    const source = this.source;
    let at = from;
    for (;;) {
      const code = source.charCodeAt(at);
      if (code === NEWLINE || ((CLASS[code] ?? 0) & BLANK) !== 0) at += 1;
      else if (code === RETURN && source.charCodeAt(at + 1) === NEWLINE) at += 2;
      else if (code === HASH) {
        const newline = source.indexOf('\n', at);
        if (newline === -1) return source.length;
        at = newline + 1;
      } else if (code === OPEN_PARENTHESIS && source.charCodeAt(at + 1) === STAR) at = this.#skipComment(at);
      else return at;
    }
  }

  #skipComment(opened: number): number {
    const source = this.source;
    let depth = 1;
    for (let at = opened + 2; at < source.length; at++) {
      const code = source.charCodeAt(at);
      if (code === STAR && source.charCodeAt(at + 1) === CLOSE_PARENTHESIS) {
        depth -= 1;
        if (depth === 0) return at + 2;
        at += 1;
      } else if (code === OPEN_PARENTHESIS && source.charCodeAt(at + 1) === STAR) {
        depth += 1;
        at += 1;
      }
    }
    throw syntaxError(source, opened, 'the comment that begins here is not closed with *)');
  }

  #symbol(at: number, code: number): void {
    const source = this.source;
    const following = source.charCodeAt(at + 1);
    switch (source[at]) {
      case '{':
      case '}':
      case '[':
      case ']':
      case '(':
      case ')':
      case '&':
      case '|':
      case '?':
        return this.#token(source[at] as TokenKind, at, 1);
      case ':':
        return following === EQUALS ? this.#token('environment', at, 2) : this.#token(':', at, 1);
      case '!':
        return following === EQUALS ? this.#token('relation', at, 2) : this.#token('!', at, 1);
      case '<':
      case '>':
        return this.#token('relation', at, following === EQUALS ? 2 : 1);
      case '~':
        return this.#token('relation', at, 1);
      case '=':
        if (following === PLUS)
          return this.#token('environment', at, source.charCodeAt(at + 2) === EQUALS ? 3 : 2);
        if (following === COLON) {
          // ocamllex takes the longest match: `=:=` is read too, and then is no operator.
          if (source.charCodeAt(at + 2) !== EQUALS) return this.#token('environment', at, 2);
          break;
        }
        return this.#token('relation', at, 1);
      case '+':
        if (following === EQUALS) return this.#token('environment', at, 2);
        break;
    }
    const shown =
      code > 0x20 && code < 0x7f ? `'${source[at]}'` : `byte 0x${code.toString(16).padStart(2, '0')}`;
    throw syntaxError(source, at, `${shown} does not begin anything here`);
  }

  #token(kind: TokenKind, at: number, length: number): void {
    this.kind = kind;
    this.end = at + length;
    this.text = length === 1 ? kind : '';
    if (kind === 'relation' || kind === 'environment') this.text = this.source.slice(at, this.end);
  }

  /** The current token's operator, when its kind is 'relation' or 'environment'. */
  get relation(): RelationOperator {
    return this.text as RelationOperator;
  }
  get environment(): EnvironmentOperator {
    return this.text as EnvironmentOperator;
  }

  /** True when a letter stands in the run of word characters at `from`; `this.end` is set behind the run. */
  #run(from: number): boolean {
    // `1-2-3…` is one run but many numbers: it is not walked again for each of them.
    if (from < this.#letterless) {
      this.end = this.#letterless;
      return false;
    }
    const source = this.source;
    let letters = 0;
    let at = from;
    for (; ; at++) {
      const flags = CLASS[source.charCodeAt(at)] ?? 0;
      if ((flags & WORD) === 0) break;
      letters |= flags & LETTER;
    }
    this.end = at;
    if (letters === 0) this.#letterless = at;
    return letters !== 0;
  }

  #word(at: number): void {
    const source = this.source;
    if (this.#run(at)) {
      const first = this.end;
      this.#identTail(first);
      const name = source.slice(at, this.end);
      if (this.end === first && (name === 'true' || name === 'false')) this.kind = 'bool';
      else this.kind = 'ident';
      this.text = name;
      return;
    }
    // Without a letter the run is an int, but for `_` before `+…` or `:…`, which is an ident.
    const run = this.end;
    if (run === at + 1 && source.charCodeAt(at) === UNDERSCORE) {
      this.#identTail(run);
      if (this.end > run) {
        this.kind = 'ident';
        this.text = source.slice(at, this.end);
        return;
      }
    }
    this.#int(at);
  }

  /** Moves `end` over `('+' (id | '_'))* (':' id)?`. */
  #identTail(from: number): void {
    const source = this.source;
    let end = from;
    while (source.charCodeAt(end) === PLUS) {
      if (this.#run(end + 1)) end = this.end;
      else if (source.charCodeAt(end + 1) === UNDERSCORE) end += 2;
      else break;
    }
    if (source.charCodeAt(end) === COLON && this.#run(end + 1)) end = this.end;
    this.end = end;
  }

  #int(at: number): void {
    const source = this.source;
    let end = source.charCodeAt(at) === MINUS ? at + 1 : at;
    const first = source.charCodeAt(end);
    while (((CLASS[source.charCodeAt(end)] ?? 0) & DIGIT) !== 0 || source.charCodeAt(end) === UNDERSCORE)
      end += 1;
    if (((CLASS[first] ?? 0) & DIGIT) === 0)
      throw syntaxError(
        source,
        at,
        `${excerpt(source.slice(at, Math.max(end, at + 1)))} is neither a number nor a name`,
      );
    const negative = first !== source.charCodeAt(at);
    const digits = source
      .slice(negative ? at + 1 : at, end)
      .replaceAll('_', '')
      .replace(/^0+(?=.)/, '');
    if (digits.length > 19 || BigInt(digits) > (negative ? INT_BOUND : INT_BOUND - 1n))
      throw syntaxError(source, at, 'the number is beyond what opam can hold (62 bits)');
    this.kind = 'int';
    this.end = end;
    this.text = negative && digits !== '0' ? `-${digits}` : digits;
  }

  #string(at: number): void {
    const source = this.source;
    const triple = source.startsWith('"""', at);
    const from = triple ? at + 3 : at + 1;
    let text = '';
    let copied = from;
    let position = from;
    for (; ; position++) {
      const code = source.charCodeAt(position);
      if (code === QUOTE) {
        if (!triple || source.startsWith('"""', position)) break;
      } else if (code === BACKSLASH) {
        text += source.slice(copied, position) + this.#escape(position);
        copied = this.end;
        position = copied - 1;
      } else if (code === RETURN && source.charCodeAt(position + 1) === NEWLINE) {
        text += source.slice(copied, position);
        copied = position + 1;
      } else if (position >= source.length) {
        throw syntaxError(
          source,
          at,
          `the string that begins here is not closed with ${triple ? '"""' : '"'}`,
        );
      }
    }
    this.kind = 'string';
    this.text = copied === from ? source.slice(from, position) : text + source.slice(copied, position);
    this.end = position + (triple ? 3 : 1);
  }

  /** The bytes that the escape at `backslash` stands for; `this.end` is set behind it. */
  #escape(backslash: number): string {
    const source = this.source;
    const character = source[backslash + 1] ?? '';
    const simple = SIMPLE_ESCAPES[character];
    if (simple !== undefined) {
      this.end = backslash + 2;
      return simple;
    }
    const newline = character === '\r' ? backslash + 2 : backslash + 1;
    if (source.charCodeAt(newline) === NEWLINE) {
      let end = newline + 1;
      while (((CLASS[source.charCodeAt(end)] ?? 0) & BLANK) !== 0) end += 1;
      this.end = end;
      return '';
    }
    const decimal = source.slice(backslash + 1, backslash + 4);
    if (/^[0-9]{3}$/.test(decimal) && Number(decimal) <= 255) {
      this.end = backslash + 4;
      return String.fromCharCode(Number(decimal));
    }
    const hexadecimal = source.slice(backslash + 2, backslash + 4);
    if (character === 'x' && /^[0-9A-Fa-f]{2}$/.test(hexadecimal)) {
      this.end = backslash + 4;
      return String.fromCharCode(Number.parseInt(hexadecimal, 16));
    }
    throw syntaxError(source, backslash, 'this is no escape that opam knows');
  }
}
