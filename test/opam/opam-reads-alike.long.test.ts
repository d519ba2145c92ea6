/** Our reader beside the real opam's (`opam lint --normalise`): the same texts are files, and mean the same. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fields } from '../../src/opam/fields.ts';
import { bare, isErased, printString, printValue } from '../../src/opam/printer.ts';
import { opamText, opamValue } from '../support/opam-arbitraries.ts';
import { hasOpam, makeOpamFolder, normalisedByOpam, removeOpamFolder } from '../support/opam-command.ts';
import { parseFile, shapeOf } from '../support/opam-shapes.ts';

const HEADER = 'opam-version: "2.0"\n';

/** Pieces of sources, right and wrong; put together at random most are wrong, a few are not. */
const SOURCE_PIECES = [
  ...['a', 'b-1', '_', '_+a', 'a+b', ':c', 'true', 'false', '0', '-1', '1_', '-', '4611686018427387904'],
  ...[
    '"s"',
    '"""t"""',
    '"',
    '\\',
    '\\\n',
    '\\n',
    '\\065',
    '\\256',
    '\\x4',
    '\\x41',
    "\\'",
    '\r',
    '\r\n',
    '\n',
  ],
  ...['(', ')', '[', ']', '{', '}', '&', '|', '!', '?', '=', '!=', '<', '>=', '~', '+=', '=+', ':=', '=:'],
  ...['+', ':', ' ', ' ', ' ', '(*', '*)', '#', '# c\n', '(* c *)', ',', '$', '\0', '\xff', '\xc3\xa9'],
];

const source: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...SOURCE_PIECES), { maxLength: 6 }).map((pieces) => pieces.join('')),
  opamValue.map((value) => printValue(value)),
  fc.tuple(opamValue, fc.nat(), fc.constantFrom(...SOURCE_PIECES)).map(([value, at, piece]) => {
    const text = printValue(value);
    const cut = at % (text.length + 1);
    return text.slice(0, cut) + piece + text.slice(cut);
  }),
);

/** `x-0: …`, `x-1: …`, one for each value, so that one run of opam reads many. */
function fileOfValues(values: readonly string[]): string {
  return HEADER + values.map((value, i) => `x-${i}: ${value}\n`).join('');
}

/**
 * What our reader makes of the `x-` fields, as shapes; undefined when it is no file. opam sorts these, and
 * leaves empty lists out.
 */
function meaningOf(text: string): readonly string[] | undefined {
  try {
    return fields(parseFile(text).items)
      .filter((field) => field.name.startsWith('x-') && !isErased(field.value))
      .map((field) => `${field.name} ${shapeOf(bare(field.value))}`)
      .sort();
  } catch {
    return undefined;
  }
}

/** opam 2.1 reads `~` as `>=`. */
function withoutTilde(meaning: readonly string[] | undefined): readonly string[] | undefined {
  return meaning?.map((shape) => shape.replaceAll('(prefix ~ ', '(prefix >= ').replaceAll('(~ ', '(>= '));
}

describe.skipIf(!hasOpam())('beside the real opam', () => {
  let folder = '';
  beforeAll(() => {
    folder = makeOpamFolder();
  });
  afterAll(() => removeOpamFolder(folder));

  /** As opam prints it; undefined when it is no file. */
  function expectFileToBoth(text: string): string | undefined {
    const printed = normalisedByOpam(folder, text);
    expect({ text, file: meaningOf(text) !== undefined }).toEqual({ text, file: printed !== undefined });
    return printed;
  }

  function expectAlike(text: string): void {
    const printed = expectFileToBoth(text);
    if (printed === undefined) return;
    expect({ text, meaning: withoutTilde(meaningOf(printed)) }).toEqual({
      text,
      meaning: withoutTilde(meaningOf(text)),
    });
  }

  it('our canonical texts mean the same to it', () => {
    // Not those with a newline in a string: opam prints them on lines of their own, and loses blanks then.
    const texts = opamValue.map((value) => printValue(value)).filter((text) => !text.includes('\\n'));
    fc.assert(
      fc.property(fc.array(texts, { minLength: 50, maxLength: 150 }), (values) => {
        expectAlike(fileOfValues(values));
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  it('strings are the same bytes to it', () => {
    const texts = opamText.map((text) => printString(text.replaceAll('\n', '')));
    fc.assert(
      fc.property(fc.array(texts, { minLength: 50, maxLength: 150 }), (values) => {
        expectAlike(fileOfValues(values));
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  it('random sources are files to both or to neither', () => {
    let files = 0;
    fc.assert(
      fc.property(source, (text) => {
        expectFileToBoth(`${HEADER}x-a: ${text}`);
        if (meaningOf(`${HEADER}x-a: ${text}`) !== undefined) files += 1;
      }),
      { numRuns: 150 },
    );
    expect(files).toBeGreaterThan(15);
  });

  it.each([
    '!a & b',
    '!x {a}',
    '!a = b',
    'a | b & c',
    '[a = b = c]',
    '(!x) {a}',
    '!(= a)',
    '[a (= b)]',
    '[a (= b {c})]',
    '[!(a & b) = c]',
    'a {b} {c}',
    '"x\\\r\n  y\r\nz\rw"',
    '"""a"b"""',
    'a # no newline',
    'a #',
    'a (* (* *) *)',
    'true:x',
    '_+a',
    '-0_1',
    '-4611686018427387904',
    '-4611686018427387905',
    '4611686018427387904',
    '_',
    'a =:= b',
    'a (*',
    '"\\256"',
    '"\\q"',
  ])('%j', (value) => {
    expectAlike(`${HEADER}x-a: ${value}`);
  });
});
