/** Edits of every opam file of the real repository, and what the real opam makes of the results. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checksum } from '../../src/hashes.ts';
import { field, sections } from '../../src/opam/fields.ts';
import { parseOpamFile } from '../../src/opam/parser.ts';
import { printValue } from '../../src/opam/printer.ts';
import { editSources, type SourceEdit } from '../../src/opam/source-edits.ts';
import { type Source, sourcesOf } from '../../src/opam/sources.ts';
import type { Item } from '../../src/opam/syntax.ts';
import { hasOpam, makeOpamFolder, normalisedByOpam, removeOpamFolder } from '../support/opam-command.ts';
import { bytesOf, parseFile, shapeOfItems } from '../support/opam-shapes.ts';
import { hasRealData, type RealFile, realFiles } from '../support/real-data.ts';

const ADDED: Checksum = { kind: 'sha512', hex: '0'.repeat(128) };

interface Rewritten {
  readonly path: string;
  readonly before: string;
  readonly after: string;
  readonly was: readonly Source[];
  readonly wanted: readonly Source[];
}

/** Named as an archive, since lint (error 67) judges addresses by their endings. */
function mirrored(source: Source): string {
  const [first] = source.checksums;
  return `http://mirror/${first?.kind}/${first?.hex}.tgz`;
}

function isArchive(source: Source): boolean {
  return source.kind === 'archive' && source.checksums.length > 0;
}

function edit(text: string, edits: readonly SourceEdit[]): string {
  return Buffer.from(editSources(bytesOf(text), edits, { file: 'opam' })).toString('latin1');
}

function rewrite(file: RealFile): Rewritten | undefined {
  const before = Buffer.from(file.bytes).toString('latin1');
  const was = sourcesOf(parseOpamFile(file.bytes));
  const edits = was.filter(isArchive).map((source) => ({
    ...(source.name === undefined ? {} : { name: source.name }),
    src: mirrored(source),
  }));
  if (edits.length === 0) return undefined;
  const wanted = was.map((source) =>
    isArchive(source) ? { ...source, src: mirrored(source), mirrors: [] } : source,
  );
  const after = edit(before, edits);
  expect(edit(after, edits) === after, file.path).toBe(true);
  return { path: file.path, before, after, was: was.filter(isArchive), wanted };
}

function recordOf(was: readonly Source[]): string {
  const entries = was.map(({ name, src, mirrors }) => {
    const texts = [name === undefined ? 'archive' : `extra-source ${name}`, src, ...mirrors];
    return `[${texts.map((text) => JSON.stringify(text)).join(' ')}]`;
  });
  return `x-serai-sources: [${entries.join(' ')}]\n`;
}

function isSource(item: Item): boolean {
  return item.name === 'url' || item.name === 'extra-source';
}

describe.skipIf(!hasOpam())('duplicates, as the real opam reads them', () => {
  let folder = '';
  beforeAll(() => {
    folder = makeOpamFolder();
  });
  afterAll(() => removeOpamFolder(folder));

  it.each([
    'url { src: "https://a/a.tgz" src: "https://b/a.tgz" mirrors: "https://c" mirrors: "https://d" }',
    'url { src: "https://a/a.tgz" } url { src: "https://b/a.tgz" mirrors: "https://c" }',
    'url { src: "https://a/a.tgz" } url "l" { src: "https://b/a.tgz" }',
    'url { archive: "https://a/a.tgz" http: "https://b/a.tgz" git: "https://c" }',
    'url { git: "https://a" src: x mirrors: ["https://b"] }',
    'url { mirrors: ["https://b"] }',
  ])('%s: only the mirror is left', (text) => {
    const after = edit(`opam-version: "2.0"\n${text}`, [{ src: 'http://mirror/a.tgz', checksums: [ADDED] }]);
    const read = sourcesOf(parseFile(normalisedByOpam(folder, after) ?? ''));
    expect(read).toEqual([
      { src: 'http://mirror/a.tgz', mirrors: [], kind: 'archive', checksums: [ADDED], malformed: [] },
    ]);
  });
});

describe.skipIf(!hasRealData('full-index.tar.gz'))('the whole repository', () => {
  let files: readonly RealFile[] = [];
  let rewritten: readonly Rewritten[] = [];
  beforeAll(async () => {
    const all = await realFiles('full-index.tar.gz');
    files = all.filter(({ path }) => path.startsWith('packages/') && path.endsWith('/opam'));
    rewritten = files.flatMap((file) => rewrite(file) ?? []);
  });

  it('names the mirror wherever there is an archive, and all else parses as before', () => {
    expect(rewritten.length).toBeGreaterThan(17_000);
    for (const { path, before, after, was, wanted } of rewritten) {
      const parsed = parseFile(after);
      expect(sourcesOf(parsed), path).toEqual(wanted);
      expect(after.endsWith(`\n${recordOf(was)}`), path).toBe(true);
      const rest = parsed.items.filter((item) => !isSource(item)).slice(0, -1);
      const original = parseFile(before).items.filter((item) => !isSource(item));
      expect(shapeOfItems(rest), path).toBe(shapeOfItems(original));
    }
  });

  it('changes no line but those of addresses', () => {
    const changed = new Map<string, number>();
    for (const { before, after, was } of rewritten) {
      const left = new Set(after.split('\n'));
      for (const line of before.split('\n')) {
        if (left.has(line)) continue;
        const address = was
          .flatMap(({ src, mirrors }) => [src, ...mirrors])
          .find((text) => line.includes(`"${text}"`));
        const kind = line.replace(`"${address}"`, 'ADDRESS').trim();
        changed.set(kind, (changed.get(kind) ?? 0) + 1);
      }
    }
    const kinds = [...changed.keys()].sort();
    expect(kinds).toEqual(['ADDRESS', 'archive: ADDRESS', 'mirrors:', 'mirrors: ADDRESS', 'src: ADDRESS']);
  });

  it('takes a checksum more in every url section, and nothing else is moved', () => {
    let edited = 0;
    for (const { path, bytes } of files) {
      const file = parseOpamFile(bytes);
      const [url] = sourcesOf(file);
      if (sections(file.items, 'url').length === 0 || url === undefined) continue;
      if (url.checksums.some(({ kind }) => kind === ADDED.kind)) continue;
      edited += 1;
      const before = Buffer.from(bytes).toString('latin1');
      const after = edit(before, [{ checksums: [ADDED] }]);
      const [, ...others] = sourcesOf(file);
      expect(sourcesOf(parseFile(after)), path).toEqual([
        { ...url, checksums: [ADDED, ...url.checksums] },
        ...others,
      ]);
      const added = `"sha512=${ADDED.hex}"`;
      const without = after.replace(new RegExp(`${added}\\s+|\\n *checksum: \\[${added}\\]`), '');
      expect(without === before || without.replace(/\[("\w+=\w+")\]/, '$1') === before, path).toBe(true);
    }
    expect(edited).toBeGreaterThan(5_000);
  });

  describe.skipIf(!hasOpam())('to the real opam', () => {
    let folder = '';
    let some: readonly Rewritten[] = [];
    beforeAll(() => {
      folder = makeOpamFolder();
      some = rewritten.filter(({ was }, index) => index % 300 === 0 || (was.length > 1 && index % 20 === 0));
    });
    afterAll(() => removeOpamFolder(folder));

    function opam(cwd: string, args: readonly string[]): string {
      const env = { ...process.env, OPAMROOT: join(folder, 'root'), OPAMROOTISOK: '1', OPAMCOLOR: 'never' };
      return spawnSync('opam', args, { cwd, env, encoding: 'latin1' }).stdout;
    }

    /** The numbers of lint's findings, for each file with any. */
    function lint(kind: 'before' | 'after'): readonly string[] {
      const names = some.map((one, index) => {
        const name = join(folder, `${index}.opam`);
        writeFileSync(name, one[kind], 'latin1');
        return name;
      });
      return opam(folder, ['lint', '--short', ...names]).split('\n');
    }

    it('the same as before to lint', () => {
      const before = lint('before');
      expect(some.length).toBeGreaterThan(50);
      expect(before.length).toBeGreaterThan(5);
      expect(lint('after')).toEqual(before);
    });

    it('read with the wanted sources and the record', () => {
      for (const { path, after, wanted } of some.slice(0, 12)) {
        const file = parseFile(normalisedByOpam(folder, after) ?? '');
        expect(sourcesOf(file), path).toEqual(expect.arrayContaining([...wanted]));
        const record = field(file.items, 'x-serai-sources');
        const ours = field(parseFile(after).items, 'x-serai-sources');
        if (record === undefined || ours === undefined) throw new Error(`${path} lost its record`);
        expect(printValue(record), path).toBe(printValue(ours));
      }
    });

    it('listed, as a repository', () => {
      const repository = join(folder, 'repository');
      for (const { path, after } of some) {
        mkdirSync(dirname(join(repository, path)), { recursive: true });
        writeFileSync(join(repository, path), after, 'latin1');
      }
      writeFileSync(join(repository, 'repo'), 'opam-version: "2.0"\n');
      const listed = opam(repository, ['admin', 'list', '--short', '--columns=package', '--all-versions']);
      const packages = some.map(({ path }) => path.split('/')[2]);
      expect(
        listed
          .split('\n')
          .filter((line) => line !== '')
          .sort(),
      ).toEqual(packages.sort());
      const fields = opam(repository, ['admin', 'list', '--short', '--columns=url.src:', '--all-versions']);
      expect(fields).not.toContain('https://');
    });
  });
});
