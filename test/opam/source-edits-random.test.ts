/** What holds of edits of any file: random files of random layout, with duplicates of everything. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Checksum } from '../../src/hashes.ts';
import { printString, printValue } from '../../src/opam/printer.ts';
import { editSources, type SourceEdit } from '../../src/opam/source-edits.ts';
import { type Source, sourcesOf } from '../../src/opam/sources.ts';
import type { Item } from '../../src/opam/syntax.ts';
import { opamText, opamValue } from '../support/opam-arbitraries.ts';
import { bytesOf, parseFile, shapeOfItems } from '../support/opam-shapes.ts';

const ADDRESSES = ['src', 'archive', 'http', 'git', 'darcs', 'hg', 'local', 'rsync', 'mirrors'];
const CHECKSUMS: readonly Checksum[] = [
  { kind: 'md5', hex: '0a'.repeat(16) },
  { kind: 'sha256', hex: '0b'.repeat(32) },
  { kind: 'sha512', hex: '0c'.repeat(64) },
];
const RECORD = 'x-serai-sources';

/** A top-level item with the gap before it; a section's name as {@link SourceEdit} has it. */
interface Piece {
  readonly text: string;
  readonly section?: { readonly name?: string };
  readonly record?: true;
}

/** `@` in a comment becomes a number of its own. */
const gap = fc
  .array(fc.constantFrom(' ', ' ', '\n', '\n  ', '\r\n\t', '(* @ } "a *)', '# @ ] "\n', '# @\r\n'), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join(''));
const anyGap = fc.option(gap, { nil: '' });

function quoted(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(text, fc.constantFrom('plain', 'triple', 'escaped')).map(([bytes, way]) => {
    if (way === 'triple') return `""${printString(bytes)}""`;
    if (way === 'plain') return printString(bytes);
    return `"${[...bytes].map((byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`).join('')}"`;
  });
}

function listOf(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(fc.tuple(anyGap, value), { maxLength: 3 }), anyGap)
    .map(([values, last]) => `[${values.map((one) => one.join('')).join(' ')}${last}]`);
}

/** Between `:` and a value that is no string and no list a blank keeps them apart: `src:x` is one name. */
function field(name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(name, anyGap, anyGap, value)
    .map(
      ([word, before, behind, text]) => `${word}${before}:${behind}${/^["[]/.test(text) ? '' : ' '}${text}`,
    );
}

const upstream = quoted(opamText.map((text) => `https://upstream/${text.replaceAll('@', '')}`));
const checksumText = quoted(
  fc
    .tuple(fc.constantFrom(...CHECKSUMS), fc.boolean())
    .map(([{ kind, hex }, upper]) => (upper ? `${kind}=${hex}`.toUpperCase() : `${kind}=${hex}`)),
);
const printedValue = opamValue.map((value) => printValue(value)).filter((text) => !text.includes('@'));
const otherField = field(fc.constantFrom('subpath', 'x-a', 'build'), printedValue);

const sectionField = fc.oneof(
  field(
    fc.constantFrom(...ADDRESSES.slice(0, 4), 'src', 'src'),
    fc.oneof(upstream, upstream, fc.constant('x')),
  ),
  field(fc.constant('mirrors'), fc.oneof(upstream, listOf(upstream), fc.constant('x'))),
  field(fc.constant('checksum'), fc.oneof(checksumText, listOf(checksumText))),
  otherField,
);

const body = fc
  .tuple(fc.array(fc.tuple(gap, sectionField), { maxLength: 5 }), anyGap)
  .map(([fields, last]) => `{${fields.map((one) => one.join('')).join('')}${last}}`);

const piece: fc.Arbitrary<Piece> = fc.oneof(
  otherField.map((text) => ({ text })),
  fc.tuple(anyGap, body).map(([space, text]) => ({ text: `url${space}${text}`, section: {} })),
  fc.tuple(fc.constantFrom('a', 'b"\xff'), anyGap, body).map(([name, space, text]) => ({
    text: `extra-source ${printString(name)}${space}${text}`,
    section: { name },
  })),
  field(fc.constant(RECORD), printedValue).map((text) => ({ text, record: true as const })),
);

const pieces: fc.Arbitrary<readonly Piece[]> = fc
  .tuple(fc.array(fc.tuple(gap, piece), { minLength: 1, maxLength: 6 }), anyGap)
  .map(([some, last]) => {
    const all = [...some.map(([space, one]) => ({ ...one, text: space + one.text })), { text: last }];
    let comments = 0;
    return all.map((one) => ({ ...one, text: one.text.replace(/@/g, () => `@${comments++};`) }));
  })
  .filter((all) => all.some(({ section }) => section !== undefined));

const oneEdit = fc.record({
  src: fc.option(
    opamText.map((text) => `http://mirror/${text.replaceAll('@', '')}`),
    { nil: undefined },
  ),
  checksums: fc.option(fc.subarray([...CHECKSUMS]), { nil: undefined }),
});

/** A file, and edits of some of its sources. */
const edited = fc
  .tuple(pieces, fc.array(oneEdit, { minLength: 3, maxLength: 3 }), fc.nat(6))
  .map(([all, some, left]) => {
    const names = new Set(all.flatMap(({ section }) => (section === undefined ? [] : [section.name])));
    const edits: SourceEdit[] = [];
    for (const [index, name] of [...names].entries()) {
      const { src, checksums } = some[index] ?? {};
      if (names.size > 1 && index === left) continue;
      edits.push({
        ...(name === undefined ? {} : { name }),
        ...(src === undefined ? {} : { src }),
        ...(checksums === undefined ? {} : { checksums }),
      });
    }
    return { pieces: all, edits };
  });

function edit(text: string, edits: readonly SourceEdit[]): string {
  return Buffer.from(editSources(bytesOf(text), edits, { file: 'opam' })).toString('latin1');
}

function textOf(all: readonly Piece[]): string {
  return all.map(({ text }) => text).join('');
}

function sourceName(item: Item): string | undefined | false {
  if (item.kind !== 'section' || (item.name !== 'url' && item.name !== 'extra-source')) return false;
  return item.name === 'url' ? undefined : (item.label ?? '');
}

/** The file's items without what edits may change: those of the record's name, and edited fields and duplicates. */
function shapeOfRest(text: string, edits: readonly SourceEdit[]): string {
  const found = new Set<string | undefined>();
  const moved = edits.some(({ src }) => src !== undefined);
  const rest = parseFile(text).items.flatMap((item): readonly Item[] => {
    if (moved && item.name === RECORD) return [];
    const name = sourceName(item);
    const one = name === false ? undefined : edits.find((some) => some.name === name);
    if (item.kind === 'field' || name === false || one === undefined) return [item];
    const first = !found.has(name);
    found.add(name);
    if (!first) return one.src === undefined ? [item] : [];
    const editedNames = [
      ...(one.src === undefined ? [] : ADDRESSES),
      ...(one.checksums === undefined ? [] : ['checksum']),
    ];
    const checksum = item.items.find((inner) => inner.name === 'checksum');
    const items = item.items.filter(
      (inner) => !editedNames.includes(inner.name) || (inner.name === 'checksum' && inner !== checksum),
    );
    return [{ ...item, items }];
  });
  return shapeOfItems(rest);
}

/** What the sources have to be. */
function wanted(before: readonly Source[], edits: readonly SourceEdit[]): readonly Source[] {
  const found = new Set<string | undefined>();
  return before.flatMap((source) => {
    const one = edits.find(({ name }) => name === source.name);
    const first = !found.has(source.name);
    found.add(source.name);
    if (one === undefined) return [source];
    if (!first) return one.src === undefined ? [source] : [];
    const added = (one.checksums ?? []).filter(({ kind }) =>
      source.checksums.every((there) => there.kind !== kind),
    );
    const checksums = [...added, ...source.checksums];
    if (one.src === undefined) return [{ ...source, checksums }];
    return [{ ...source, checksums, src: one.src, mirrors: [], kind: 'archive' as const }];
  });
}

function numbersOf(texts: readonly string[]): readonly number[] {
  return [...texts.join('').matchAll(/@(\d+);/g)].map((match) => Number(match[1]));
}

describe('edits of random files', () => {
  it('show the wanted sources, leave all other items as they were, and change nothing when made again', () => {
    fc.assert(
      fc.property(edited, ({ pieces: all, edits }) => {
        const before = textOf(all);
        const after = edit(before, edits);
        expect(sourcesOf(parseFile(after))).toEqual(wanted(sourcesOf(parseFile(before)), edits));
        expect(shapeOfRest(after, edits)).toBe(shapeOfRest(before, edits));
        expect(edit(after, edits)).toBe(after);
      }),
      { numRuns: 1_500 },
    );
  });

  it('keep every item that they do not concern byte for byte, and every comment outside what they take out', () => {
    fc.assert(
      fc.property(edited, ({ pieces: all, edits }) => {
        const after = edit(textOf(all), edits);
        const moved = edits.some(({ src }) => src !== undefined);
        const untouched = all.filter(({ section, record }) => {
          if (section === undefined) return record === undefined || !moved;
          return !edits.some(({ name }) => name === section.name);
        });
        let at = 0;
        for (const { text } of untouched) {
          const found = after.indexOf(text.trim(), at);
          expect(found, text).toBeGreaterThanOrEqual(0);
          at = found + text.trim().length;
        }
        if (untouched.length === all.length - edits.length) expectSameAround(all, edits, after);
        const numbers = numbersOf([after]);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        expect(numbers).toEqual(expect.arrayContaining([...numbersOf(untouched.map(({ text }) => text))]));
        if (!moved) expect(numbers).toEqual(numbersOf([textOf(all)]));
      }),
      { numRuns: 1_000 },
    );
  });

  it('record what stood there, and leave no address of the upstream outside the record', () => {
    fc.assert(
      fc.property(edited, ({ pieces: all, edits }) => {
        const before = parseFile(textOf(all));
        const after = parseFile(edit(textOf(all), edits));
        const moved = edits.filter(({ src }) => src !== undefined);
        const originals = moved.map(({ name }) => sourcesOf(before).find((source) => source.name === name));
        const records = after.items.filter(({ name }) => name === RECORD);
        if (moved.length === 0) return;
        expect(records).toHaveLength(1);
        const shape = shapeOfItems(records);
        for (const original of originals) {
          const subject = original?.name === undefined ? 'archive' : `extra-source ${original.name}`;
          const texts = [subject, original?.src, ...(original?.mirrors ?? [])].map((text) =>
            JSON.stringify(text),
          );
          expect(shape).toContain(`(list ${texts.join(' ')})`);
        }
        const sections = after.items.filter((item) => moved.some(({ name }) => name === sourceName(item)));
        expect(shapeOfItems(sections)).not.toContain('https://upstream/');
        expect(sections).toHaveLength(moved.length);
      }),
      { numRuns: 1_000 },
    );
  });

  it('checksums go in at one place, or around a lone string, and nothing else is changed', () => {
    fc.assert(
      fc.property(edited, fc.subarray([...CHECKSUMS]), ({ pieces: all, edits }, checksums) => {
        const before = textOf(all);
        const { name } = edits[0] ?? {};
        const after = edit(before, [{ ...(name === undefined ? {} : { name }), checksums }]);
        expect(canBeTakenOut(after, before), after).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Where nothing else is taken out, the bytes before the first edited section and behind the last are the same. */
function expectSameAround(all: readonly Piece[], edits: readonly SourceEdit[], after: string): void {
  const isEdited = ({ section }: Piece): boolean =>
    section !== undefined && edits.some(({ name }) => name === section.name);
  expect(after.startsWith(textOf(all.slice(0, all.findIndex(isEdited))))).toBe(true);
  const tail = textOf(all.slice(all.findLastIndex(isEdited) + 1));
  const record = after.lastIndexOf(`${RECORD}: `);
  const rest = edits.some(({ src }) => src !== undefined) ? after.slice(0, record) : after;
  expect(rest.endsWith(tail) || rest.endsWith(`${tail}\n`) || rest.endsWith(`${tail}\r\n`), after).toBe(true);
}

/** True when `before` is what is left of `after` without one run of checksums, a field of them, or a list's opening. */
function canBeTakenOut(after: string, before: string): boolean {
  const length = after.length - before.length;
  for (let at = 0; at <= before.length; at++) {
    const tail = after.slice(at + length);
    if (
      before.endsWith(tail) &&
      /^\s*(checksum: \[)?("\w+=\w+"\s*)*\]?\s*$/.test(after.slice(at, at + length))
    )
      if (after.slice(0, at) + tail === before) return true;
    const opened = /^\[("\w+=\w+" )+/.exec(after.slice(at, at + length - 1))?.[0];
    const rest = after.slice(at + length - 1);
    if (opened?.length !== length - 1) continue;
    for (let end = rest.indexOf(']'); end !== -1; end = rest.indexOf(']', end + 1))
      if (after.slice(0, at) + rest.slice(0, end) + rest.slice(end + 1) === before) return true;
  }
  return false;
}

describe('edits of random url files', () => {
  it('show the wanted checksums and change nothing else', () => {
    const file = fc
      .array(fc.tuple(gap, sectionField), { maxLength: 5 })
      .map((all) => all.map((one) => one.join('')).join(''));
    fc.assert(
      fc.property(file, fc.subarray([...CHECKSUMS]), (text, checksums) => {
        const run = (from: string): string =>
          Buffer.from(editSources(bytesOf(from), [{ checksums }], { file: 'url' })).toString('latin1');
        const after = run(text);
        const read = (from: string): readonly Source[] => sourcesOf(parseFile(`url {\n${from}\n}`));
        expect(read(after)).toEqual(wanted(read(text), [{ checksums }]));
        expect(run(after)).toBe(after);
        const rest = (from: string): string => shapeOfRest(`url {\n${from}\n}`, [{ checksums }]);
        expect(rest(after)).toBe(rest(text));
      }),
      { numRuns: 500 },
    );
  });
});
