/** OPAM-CLIENT.md, "The real repository": every opam file of it parses, prints and reads back. */
import { beforeAll, describe, expect, it } from 'vitest';
import { field, sections } from '../../src/opam/fields.ts';
import { packageIdOfPath } from '../../src/opam/package-id.ts';
import { parseOpamFile } from '../../src/opam/parser.ts';
import { bare, printOpamFile } from '../../src/opam/printer.ts';
import { readRepoFile, rewriteRepoFile } from '../../src/opam/repo.ts';
import { type Source, sourcesOf } from '../../src/opam/sources.ts';
import type { Item, OpamFile } from '../../src/opam/syntax.ts';
import { bytesOf, parseFile, shapeOf, shapeOfItems } from '../support/opam-shapes.ts';
import { hasRealData, type RealFile, realFiles } from '../support/real-data.ts';

function bareItems(items: readonly Item[]): readonly Item[] {
  return items.map((item) =>
    item.kind === 'field' ? { ...item, value: bare(item.value) } : { ...item, items: bareItems(item.items) },
  );
}

function expectReadsBack(path: string, file: OpamFile): void {
  const text = printOpamFile(file);
  const again = parseFile(text);
  expect(shapeOfItems(bareItems(again.items)), path).toBe(shapeOfItems(bareItems(file.items)));
  expect(printOpamFile(again), path).toBe(text);
}

function isOpamFile(file: RealFile): boolean {
  return file.path.startsWith('packages/') && file.path.endsWith('/opam');
}

describe.skipIf(!hasRealData('tricky-opam.tar.gz'))('the forty files with something odd in them', () => {
  it('parse, print and read back', async () => {
    const files = (await realFiles('tricky-opam.tar.gz')).filter(isOpamFile);
    expect(files).toHaveLength(40);
    for (const { path, bytes } of files) expectReadsBack(path, parseOpamFile(bytes));
  });
});

describe.skipIf(!hasRealData('full-index.tar.gz'))('the whole repository', () => {
  let files: readonly RealFile[] = [];
  const parsed = new Map<string, OpamFile>();
  beforeAll(async () => {
    files = await realFiles('full-index.tar.gz');
    for (const { path, bytes } of files.filter(isOpamFile)) parsed.set(path, parseOpamFile(bytes));
  });

  it('parses: 18,793 versions of 4,596 names', () => {
    expect(parsed.size).toBe(18_793);
    const ids = [...parsed.keys()].map((path) => packageIdOfPath(path));
    expect(ids.filter((found) => found?.file !== 'opam')).toEqual([]);
    expect(new Set(ids.map((found) => found?.id.name)).size).toBe(4_596);
  });

  it('prints and reads back', () => {
    for (const [path, file] of parsed) expectReadsBack(path, file);
  });

  it('two files have a field twice', () => {
    const twice = [...parsed.values()].filter(
      ({ items }) => new Set(items.map((item) => shapeOfKey(item))).size !== items.length,
    );
    expect(twice).toHaveLength(2);
  });

  it('declares its archives in these ways', () => {
    const urls: Source[] = [];
    for (const file of parsed.values())
      if (sections(file.items, 'url').length > 0) urls.push(...sourcesOf(file).slice(0, 1));
    const counts: Record<string, number> = {};
    for (const url of urls) {
      const kinds = [...new Set(url.checksums.map((checksum) => checksum.kind))].sort();
      counts[kinds.join('+')] = (counts[kinds.join('+')] ?? 0) + 1;
    }
    expect(counts).toEqual({
      'sha256+sha512': 7_258,
      'md5+sha512': 4_926,
      'md5+sha256': 4_187,
      sha256: 1_189,
      sha512: 344,
      'md5+sha256+sha512': 53,
      md5: 2,
      '': 19,
    });
    expect(urls.filter((url) => url.checksums[0]?.kind === 'md5')).toHaveLength(5_010);
    expect(urls.filter((url) => url.malformed.length > 0)).toEqual([]);
  });

  it('declares its extra sources in these', () => {
    const extra = [...parsed.values()].map((file) =>
      sourcesOf(file).filter((source) => source.name !== undefined),
    );
    expect(extra.flat()).toHaveLength(954);
    expect(extra.filter((sources) => sources.length > 0)).toHaveLength(705);
    expect(
      extra.flat().filter((source) => source.checksums.length === 0 || source.malformed.length > 0),
    ).toEqual([]);
  });

  it('has a repo file that is rewritten', () => {
    const repo = readRepoFile(files.find((file) => file.path === 'repo')?.bytes);
    const served = rewriteRepoFile(repo, 'ours');
    expect(readRepoFile(bytesOf(served))).toMatchObject({ archiveMirrors: ['cache'], stamp: 'ours' });
    const announce = field(repo.file.items, 'announce');
    const kept = field(parseFile(served).items, 'announce');
    if (announce === undefined || kept === undefined) throw new Error('the announcement is lost');
    expect(shapeOf(bare(kept))).toBe(shapeOf(bare(announce)));
  });
});

/** What makes an item a duplicate of another: a field's name, a section's name and label. */
function shapeOfKey(item: Item): string {
  return item.kind === 'field' ? item.name : `${item.name} ${JSON.stringify(item.label)} {`;
}
