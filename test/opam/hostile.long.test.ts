/** HOSTILE.md 17: an error with line and column, in time linear in the input, and never a stack overflow. */
import { describe, expect, it } from 'vitest';
import { satisfies, versionFormula } from '../../src/opam/formula.ts';
import { Lexer } from '../../src/opam/lexer.ts';
import { DEFAULT_DEPTH, parseOpamFile, parseOpamValue } from '../../src/opam/parser.ts';
import { bare, canonicalText, isErased, printOpamFile, printValue } from '../../src/opam/printer.ts';
import { type Field, OpamSyntaxError } from '../../src/opam/syntax.ts';
import { bytesOf, parseFile, parseValue } from '../support/opam-shapes.ts';

const TEN_MB = 10_000_000;
/** Eight times what is read of an opam file; what is not linear takes minutes for it as well. */
const TWO_MB = 2_000_000;

function errorOf(source: Uint8Array): OpamSyntaxError {
  try {
    parseOpamFile(source);
  } catch (error) {
    if (error instanceof OpamSyntaxError) return error;
    throw error;
  }
  throw new Error('it parses');
}

/** 10 MB: the beginning, then the piece over and over. */
function flood(beginning: string, piece: string, bytes = TEN_MB): Uint8Array {
  return Buffer.concat([bytesOf(beginning), Buffer.alloc(bytes, piece, 'latin1')]);
}

describe('10 MB of', () => {
  it.each([
    ['x: ', '(', 1, 3 + DEFAULT_DEPTH, 'more than'],
    ['x: ', '(\n', 1 + DEFAULT_DEPTH, 0, 'more than'],
    ['x: ', '[', 1, 3 + DEFAULT_DEPTH, 'more than'],
    ['x: ', '!', 1, 3 + DEFAULT_DEPTH, 'more than'],
    ['x: ', '?', 1, 3 + DEFAULT_DEPTH, 'more than'],
    ['x: ', 'a{', 1, 4 + 2 * DEFAULT_DEPTH, 'more than'],
    ['x: a', '{}', 1, 4 + 2 * DEFAULT_DEPTH, 'more than'],
    ['x: ', '!([', 1, 3 + DEFAULT_DEPTH, 'more than'],
    ['', 's{', 1, 1 + 2 * DEFAULT_DEPTH, 'more than'],
    ['', '{', 1, 0, 'expected a field'],
    ['x: ', '{', 1, 3, 'expected a value'],
    ['', '(', 1, 0, 'expected a field'],
    ['', ')', 1, 0, 'expected a field'],
    ['x: ', '&', 1, 3, 'expected a value'],
    ['x: ', ':', 1, 3, 'expected a value'],
    ['x: "', 'a', 1, 3, 'the string'],
    ['x: "', '\n', 1, 3, 'the string'],
    ['x: "', '\r\n', 1, 3, 'the string'],
    ['x: "', '\\n', 1, 3, 'the string'],
    ['x: "', '\\\n', 1, 3, 'the string'],
    ['x: """', '"a', 1, 3, 'the string'],
    ['x: """', '""a', 1, 3, 'the string'],
    ['x: ', '"', 1, 9, 'expected a field'],
    ['\n(*', 'a', 2, 0, 'the comment'],
    ['', '(*', 1, 0, 'the comment'],
    ['', '(*)', 1, 0, 'the comment'],
    ['(*', '(**)', 1, 0, 'the comment'],
    ['', '\0', 1, 0, 'byte 0x00'],
    ['x: ', '\0', 1, 3, 'byte 0x00'],
    ['x: ', '\xff', 1, 3, 'byte 0xff'],
    ['', '\r', 1, 0, 'byte 0x0d'],
    ['x', 'x', 1, TEN_MB + 1, "expected ':' or '{'"],
    ['x', '+_', 1, TEN_MB + 1, "expected ':' or '{'"],
    ['x: ', '9', 1, 3, 'the number'],
    ['x: ', '_', 1, 3, "'____"],
    ['x: ', '-', 1, 3, "'-' is neither"],
    ['x: ', '1-', 1, 4, 'expected a field'],
    ['x: [', '=+', 1, 4, 'expected a value'],
  ])('%j then %j', (beginning, piece, line, column, message) => {
    const error = errorOf(flood(beginning, piece));
    expect(error.line).toBe(line);
    expect(error.column).toBe(column);
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(200);
  });

  it('blanks, comments, zeros and one long string are a file', () => {
    for (const blank of [' ', '\n', '\t', '\r\n', '#', '# a\n', '(**)']) {
      expect(parseOpamFile(flood('x: a\n', blank)).items).toHaveLength(1);
    }
    expect(parseOpamFile(flood('x: ', '0')).items).toMatchObject([{ value: { kind: 'int', digits: '0' } }]);
    const string = parseOpamFile(Buffer.concat([flood('x: "', 'a'), bytesOf('"')])).items[0] as Field;
    expect(printValue(string.value)).toHaveLength(TEN_MB + 2);
  });
});

describe('2 MB of what is right to its end', () => {
  it.each([
    ['x: [', '1-', 1, TWO_MB + 3, "'-' is neither"],
    ['x: [', 'a ', 1, TWO_MB + 4, 'expected a value'],
    ['x: [', 'a=', 1, TWO_MB + 4, 'expected a value'],
    ['x: [', 'a=a', 1, TWO_MB + 4, 'expected a value'],
    ['x: ', 'a&', 1, TWO_MB + 3, 'expected a value'],
    ['x: ', 'a|', 1, TWO_MB + 3, 'expected a value'],
    ['x: ', 'a|b&', 1, TWO_MB + 3, 'expected a value'],
  ])('%j then %j', (beginning, piece, line, column, message) => {
    expect(errorOf(flood(beginning, piece, TWO_MB))).toMatchObject({
      line,
      column,
      message: expect.stringContaining(message),
    });
  });
});

describe('nesting of 100,000', () => {
  it.each([
    ['(', 'a', ')'],
    ['[', '', ']'],
    ['!', 'a', ''],
    ['a {', '', '}'],
    ['a & (b | ', 'c', ')'],
  ])('%s', (open, middle, close) => {
    const source = `x: ${open.repeat(100_000)}${middle}${close.repeat(100_000)}`;
    expect(errorOf(bytesOf(source)).message).toMatch(/^line 1, column \d+: more than 500 levels/);
  });

  it('comments may: they are counted, not stacked', () => {
    expect(parseFile(`${'(*'.repeat(100_000)} " ${'*)'.repeat(100_000)} x: a`).items).toHaveLength(1);
  });
});

describe('what parses can be printed', () => {
  const shapes = [
    ['(', 'a', ')'],
    ['[', 'a', ']'],
    ['!', 'a', ''],
    ['a {', 'a', '}'],
    ['(b | b & (', 'a', '))'],
    ['[b | b & ', 'a', ']'],
    ['b & (b | ', 'a', ')'],
    ['(b & b | !b {', 'a', '})'],
    ['(!(', 'a', ') {b}) {b}'],
  ] as const;

  it.each(shapes)('%s, also half as deep again as allowed', (open, middle, close) => {
    const perPiece = (open.match(/[([{!]/g) ?? []).length + (close.match(/ \{/g) ?? []).length;
    const pieces = Math.floor((1.5 * DEFAULT_DEPTH) / perPiece);
    const source = bytesOf(open.repeat(pieces) + middle + close.repeat(pieces));
    const value = parseOpamValue(source, { depth: 2 * DEFAULT_DEPTH });
    const text = printValue(value);
    expect(printValue(parseOpamValue(bytesOf(text), { depth: 2 * DEFAULT_DEPTH }))).toBe(text);
    expect(isErased(value)).toBe(false);
    expect(versionFormula(value)).toBeUndefined();
  });

  it('a version formula in all the parentheses there may be', () => {
    const formula = versionFormula(parseValue(`${'(> "1" & (< "0" | '.repeat(250)}= "3"${'))'.repeat(250)}`));
    if (formula === undefined) throw new Error('a formula is expected');
    expect([satisfies('3', formula), satisfies('4', formula), satisfies('1', formula)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it.each(['&', '|'])('a chain of a million operands of %s', (operator) => {
    const source = `a${` ${operator} a`.repeat(999_999)}`;
    const value = parseValue(source);
    expect(bare(value)).toMatchObject({ operands: { length: 1_000_000 } });
    expect(printValue(value)).toBe(source);
  });

  it('a long chain deep inside chains, without copying it at each of them', () => {
    const chain = `a${' & a'.repeat(999_999)}`;
    const source = `${'('.repeat(400)}${chain}${' & b)'.repeat(400)}`;
    expect(printValue(parseValue(source))).toBe(chain + ' & b'.repeat(400));
  });

  it('a long text deep inside prefix operators, without copying it at each of them', () => {
    const source = `${'!'.repeat(400)}["${'a'.repeat(TEN_MB)}"]`;
    expect(printValue(parseValue(source))).toBe(source);
  });

  it('a million alternating operands', () => {
    const source = `a${' | a & a'.repeat(500_000)}`;
    expect(printValue(parseValue(source))).toBe(source);
  });

  it('a million values in a list, and in an option', () => {
    const inner = `a${' a'.repeat(999_999)}`;
    expect(printValue(parseValue(`[${inner}]`))).toBe(`[${inner}]`);
    expect(printValue(parseValue(`a {${inner}}`))).toBe(`a {${inner}}`);
  });

  it('a million fields, and a million sections', () => {
    const fields = parseFile('b: 1\na: 1\n'.repeat(500_000)).items;
    expect(fields).toHaveLength(1_000_000);
    expect(canonicalText(fields as readonly Field[])).toBe(
      'a: 1\n'.repeat(500_000) + 'b: 1\n'.repeat(500_000),
    );
    const sections = 's "l" {\n}\n'.repeat(1_000_000);
    expect(printOpamFile(parseFile(sections))).toBe(sections);
  });
});

/** A source that counts the characters that are asked of it. */
function countingSource(text: string): { readonly source: string; looks(): number } {
  let looks = 0;
  const counted = {
    charCodeAt(at: number): number {
      looks += 1;
      return text.charCodeAt(at);
    },
    indexOf(search: string, from = 0): number {
      const found = text.indexOf(search, from);
      looks += (found === -1 ? text.length : found + 1) - from;
      return found;
    },
    slice(from = 0, to = text.length): string {
      looks += Math.max(0, Math.min(to, text.length) - from);
      return text.slice(from, to);
    },
    startsWith(search: string, from: number): boolean {
      looks += search.length;
      return text.startsWith(search, from);
    },
  };
  const source = new Proxy(counted, {
    get(target, key) {
      if (key === 'length') return text.length;
      if (key in target) return Reflect.get(target, key);
      looks += 1;
      return text[Number(key)];
    },
  });
  return { source: source as unknown as string, looks: () => looks };
}

describe('each byte is looked at a bounded number of times', () => {
  it.each([
    'a ',
    'a',
    'a+b+',
    '_+_+',
    'a:1 ',
    '1 ',
    '1-',
    '-1',
    '1_',
    '0',
    '"" ',
    '"a" ',
    '""" """',
    '"""a"b"""',
    '"\\n" ',
    '"\\065\\x41\\\n  "',
    '"\r\n"',
    '(**)',
    '(* (**) *)',
    '# a\n',
    '\r\n',
    '{}[]()',
    '=:',
    '=+=',
    '<=>=',
    '!!=',
  ])('%j', (piece) => {
    const repeated = piece.repeat(20_000 / piece.length);
    for (const text of [repeated, `_${repeated}`, `a:${repeated}`, `a+${repeated}`]) {
      const { source, looks } = countingSource(text);
      const lexer = new Lexer(source);
      try {
        do lexer.next();
        while (lexer.kind !== 'end');
      } catch (error) {
        expect(error).toBeInstanceOf(OpamSyntaxError);
      }
      expect(looks() / text.length).toBeLessThan(8);
    }
  });
});
