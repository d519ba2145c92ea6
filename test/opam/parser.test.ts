import { describe, expect, it } from 'vitest';
import { OpamSyntaxError } from '../../src/opam/syntax.ts';
import { parseFile, parseValue, shapeOf, shapeOfItems } from '../support/opam-shapes.ts';

describe('values', () => {
  it.each([
    ['"a"', '"a"'],
    ['a', 'a'],
    ['-1', '-1'],
    ['true', '#true'],
    ['[]', '(list)'],
    ['[[]]', '(list (list))'],
    ['[a "b" 1 false]', '(list a "b" 1 #false)'],
    ['()', '(group)'],
    ['(a)', '(group a)'],
    ['(a b)', '(group a b)'],
    ['a {}', '(option a)'],
    ['a {b}', '(option a b)'],
    ['a {b c}', '(option a b c)'],
    ['a {b} {c}', '(option (option a b) c)'],
    ['[a b {c}]', '(list a (option b c))'],
    ['[a] {b}', '(option (list a) b)'],
    ['(a) {b}', '(option (group a) b)'],
  ])('%s', (source, shape) => {
    expect(shapeOf(parseValue(source))).toBe(shape);
  });
});

describe('precedence', () => {
  it.each([
    // & binds tighter than |, and chains are flat.
    ['a & b', '(and a b)'],
    ['a & b & c', '(and a b c)'],
    ['a | b | c', '(or a b c)'],
    ['a | b & c', '(or a (and b c))'],
    ['a & b | c', '(or (and a b) c)'],
    ['a & b | c & d', '(or (and a b) (and c d))'],
    ['(a | b) & c', '(and (group (or a b)) c)'],
    ['a & (b & c)', '(and a (group (and b c)))'],
    // Prefix operators bind tighter than both, and looser than an option and a comparison.
    ['!a & b', '(and (not a) b)'],
    ['a & !b', '(and a (not b))'],
    ['!a | b', '(or (not a) b)'],
    ['?a & ?b', '(and (defined a) (defined b))'],
    ['!?!a', '(not (defined (not a)))'],
    ['!x {a}', '(not (option x a))'],
    ['?x {a} {b}', '(defined (option (option x a) b))'],
    ['(!x) {a}', '(option (group (not x)) a)'],
    ['!a = b', '(not (= a b))'],
    ['?a != b', '(defined (!= a b))'],
    ['!a += b', '(not (env += a b))'],
    ['!(a & b)', '(not (group (and a b)))'],
    ['! = a', '(not (prefix = a))'],
    ['!=a', '(prefix != a)'],
    ['!>= a', '(not (prefix >= a))'],
    // Options bind tighter than the operators before them, and take a whole comparison.
    ['a & b {c}', '(and a (option b c))'],
    ['a {b} & c', '(and (option a b) c)'],
    ['a | b {c}', '(or a (option b c))'],
    ['a = b {c}', '(option (= a b) c)'],
    ['= a {c}', '(option (prefix = a) c)'],
    ['a += b {c}', '(option (env += a b) c)'],
    ['a {b & c | d}', '(option a (or (and b c) d))'],
    // A comparison takes two atoms; what is not an atom cannot be its side.
    ['a = b', '(= a b)'],
    ['a & b = c', '(and a (= b c))'],
    ['a = b & c = d', '(and (= a b) (= c d))'],
    ['a & = b', '(and a (prefix = b))'],
    ['>= "1" & < "2" | = "3"', '(or (and (prefix >= "1") (prefix < "2")) (prefix = "3"))'],
    ['[a = b = c]', '(list (= a b) (prefix = c))'],
    ['[a = b c]', '(list (= a b) c)'],
    ['[= a = b]', '(list (prefix = a) (prefix = b))'],
    ['[= a b]', '(list (prefix = a) b)'],
    ['[a (= b)]', '(list a (group (prefix = b)))'],
    ['[(a) = b]', '(list (group a) (prefix = b))'],
    ['[[a] = b]', '(list (list a) (prefix = b))'],
    ['[a {b} = c]', '(list (option a b) (prefix = c))'],
    ['[a += b = c]', '(list (env += a b) (prefix = c))'],
    ['[!a = b]', '(list (not (= a b)))'],
    ['[!a !b]', '(list (not a) (not b))'],
    ['[a ! = b]', '(list a (not (prefix = b)))'],
    ['[a != b]', '(list (!= a b))'],
    ['[a & b c | d]', '(list (and a b) (or c d))'],
  ])('%s', (source, shape) => {
    expect(shapeOf(parseValue(source))).toBe(shape);
  });

  it.each(['=', '!=', '<', '<=', '>', '>=', '~'])('%s compares, and stands before a version', (operator) => {
    expect(shapeOf(parseValue(`a ${operator} "1"`))).toBe(`(${operator} a "1")`);
    expect(shapeOf(parseValue(`a${operator}1`))).toBe(`(${operator} a 1)`);
    expect(shapeOf(parseValue(`${operator} "1"`))).toBe(`(prefix ${operator} "1")`);
  });

  it.each(['+=', '=+', '=+=', ':=', '=:'])('%s changes the environment', (operator) => {
    expect(shapeOf(parseValue(`A ${operator} "1"`))).toBe(`(env ${operator} A "1")`);
    expect(shapeOf(parseValue(`"A"${operator}"1"`))).toBe(`(env ${operator} "A" "1")`);
    expect(() => parseValue(`${operator} "1"`)).toThrow('line 1, column 0: expected a value');
  });
});

describe('files', () => {
  it.each([
    ['', ''],
    ['a: b', '(field a b)'],
    ['a:"b"', '(field a "b")'],
    ['a :b', '(field a b)'],
    ['a: b c: d', '(field a b) (field c d)'],
    ['a: [b] c: d', '(field a (list b)) (field c d)'],
    ['a: b a: c', '(field a b) (field a c)'],
    ['a:b: c', '(field a:b c)'],
    ['a+b: c', '(field a+b c)'],
    ['s {}', '(section s)'],
    ['s { a: b }', '(section s (field a b))'],
    ['s "l" { a: b c: d }', '(section s "l" (field a b) (field c d))'],
    ['s "" {}', '(section s "")'],
    ['s """l/m""" {}', '(section s "l/m")'],
    ['s { t { u "l" {} } a: b } c: d', '(section s (section t (section u "l")) (field a b)) (field c d)'],
    ['a: b {c} s {}', '(field a (option b c)) (section s)'],
    ['a: b & c: d', undefined],
    ['a: b s { }', '(field a b) (section s)'],
  ])('%j', (source, shape) => {
    if (shape === undefined) expect(() => parseFile(source)).toThrow(OpamSyntaxError);
    else expect(shapeOfItems(parseFile(source).items)).toBe(shape);
  });

  it('knows where each item and value begins, in bytes', () => {
    const [first, second] = parseFile('# \xc3\xa9\nname: "\xc3\xa9"\n s "l" { a: x & y }').items;
    expect(first).toMatchObject({ kind: 'field', at: 5, value: { at: 11 } });
    expect(second).toMatchObject({
      kind: 'section',
      at: 17,
      items: [{ at: 25, value: { kind: 'and', at: 28 } }],
    });
  });

  it('knows where a compound value begins: at its first token', () => {
    expect(parseValue(' a = b')).toMatchObject({ at: 1 });
    expect(parseValue(' = b')).toMatchObject({ at: 1 });
    expect(parseValue(' !b')).toMatchObject({ at: 1, operand: { at: 2 } });
    expect(parseValue(' b {c}')).toMatchObject({ at: 1, options: [{ at: 4 }] });
    expect(parseValue(' [b c]')).toMatchObject({ at: 1, items: [{ at: 2 }, { at: 4 }] });
    expect(parseValue(' a & b | c')).toMatchObject({ at: 1, operands: [{ at: 1 }, { at: 9 }] });
  });
});

describe('errors', () => {
  it.each([
    ['a', 1, 1, "expected ':' or '{' after 'a', found the end of the file"],
    ['a b', 1, 2, "expected ':' or '{' after 'a', found 'b'"],
    ['a "l"', 1, 5, "expected '{', found the end"],
    ['a "l" : b', 1, 6, "expected '{', found ':'"],
    ['a:', 1, 2, 'expected a value, found the end'],
    ['a:\n\n', 3, 0, 'expected a value, found the end'],
    ['"a": b', 1, 0, 'expected a field or a section, found \'"a"\''],
    ['1: b', 1, 0, "expected a field or a section, found '1'"],
    ['true: b', 1, 0, "expected a field or a section, found 'true'"],
    ['a: b c', 1, 6, "expected ':' or '{' after 'c', found the end"],
    ['a: b }', 1, 5, "expected a field or a section, found '}'"],
    ['a: b )', 1, 5, "expected a field or a section, found ')'"],
    ['s {', 1, 3, 'expected a field or a section, found the end'],
    ['s { a: b', 1, 8, 'expected a field or a section, found the end'],
    ['s { b }', 1, 6, "expected ':' or '{' after 'b', found '}'"],
    ['a: [', 1, 4, 'expected a value, found the end'],
    ['a: [b)', 1, 5, "expected a value, found ')'"],
    ['a: (b]', 1, 5, "expected a value, found ']'"],
    ['a: b {c', 1, 7, 'expected a value, found the end'],
    ['a: b {c]', 1, 7, "expected a value, found ']'"],
    ['a: {b}', 1, 3, "expected a value, found '{'"],
    ['a: & b', 1, 3, "expected a value, found '&'"],
    ['a: b &', 1, 6, 'expected a value, found the end'],
    ['a: b | | c', 1, 7, "expected a value, found '|'"],
    ['a: b &\n\n & c', 3, 1, "expected a value, found '&'"],
    ['a: !', 1, 4, 'expected a value'],
    ['a: b =', 1, 6, 'expected a value'],
    ['a: b = (c)', 1, 7, "expected a value, found '('"],
    ['a: b = [c]', 1, 7, "expected a value, found '['"],
    ['a: b = !c', 1, 7, "expected a value, found '!'"],
    ['a: = = b', 1, 5, "expected a value, found '='"],
    ['a: b += {c}', 1, 8, "expected a value, found '{'"],
    ['a: (b) = c', 1, 7, "expected a field or a section, found '='"],
    ['a: b = c = d', 1, 9, "expected a field or a section, found '='"],
    ['a: b =:= c', 1, 5, "'=' does not begin anything here"],
    ['a: b + c', 1, 5, "'+' does not begin anything here"],
    ['a: b, c', 1, 4, "',' does not begin anything here"],
    ['a: $', 1, 3, "'$' does not begin anything here"],
    ['a: \0', 1, 3, 'byte 0x00 does not begin anything here'],
    ['a: \xff', 1, 3, 'byte 0xff does not begin anything here'],
    ['\xef\xbb\xbfa: b', 1, 0, 'byte 0xef does not begin anything here'],
    ['a: "b', 1, 3, 'the string that begins here is not closed with "'],
    ['x: y\na: "b\n\n', 2, 3, 'the string that begins here is not closed with "'],
    ['a: """b""', 1, 3, 'the string that begins here is not closed with """'],
    ['a: "\\', 1, 4, 'this is no escape that opam knows'],
    ['a: "b\nc\\q"', 2, 1, 'this is no escape that opam knows'],
    ['a: b (* c', 1, 5, 'the comment that begins here is not closed with *)'],
    ['(* (* *)\n', 1, 0, 'the comment that begins here is not closed with *)'],
    ['a: b\n*)', 2, 0, "'*' does not begin anything here"],
    ['\xc3\xa9\n', 1, 0, 'byte 0xc3'],
    ['# \xc3\xa9\n"\xc3\xa9" $', 2, 0, 'expected a field or a section, found \'"\xe9"\''],
    ['a: ["\xc3\xa9" $]', 1, 9, "'$' does not begin anything here"],
    ['a: b\r\nc: d\r\n$', 3, 0, "'$' does not begin anything here"],
    ['a: 99999999999999999999', 1, 3, 'the number is beyond'],
  ])('%j: line %i, column %i', (source, line, column, message) => {
    let error: unknown;
    try {
      parseFile(source);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(OpamSyntaxError);
    expect(error).toMatchObject({ code: 'opam-syntax', line, column });
    expect(String((error as Error).message)).toContain(`line ${line}, column ${column}: ${message}`);
  });

  it('quote little of the file, and nothing that a terminal obeys', () => {
    const long = 'x'.repeat(1000);
    for (const source of [`a: b ${long}`, `a: ${'-_'.repeat(1000)}`, `"${long}": b`, `a "l" ${long}`]) {
      expect(() => parseFile(source)).toThrow(/^line 1, column \d+: .{1,120}$/u);
    }
    expect(() => parseFile('"\x1b[31m\n\xe2\x80\xae": b')).toThrow('found \'"\ufffd[31m\ufffd\ufffd"\'');
  });
});

describe('depth', () => {
  it.each([
    ['(', ')'],
    ['[', ']'],
    ['a {', '}'],
    ['!', ''],
    ['?', ''],
    ['a & (', ')'],
  ])('%s counts one level each', (open, close) => {
    const nested = (levels: number): string => `x: ${open.repeat(levels)}a${close.repeat(levels)}`;
    expect(() => parseFile(nested(500))).not.toThrow();
    expect(() => parseFile(nested(501))).toThrow('more than 500 levels inside one another');
  });

  it('counts options behind one another, whose tree is as deep', () => {
    expect(() => parseValue(`a${' {b}'.repeat(500)}`)).not.toThrow();
    expect(() => parseValue(`a${' {b}'.repeat(501)}`)).toThrow('more than 500 levels');
    expect(() => parseValue(`[${'a {b}'.repeat(1000)}]`)).not.toThrow();
  });

  it('counts sections, and is not counted from one item to the next', () => {
    expect(() => parseFile('s {'.repeat(500) + '}'.repeat(500))).not.toThrow();
    expect(() => parseFile('s {'.repeat(501) + '}'.repeat(501))).toThrow(
      'line 1, column 1502: more than 500',
    );
    expect(() => parseFile('s { a: [!(b {c})] } '.repeat(1000))).not.toThrow();
  });
});
