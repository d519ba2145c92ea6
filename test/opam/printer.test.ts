/** SIGNED-FORMAT.md, "The bytes that are signed", sentence by sentence; then what must hold for every tree. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fields } from '../../src/opam/fields.ts';
import {
  bare,
  canonicalText,
  isErased,
  printField,
  printOpamFile,
  printString,
  printValue,
} from '../../src/opam/printer.ts';
import type { Value } from '../../src/opam/syntax.ts';
import { opamText, opamValue, plainOpamValue } from '../support/opam-arbitraries.ts';
import { parseFile, parseValue, shapeOf } from '../support/opam-shapes.ts';

function canonicalOf(source: string): string {
  return canonicalText(fields(parseFile(source).items));
}

/** A table of sources, each with its canonical text; `same` where it is canonical already. */
const same = undefined;
function printsAs(table: readonly (readonly [source: string, text: string | undefined])[]): void {
  it.each(table)('%j', (source, text = source) => {
    expect(printValue(parseValue(source))).toBe(text);
    expect(printValue(parseValue(text))).toBe(text);
  });
}

describe('one field a line', () => {
  it('field: value', () => {
    expect(canonicalOf('a :b')).toBe('a: b\n');
    expect(canonicalOf('\n a  :\n\n  [ "b"\n"c" ]')).toBe('a: ["b" "c"]\n');
  });

  it('no comments', () => {
    expect(canonicalOf('# x\na: (* y *) b # z')).toBe('a: b\n');
  });

  it('sorted bytewise by name', () => {
    expect(canonicalOf('b: 1 a: 2 B: 3 _a: 4 a-b: 5 ab: 6 a+b: 7 a:b: 8 1a: 9')).toBe(
      '1a: 9\nB: 3\n_a: 4\na: 2\na+b: 7\na-b: 5\na:b: 8\nab: 6\nb: 1\n',
    );
  });

  it('fields of one name in their own order', () => {
    expect(canonicalOf('a: 2 b: 3 a: 1')).toBe('a: 2\na: 1\nb: 3\n');
  });

  it('signature: removed, and nothing that only looks like it', () => {
    expect(canonicalOf('signature: [["a" "b" "c"]] a: 1 signature: x')).toBe('a: 1\n');
    expect(canonicalOf('Signature: 1 signatures: 2 x-signature: 3')).toBe(
      'Signature: 1\nsignatures: 2\nx-signature: 3\n',
    );
  });

  it('nothing at all of a file without fields', () => {
    expect(canonicalOf('signature: []')).toBe('');
  });
});

describe('spaces', () => {
  printsAs([
    ['[ ]', '[]'],
    ['[a  b]', '[a b]'],
    ['[a"b"1]', '[a "b" 1]'],
    ['[[a][b]]', '[[a] [b]]'],
    ['[ a ]', '[a]'],
    ['"a"{b}', '"a" {b}'],
    ['a{ }', 'a {}'],
    ['a {b}{c}', 'a {b} {c}'],
    ['a{b{c}d}', 'a {b {c} d}'],
    ['a&b|c', 'a & b | c'],
    ['a="b"', 'a = "b"'],
    ['a+="b"', 'a += "b"'],
    ['a=:b', 'a =: b'],
    ['>="1"', '>= "1"'],
    ['~1', '~ 1'],
    ['! a', '!a'],
    ['? a', '?a'],
    ['! ! ? a', '!!?a'],
    ['! [ a ]', '![a]'],
    ['! >= a', '!>= a'],
    ['( a b )', '(a b)'],
    ['( )', '()'],
  ]);
});

describe('parentheses around one value are dropped', () => {
  printsAs([
    ['(a)', 'a'],
    ['((a))', 'a'],
    ['("a")', '"a"'],
    ['([a])', '[a]'],
    ['[(a) ((b))]', '[a b]'],
    ['a {(b)}', 'a {b}'],
    ['(a) {b}', 'a {b}'],
    ['(a {b})', 'a {b}'],
    ['(a {b}) {c}', 'a {b} {c}'],
    ['(a = b)', 'a = b'],
    ['(a = b) {c}', 'a = b {c}'],
    ['(= a) {b}', '= a {b}'],
    ['(a & b)', 'a & b'],
    ['a & (b & c)', 'a & b & c'],
    ['(a & b) & c', 'a & b & c'],
    ['a & (b & (c & d))', 'a & b & c & d'],
    ['a | (b | c)', 'a | b | c'],
    ['(a & b) | c', 'a & b | c'],
    ['(!a) & b', '!a & b'],
    ['!(a)', '!a'],
    ['!(a {b})', '!a {b}'],
    ['!(a = b)', '!a = b'],
    ['!(!a)', '!!a'],
    ['?(= a)', '?= a'],
    ['!(>= a)', '!>= a'],
    ['((a b))', '(a b)'],
    ['(())', '()'],
    ['[(= a) (= b)]', '[= a = b]'],
    ['[[a] (= b)]', '[[a] = b]'],
    ['[a {b} (= c)]', '[a {b} = c]'],
    ['[(a = b) (= c)]', '[a = b = c]'],
    ['[a (b = c)]', '[a b = c]'],
    ['[a (b & = c)]', '[a b & = c]'],
    ['[a (!(= b))]', '[a !(= b)]'],
    ['[a (!>= b)]', '[a !>= b]'],
    ['[!(a & b) (= c)]', '[!(a & b) = c]'],
    ['[a & (b | c) (= d)]', '[a & (b | c) = d]'],
    ['[a (= b & c) (= d)]', '[a (= b & c) = d]'],
    ['[a ((= b | c) & d)]', '[a (= b | c) & d]'],
    ['[a ((= b & c) {d})]', '[a (= b & c) {d}]'],
  ]);
});

describe('parentheses whose removal would change the meaning are kept', () => {
  printsAs([
    ['()', same],
    ['(a b)', same],
    ['[(a b)]', same],
    ['(a b) {c}', same],
    ['(a | b) & c', same],
    ['a & (b | c)', same],
    ['(a & (b | c)) & d', 'a & (b | c) & d'],
    ['a & (b | c & (d | e))', same],
    ['!(a & b)', same],
    ['?(a | b)', same],
    ['(a & b) {c}', same],
    ['(a | b) {c}', same],
    ['(!a) {b}', same],
    ['(?a) {b}', same],
    ['!(= a)', same],
    ['!(= a {b})', same],
    ['!!(= a)', same],
    ['[a (= b)]', same],
    ['[1 (>= b)]', same],
    ['["a" (!= b)]', same],
    ['[true (~ b)]', same],
    ['[!a (= b)]', same],
    ['[a & b (= c)]', same],
    ['[a | !b (= c)]', same],
    ['[a (= b {c})]', same],
    ['[a ((= b) {c})]', '[a (= b {c})]'],
    ['[a (= b & c)]', same],
    ['[a ((= b) & c)]', '[a (= b & c)]'],
    ['[a (= b | c)]', same],
    ['a {b (= c)}', same],
    ['(a (= b))', same],
  ]);
});

describe('every string in plain double quotes', () => {
  printsAs([
    ['"""a"""', '"a"'],
    ['"""a"b"""', '"a\\"b"'],
    ['"a\\"b"', same],
    ['"a\\\\b"', same],
    ['"a\nb"', '"a\\nb"'],
    ['"a\\nb"', same],
    ['"a\r\nb"', '"a\\nb"'],
    ['"a\\rb"', '"a\rb"'],
    ['"a\\r\\nb"', '"a\r\\nb"'],
    ['"a\\r\nb"', '"a\r\\nb"'],
    ['"a\tb"', same],
    ['"a\\tb"', '"a\tb"'],
    ['"a\\bb"', '"a\bb"'],
    ['"a\\ b"', '"a b"'],
    ['"a\\\'b"', '"a\'b"'],
    ['"a\\065b"', '"aAb"'],
    ['"a\\010b"', '"a\\nb"'],
    ['"a\\x0ab"', '"a\\nb"'],
    ['"a\\x22b"', '"a\\"b"'],
    ['"a\\x5cnb"', '"a\\\\nb"'],
    ['"a\\000b"', '"a\0b"'],
    ['"a\\\n   b"', '"ab"'],
    ['"\xc3\xa9"', same],
    ['"\\195\\169"', '"\xc3\xa9"'],
    ['"\xff\x80"', same],
    ['"(* # *)"', same],
  ]);

  it('reads back as the same bytes, whatever they are', () => {
    fc.assert(
      fc.property(opamText, (text) => {
        expect(parseValue(printString(text))).toMatchObject({ kind: 'string', text });
        expect(printString(text)).not.toContain('\n');
      }),
    );
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1');
    expect(parseValue(printString(all))).toMatchObject({ kind: 'string', text: all });
  });
});

describe('integers are decimal', () => {
  printsAs([
    ['007', '7'],
    ['1_000', '1000'],
    ['-0', '0'],
    ['-0_7', '-7'],
    ['-4611686018427387904', same],
    ['[1-1]', '[1 -1]'],
  ]);
});

describe('a field whose whole value is [] or [[]] is erased, once', () => {
  it.each([
    ['[]', true],
    ['[[]]', true],
    ['([])', true],
    ['[([])]', true],
    ['([[]])', true],
    ['[ (* a *) ]', true],
    ['[[[]]]', false],
    ['[[] []]', false],
    ['[()]', false],
    ['()', false],
    ['""', false],
    ['[""]', false],
    ['[] {}', false],
    ['[[] {}]', false],
    ['![]', false],
    ['[] & []', false],
  ])('%s: %s', (source, erased) => {
    expect(isErased(parseValue(source))).toBe(erased);
    expect(canonicalOf(`a: ${source} b: 1`)).toBe(
      erased ? 'b: 1\n' : `a: ${printValue(parseValue(source))}\nb: 1\n`,
    );
  });

  it('and lists inside a value stay', () => {
    expect(canonicalOf('a: [[] b [[]]]')).toBe('a: [[] b [[]]]\n');
  });
});

describe('a whole file, for what the mirror writes itself', () => {
  it('in its own order, erased fields and signatures too, with its sections', () => {
    const text = 'b: 1\nsignature: []\na: [[]]\ns {\nc: "x"\nt "l\\"\\\\" {\n}\n}\nd: !a\n';
    expect(printOpamFile(parseFile('b:1 signature:[] a:[[]] s{c:"x"t"l\\"\\\\"{}} d:!(a)'))).toBe(text);
    expect(printOpamFile(parseFile(text))).toBe(text);
  });
});

describe('for every tree', () => {
  it('the text reads back as the bare tree', () => {
    fc.assert(
      fc.property(opamValue, (value) => {
        expect(shapeOf(bare(parseValue(printValue(value))))).toBe(shapeOf(bare(value)));
      }),
      { numRuns: 3000 },
    );
  });

  it('printing what was read gives the same text, on one line', () => {
    fc.assert(
      fc.property(opamValue, (value) => {
        const text = printValue(value);
        expect(printValue(parseValue(text))).toBe(text);
        expect(text).not.toContain('\n');
      }),
      { numRuns: 3000 },
    );
  });

  it('bare once is bare for ever, and prints alike', () => {
    fc.assert(
      fc.property(opamValue, (value) => {
        expect(shapeOf(bare(bare(value)))).toBe(shapeOf(bare(value)));
        expect(printValue(bare(value))).toBe(printValue(value));
      }),
    );
  });

  it('parentheses around any one value in it change nothing', () => {
    fc.assert(
      fc.property(opamValue, fc.infiniteStream(fc.boolean()), (value, choices) => {
        expect(printValue(grouped(value, choices))).toBe(printValue(value));
      }),
      { numRuns: 1000 },
    );
  });

  it('no parentheses in the text can be taken off without changing the meaning', () => {
    fc.assert(
      fc.property(plainOpamValue, (value) => {
        const text = printValue(value);
        for (const [open, close] of pairsOf(text)) {
          const without = text.slice(0, open) + text.slice(open + 1, close) + text.slice(close + 1);
          expect(canonicalOrError(without), `${text} without ${open} and ${close}`).not.toBe(text);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('two trees print alike only when they mean the same', () => {
    let alike = 0;
    fc.assert(
      fc.property(plainOpamValue, plainOpamValue, (a, b) => {
        const same = printValue(a) === printValue(b);
        expect(same).toBe(shapeOf(bare(a)) === shapeOf(bare(b)));
        if (same) alike += 1;
      }),
      { numRuns: 10_000 },
    );
    expect(alike).toBeGreaterThan(10);
  });

  it('a field prints as a line that reads back', () => {
    fc.assert(
      fc.property(opamValue, (value) => {
        const line = printField({ kind: 'field', at: 0, name: 'x', value });
        expect(printOpamFile(parseFile(line + line))).toBe(line + line);
      }),
    );
  });
});

/** The tree with parentheses put around values in it, here and there. */
function grouped(value: Value, choices: fc.Stream<boolean>): Value {
  const again = (inner: Value): Value => grouped(inner, choices);
  const inner = ((): Value => {
    switch (value.kind) {
      case 'list':
      case 'group':
        return { ...value, items: value.items.map(again) };
      case 'option':
        return { ...value, value: again(value.value), options: value.options.map(again) };
      case 'and':
      case 'or':
        return { ...value, operands: value.operands.map(again) };
      case 'not':
      case 'defined':
        return { ...value, operand: again(value.operand) };
      default:
        return value;
    }
  })();
  return choices.next().value === true ? { kind: 'group', at: 0, items: [inner] } : inner;
}

/** The offsets of each `(` and its `)`, in a text without strings that hold any. */
function pairsOf(text: string): readonly (readonly [number, number])[] {
  const open: number[] = [];
  const pairs: (readonly [number, number])[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') open.push(at);
    if (text[at] === ')') pairs.push([open.pop() ?? -1, at]);
  }
  return pairs;
}

function canonicalOrError(source: string): string {
  try {
    return printValue(parseValue(source));
  } catch {
    return 'no value';
  }
}
