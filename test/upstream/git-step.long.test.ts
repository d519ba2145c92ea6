/** What changed between two commits, read alone: together with the earlier tree it is the later one. */
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packageIdOfPath } from '../../src/opam/package-id.ts';
import { ObjectReader } from '../../src/upstream/git-objects.ts';
import { type GitRepository, openGitRepository } from '../../src/upstream/git-repository.ts';
import { type GitStep, readGitStep, sizeOf, type TreeSize } from '../../src/upstream/git-step.ts';
import { type CommitMark, type FileSpec, GitBuilder, temporaryFolder } from '../support/git-builder.ts';
import { codeOf, limits, version } from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let builder: GitBuilder;
const opened: GitRepository[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  builder = await GitBuilder.create(join(folder.path, 'up.git'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((repository) => repository.close()));
  await folder.remove();
});

const isWhole = (path: string): boolean => packageIdOfPath(`${path}opam`)?.file === 'opam';

async function open(changes: Partial<typeof limits> = {}): Promise<GitRepository> {
  const repository = await openGitRepository(builder.dir, { limits: { ...limits, ...changes } });
  opened.push(repository);
  return repository;
}

async function commits(...all: readonly Record<string, FileSpec>[]): Promise<string[]> {
  const marks: CommitMark[] = [];
  for (const files of all) marks.push(builder.commit({ files }));
  await builder.write();
  return marks.map((mark) => builder.id(mark));
}

async function stepOf(
  repository: GitRepository,
  from: string,
  to: string,
  sizeBefore?: TreeSize,
): Promise<GitStep | undefined> {
  return repository.step({
    from,
    to,
    sizeBefore: sizeBefore ?? sizeOf(await repository.tree(from)),
    isWhole,
  });
}

const BASE: Record<string, FileSpec> = {
  repo: 'opam-version: "2.0"\n',
  'README.md': 'not of the tree',
  'packages/a/a.1/opam': 'one',
  'packages/a/a.1/files/fix': 'a fix',
  'packages/a/a.2/opam': 'two',
  'packages/b/b.1/opam': 'three',
  'packages/b/README': 'of no version',
  'keys/root': 'root',
};

test('has the changed folders whole, the other changed files, and repo', async () => {
  const [from = '', to = ''] = await commits(BASE, {
    'packages/a/a.1/files/fix': 'another fix',
    'packages/a/a.3/opam': 'new',
    'packages/b/b.1/opam': null,
    'packages/b/README': 'changed',
    'README.md': 'changed, and nobody looks',
  });
  const repository = await open();
  const step = await stepOf(repository, from, to);
  expect([...(step?.tree.files.keys() ?? [])]).toEqual([
    'packages/a/a.1/files/fix',
    'packages/a/a.1/opam',
    'packages/a/a.3/opam',
    'packages/b/README',
    'repo',
  ]);
  expect(step?.changed.toSorted()).toEqual([
    'packages/a/a.1/files/fix',
    'packages/a/a.3/opam',
    'packages/b/README',
    'packages/b/b.1/opam',
  ]);
  expect([...(step?.folders ?? [])].sort()).toEqual([
    'packages/a/a.1/',
    'packages/a/a.3/',
    'packages/b/b.1/',
  ]);
  expect([...(step?.foldersBefore ?? [])].sort()).toEqual(['packages/a/a.1/', 'packages/b/b.1/']);
  expect(step?.size).toEqual(sizeOf(await repository.tree(to)));
});

test('with the earlier tree it is the later one, whatever changed', async () => {
  const paths = [
    ...['a', 'b', 'c-d'].flatMap((name) =>
      ['1', '2'].flatMap((number) =>
        [`${name}.${number}/opam`, `${name}.${number}/files/x`].map((file) => `packages/${name}/${file}`),
      ),
    ),
    'packages/a/README',
    'packages/a.b',
    'packages/other/deep/er/opam',
    'keys/root',
    'repo',
    'version',
    'README.md',
  ];
  const file = fc.record({
    path: fc.constantFrom(...paths),
    text: fc.option(fc.constantFrom('x', 'yy', 'zzz')),
  });
  const files = fc.array(file, { maxLength: 10 });
  const samples = fc.sample(fc.tuple(files, files), { numRuns: 60, seed: 5 });
  const marks = samples.map(([first, second]) => {
    const record = (list: readonly { path: string; text: string | null }[]) =>
      Object.fromEntries(list.map(({ path, text }) => [path, text]));
    const from = builder.commit({ parents: [], files: { ...BASE, ...record(first) } });
    return [from, builder.commit({ files: record(second) })] as const;
  });
  await builder.write();
  const repository = await open();
  for (const [first, second] of marks) {
    const [from, to] = [builder.id(first), builder.id(second)];
    const [before, after] = [await repository.tree(from), await repository.tree(to)];
    const step = await stepOf(repository, from, to);
    if (step === undefined) throw new Error('there was no step');
    const joined = new Map(before.files);
    for (const path of before.files.keys())
      if (step.changed.includes(path) || [...step.folders].some((each) => path.startsWith(each)))
        joined.delete(path);
    for (const [path, each] of step.tree.files) joined.set(path, each);
    expect(new Map([...joined].sort(([a], [b]) => (a < b ? -1 : 1)))).toEqual(after.files);
    expect(step.size).toEqual(sizeOf(after));
  }
});

describe('refuses what the whole tree is refused for', () => {
  const table: readonly [string, Record<string, FileSpec>, Partial<typeof limits>?][] = [
    ['a symlink', { 'packages/a/a.3/opam': { symlink: '/etc/passwd' } }],
    ['a submodule', { 'packages/a/a.3': { submodule: 'a'.repeat(40) } }],
    ['a name with another case beside a folder', { 'packages/A/A.1/opam': 'x' }],
    ['a name with another case beside a version', { 'packages/a/A.1/opam': 'x' }],
    ['a name with another case beside a file', { 'packages/a/a.1/OPAM': 'x' }],
    ['a character that no path has', { 'packages/a/a.3/o pam': 'x' }],
    ['a file that is too large', { 'packages/a/a.3/opam': 'x'.repeat(101) }, { opam_file: 100 }],
    ['a path that is too long', { [`packages/a/a.3/${'x'.repeat(200)}`]: 'x' }, { path_bytes: 150 }],
    ['a path that is too deep', { 'packages/a/a.3/b/c/d/e/f/g': 'x' }, { path_depth: 8 }],
    ['too many entries', { 'packages/a/a.3/opam': 'x', 'packages/a/a.4/opam': 'x' }, { tree_entries: 8 }],
    ['too much content', { 'packages/a/a.3/opam': 'x'.repeat(100) }, { tree_content: 120 }],
    ['a folder called repo', { repo: null, 'repo/x': 'y' }],
  ];
  test.each(table)('%s', async (_, files, changes = {}) => {
    const [from = '', to = ''] = await commits(BASE, files);
    const repository = await open(changes);
    const code = await codeOf(repository.tree(to));
    expect(await codeOf(stepOf(repository, from, to))).toBe(code);
  });

  test('names of developers that differ only in case are left to the signed dialect, as in the whole', async () => {
    const [from = '', to = ''] = await commits({ ...BASE, 'keys/dev/bob': 'x' }, { 'keys/dev/Bob': 'y' });
    const repository = await open();
    await repository.tree(to);
    expect((await stepOf(repository, from, to))?.changed).toEqual(['keys/dev/Bob']);
  });
});

test('is none when the earlier commit is not there, or is no commit, or too much changed', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 4100 }, (_, index) => [`packages/a/a.1/files/f${index}`, `${index}`]),
  );
  const [from = '', to = ''] = await commits(BASE, many);
  const repository = await open();
  const size = { entries: 7, content: 40 };
  expect(await stepOf(repository, 'a'.repeat(40), to, size)).toBeUndefined();
  const blob = await builder.object('blob', 'no commit');
  expect(await stepOf(repository, blob, to, size)).toBeUndefined();
  expect(await stepOf(repository, from, to, size)).toBeUndefined();
});

class CountingReader extends ObjectReader {
  asked = 0;

  override async infos(oids: readonly string[]) {
    this.asked += oids.length;
    return super.infos(oids);
  }
}

test('looks at what changed, however large the tree is', async () => {
  const large = Object.assign(
    {},
    ...Array.from({ length: 1000 }, (_, index) => version(`p${index}`, '1', `${index}\n`)),
  );
  const [from = '', to = ''] = await commits({ ...BASE, ...large }, version('p500', '1', 'changed\n'));
  const reader = new CountingReader(builder.dir);
  const sizeBefore = sizeOf(await (await open()).tree(from));
  const step = await readGitStep({ from, to, sizeBefore, isWhole, reader, limits });
  await reader.close();
  expect(step?.changed).toEqual(['packages/p500/p500.1/opam']);
  // Two commits, on both sides the four folders down to the file, the file, and repo.
  expect(reader.asked).toBe(2 + 2 * 4 + 2 + 1);
});
