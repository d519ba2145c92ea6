import { describe, expect, it } from 'vitest';
import { elementsOf, field, fields, sections, stringOf, stringsOf } from '../../src/opam/fields.ts';
import { displayText, excerpt, sourceText } from '../../src/opam/syntax.ts';
import { parseFile, parseValue, shapeOf } from '../support/opam-shapes.ts';

describe('items by name', () => {
  const { items } = parseFile('a: 1 s { a: 2 } a: 3 s "l" { } b { } c: 4');

  it('the first field, never one inside a section', () => {
    expect(field(items, 'a')).toMatchObject({ digits: '1' });
    expect(field(items, 's')).toBeUndefined();
    expect(field(items, 'd')).toBeUndefined();
    expect(field(items, 'A')).toBeUndefined();
  });

  it('all fields, all sections of a name', () => {
    expect(fields(items).map((item) => item.name)).toEqual(['a', 'a', 'c']);
    expect(sections(items, 's').map((section) => section.label)).toEqual([undefined, 'l']);
    expect(sections(items, 'a')).toEqual([]);
  });
});

describe('strings', () => {
  it.each([
    ['"a"', 'a'],
    ['("a")', 'a'],
    ['(("a"))', 'a'],
    ['""', ''],
    ['a', undefined],
    ['1', undefined],
    ['("a" "b")', undefined],
    ['()', undefined],
    ['["a"]', undefined],
    ['"a" {b}', undefined],
    ['!"a"', undefined],
  ])('%s', (source, text) => {
    expect(stringOf(parseValue(source))).toBe(text);
  });

  it.each([
    ['"a"', ['a']],
    ['("a")', ['a']],
    ['[]', []],
    ['["a" ("b")]', ['a', 'b']],
    ['["a" b]', undefined],
    ['[["a"]]', undefined],
    ['a', undefined],
    ['("a" "b")', undefined],
  ])('%s as a list', (source, texts) => {
    expect(stringsOf(parseValue(source))).toEqual(texts);
  });

  it('an absent value has none', () => {
    expect(stringOf(undefined)).toBeUndefined();
    expect(stringsOf(undefined)).toEqual([]);
    expect(elementsOf(undefined)).toEqual([]);
  });

  it('elements of a list, and of what is none the value itself', () => {
    expect(elementsOf(parseValue('[a [b]]')).map((value) => shapeOf(value))).toEqual(['a', '(list b)']);
    expect(elementsOf(parseValue('(a b)')).map((value) => shapeOf(value))).toEqual(['(group a b)']);
  });
});

describe('bytes and what a person reads', () => {
  it('one byte a character, from a piece of a buffer too', () => {
    const buffer = Buffer.from('xx\xc3\xa9\xff\0yy', 'latin1');
    expect(sourceText(buffer.subarray(2, 6))).toBe('\xc3\xa9\xff\0');
  });

  it('decodes UTF-8 and replaces what is none', () => {
    expect(displayText('\xc3\xa9')).toBe('é');
    expect(displayText('a\xffb')).toBe('a\ufffdb');
  });

  it.each([
    ['a', "'a'"],
    ['\xc3\xa9', "'é'"],
    ['a\nb\x1b[0m\x7f', "'a\ufffdb\ufffd[0m\ufffd'"],
    ['\xe2\x80\xae\xe2\x80\xa8', "'\ufffd\ufffd'"],
    ['a'.repeat(40), `'${'a'.repeat(40)}'`],
    ['a'.repeat(41), `'${'a'.repeat(40)}…'`],
  ])('quotes %j for a message', (text, quoted) => {
    expect(excerpt(text)).toBe(quoted);
  });
});
