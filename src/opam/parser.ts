/** The grammar of the opam language (OPAM-CLIENT.md, "The language"), by recursive descent of bounded depth. */
import { Lexer, type TokenKind } from './lexer.ts';
import {
  type Atom,
  excerpt,
  type Item,
  type OpamFile,
  sourceText,
  syntaxError,
  type Value,
} from './syntax.ts';

/** Nesting of brackets, options, prefix operators and sections; the real repository's deepest file has 6. */
export const DEFAULT_DEPTH = 500;

export interface ParseOptions {
  readonly depth?: number;
}

/** Parses a whole file. Throws OpamSyntaxError with line and column. */
export function parseOpamFile(bytes: Uint8Array, options: ParseOptions = {}): OpamFile {
  const parser = new Parser(sourceText(bytes), options.depth ?? DEFAULT_DEPTH);
  return parser.file();
}

/** Parses one value, such as a formula given on a command line. Throws OpamSyntaxError. */
export function parseOpamValue(bytes: Uint8Array, options: ParseOptions = {}): Value {
  const parser = new Parser(sourceText(bytes), options.depth ?? DEFAULT_DEPTH);
  return parser.loneValue();
}

class Parser {
  readonly #lexer: Lexer;
  readonly #maxDepth: number;
  #depth = 0;

  constructor(source: string, maxDepth: number) {
    this.#lexer = new Lexer(source);
    this.#maxDepth = maxDepth;
  }

  file(): OpamFile {
    this.#lexer.next();
    const items = this.#items('end');
    return { items };
  }

  loneValue(): Value {
    this.#lexer.next();
    const value = this.#value();
    if (this.#lexer.kind !== 'end') throw this.#unexpected('the end');
    return value;
  }

  #items(until: TokenKind): Item[] {
    const lexer = this.#lexer;
    const items: Item[] = [];
    while (lexer.kind !== until) {
      if (lexer.kind !== 'ident') throw this.#unexpected('a field or a section');
      items.push(this.#item());
    }
    return items;
  }

  #item(): Item {
    const lexer = this.#lexer;
    const at = lexer.start;
    const name = lexer.text;
    lexer.next();
    if (lexer.kind === ':') {
      lexer.next();
      return { kind: 'field', at, name, value: this.#value() };
    }
    let label: string | undefined;
    if (lexer.kind === 'string') {
      label = lexer.text;
      lexer.next();
    }
    if (lexer.kind !== '{')
      throw this.#unexpected(label === undefined ? `':' or '{' after ${excerpt(name)}` : "'{'");
    this.#deeper();
    lexer.next();
    const items = this.#items('}');
    this.#depth -= 1;
    lexer.next();
    return label === undefined
      ? { kind: 'section', at, name, items }
      : { kind: 'section', at, name, label, items };
  }

  #value(): Value {
    const first = this.#conjunction();
    if (this.#lexer.kind !== '|') return first;
    const operands = [first];
    while (this.#lexer.kind === '|') {
      this.#lexer.next();
      operands.push(this.#conjunction());
    }
    return { kind: 'or', at: first.at, operands };
  }

  #conjunction(): Value {
    const first = this.#prefixed();
    if (this.#lexer.kind !== '&') return first;
    const operands = [first];
    while (this.#lexer.kind === '&') {
      this.#lexer.next();
      operands.push(this.#prefixed());
    }
    return { kind: 'and', at: first.at, operands };
  }

  #prefixed(): Value {
    const lexer = this.#lexer;
    if (lexer.kind !== '!' && lexer.kind !== '?') return this.#withOptions(this.#plain());
    const kind = lexer.kind === '!' ? 'not' : 'defined';
    const at = lexer.start;
    this.#deeper();
    lexer.next();
    const operand = this.#prefixed();
    this.#depth -= 1;
    return { kind, at, operand };
  }

  #withOptions(plain: Value): Value {
    const lexer = this.#lexer;
    let value = plain;
    let opened = 0;
    while (lexer.kind === '{') {
      this.#deeper();
      opened += 1;
      lexer.next();
      const options = this.#values('}');
      value = { kind: 'option', at: value.at, value, options };
    }
    this.#depth -= opened;
    return value;
  }

  #plain(): Value {
    const lexer = this.#lexer;
    const at = lexer.start;
    switch (lexer.kind) {
      case '[':
      case '(': {
        const list = lexer.kind === '[';
        this.#deeper();
        lexer.next();
        const items = this.#values(list ? ']' : ')');
        this.#depth -= 1;
        return { kind: list ? 'list' : 'group', at, items };
      }
      case 'relation': {
        const operator = lexer.relation;
        lexer.next();
        return { kind: 'prefix-relation', at, operator, right: this.#atom() };
      }
      default:
        return this.#infix(this.#atom());
    }
  }

  #infix(left: Atom): Value {
    const lexer = this.#lexer;
    if (lexer.kind === 'relation') {
      const operator = lexer.relation;
      lexer.next();
      return { kind: 'relation', at: left.at, operator, left, right: this.#atom() };
    }
    if (lexer.kind === 'environment') {
      const operator = lexer.environment;
      lexer.next();
      return { kind: 'environment', at: left.at, operator, left, right: this.#atom() };
    }
    return left;
  }

  #values(close: TokenKind): Value[] {
    if (this.#lexer.kind === close) {
      this.#lexer.next();
      return [];
    }
    // Most hold one value: an array that begins with it takes no spare room.
    const values = [this.#value()];
    while (this.#lexer.kind !== close) values.push(this.#value());
    this.#lexer.next();
    return values;
  }

  #atom(): Atom {
    const lexer = this.#lexer;
    const at = lexer.start;
    const text = lexer.text;
    let atom: Atom;
    switch (lexer.kind) {
      case 'string':
        atom = { kind: 'string', at, text };
        break;
      case 'ident':
        atom = { kind: 'ident', at, name: text };
        break;
      case 'int':
        atom = { kind: 'int', at, digits: text };
        break;
      case 'bool':
        atom = { kind: 'bool', at, value: text === 'true' };
        break;
      default:
        throw this.#unexpected('a value');
    }
    lexer.next();
    return atom;
  }

  #deeper(): void {
    this.#depth += 1;
    if (this.#depth > this.#maxDepth)
      throw syntaxError(
        this.#lexer.source,
        this.#lexer.start,
        `more than ${this.#maxDepth} levels inside one another`,
      );
  }

  #unexpected(wanted: string): Error {
    const lexer = this.#lexer;
    const found =
      lexer.kind === 'end' ? 'the end of the file' : excerpt(lexer.source.slice(lexer.start, lexer.end));
    return syntaxError(lexer.source, lexer.start, `expected ${wanted}, found ${found}`);
  }
}
