/** A commit as a Tree: what is read, and what is refused (HOSTILE 16). */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareBytewise, readFile } from '../../src/opam/tree.ts';
import { type GitOptions, type GitRepository, openGitRepository } from '../../src/upstream/git-repository.ts';
import { TREE_ROOTS } from '../../src/upstream/git-tree.ts';
import { isTreePath } from '../../src/upstream/tree-rules.ts';
import { type FileSpec, GitBuilder, runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { codeOf, collect, errorOf, limits, text } from '../support/git-samples.ts';

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

async function open(changes: Partial<GitOptions['limits']> = {}): Promise<GitRepository> {
  const repository = await openGitRepository(builder.dir, { limits: { ...limits, ...changes } });
  opened.push(repository);
  return repository;
}

async function commitOf(files: Record<string, FileSpec>): Promise<string> {
  const mark = builder.commit({ files });
  await builder.write();
  return builder.id(mark);
}

test('files with their sizes and ids, in C order, and nothing outside the tree', async () => {
  const commit = await commitOf({
    'README.md': 'not of the tree',
    '.github/link': { symlink: '/etc/passwd' },
    vendor: { submodule: 'a'.repeat(40) },
    repo: 'opam-version: "2.0"\n',
    'packages/a/a.1/opam': 'one',
    'packages/a-b/a-b.1/opam': { executable: 'two' },
    'packages/a.b': 'a dot sorts before a slash',
    'keys/root': '',
  });
  const tree = await (await open()).tree(commit);
  const paths = [...tree.files.keys()];
  expect(paths).toEqual([
    'keys/root',
    'packages/a-b/a-b.1/opam',
    'packages/a.b',
    'packages/a/a.1/opam',
    'repo',
  ]);
  expect(paths).toEqual(paths.toSorted(compareBytewise));
  const blob = (await builder.git(['rev-parse', 'main:packages/a/a.1/opam'])).trim();
  expect(tree.files.get('packages/a/a.1/opam')).toEqual({
    path: 'packages/a/a.1/opam',
    size: 3,
    id: `git:${blob}`,
  });
  const read = await collect(tree.read(['repo', 'packages/a-b/a-b.1/opam', 'keys/root', 'repo']));
  expect(read.map(([path, bytes]) => [path, text(bytes)])).toEqual([
    ['repo', 'opam-version: "2.0"\n'],
    ['packages/a-b/a-b.1/opam', 'two'],
    ['keys/root', ''],
    ['repo', 'opam-version: "2.0"\n'],
  ]);
  await tree.close();
});

test('what git is asked for is what tree-rules calls the tree', () => {
  expect(TREE_ROOTS.filter((root) => !isTreePath(root))).toEqual([]);
  expect(TREE_ROOTS.filter((root) => isTreePath(`${root}/x`))).toEqual([
    'packages',
    'compilers',
    'keys',
    'seal',
  ]);
});

describe('refused', () => {
  const cases: readonly (readonly [string, Record<string, FileSpec>, RegExp])[] = [
    ['a symlink', { 'packages/a/a.1/opam': { symlink: '/etc/passwd' } }, /a symlink/],
    ['a symlink for a folder', { packages: { symlink: '/etc' } }, /a symlink/],
    ['a submodule', { 'packages/a': { submodule: 'a'.repeat(40) } }, /a submodule/],
    ['a submodule for a folder', { packages: { submodule: 'a'.repeat(40) } }, /a submodule/],
    ['a file for a folder', { packages: 'x' }, /must be a folder/],
    ['a folder for a file', { 'repo/x': 'x' }, /must be a regular file/],
    ['a blank in a path', { 'packages/a b': 'x' }, /character/],
    ['a newline in a path', { 'packages/a\nb': 'x' }, /character/],
    ['a byte that is no ASCII', { 'packages/\u00e9': 'x' }, /character/],
    ['a quote in a path', { 'packages/a"b': 'x' }, /character/],
    ['paths that differ only in case', { 'packages/a/X': 'x', 'packages/a/x': 'x' }, /only in case/],
  ];

  test.each(cases)('%s', async (_, files, message) => {
    const error = await errorOf((await open()).tree(await commitOf(files)));
    expect(error.code).toBe('tree-refused');
    expect(error.message).toMatch(message);
  });

  test.each([
    ['too many files', { tree_entries: 2 }, /tree_entries/],
    ['an opam file that is too large', { opam_file: 2 }, /opam_file/],
    ['too much content', { tree_content: 5 }, /tree_content/],
    ['a path that is too long', { path_bytes: 12 }, /path_bytes/],
    ['a path that is too deep', { path_depth: 3 }, /path_depth/],
  ])('%s', async (_, changes, message) => {
    const commit = await commitOf({ repo: 'x', 'packages/a/a.1/opam': 'one', 'packages/a/a.2/opam': 'two' });
    const error = await errorOf((await open(changes)).tree(commit));
    expect(error.code).toBe('limit-exceeded');
    expect(error.message).toMatch(message);
  });

  // Objects that fsck would refuse, in a repository that was opened without a fetch.
  type Entries = (blob: string) => [string, string, string][];
  const unchecked: readonly (readonly [string, Entries, string])[] = [
    [
      'an entry twice',
      (id) => [
        ['100644', 'a', id],
        ['100644', 'a', id],
      ],
      'tree-refused',
    ],
    [
      'entries out of order',
      (id) => [
        ['100644', 'b', id],
        ['100644', 'a', id],
      ],
      'tree-refused',
    ],
    ['an entry ..', (id) => [['100644', '..', id]], 'tree-refused'],
    ['an entry that is missing', () => [['100644', 'a', 'a'.repeat(40)]], 'tree-refused'],
    ['a name of a million bytes', (id) => [['100644', 'a'.repeat(1_000_000), id]], 'limit-exceeded'],
  ];

  test.each(unchecked)('%s, without fsck', async (_, entries, code) => {
    const blob = await builder.object('blob', 'x');
    const packages = await builder.tree(entries(blob));
    const commit = await builder.commitTree(await builder.tree([['40000', 'packages', packages]]));
    expect(await codeOf((await open()).tree(commit))).toBe(code);
  });

  test('a tree that multiplies itself at every level', async () => {
    const blob = await builder.object('blob', 'x');
    let tree = await builder.tree([['100644', 'f', blob]]);
    for (let level = 0; level < 40; level++)
      tree = await builder.tree([
        ['40000', 'a', tree],
        ['40000', 'b', tree],
      ]);
    const commit = await builder.commitTree(await builder.tree([['40000', 'packages', tree]]));
    expect(await codeOf((await open({ path_depth: 100, tree_entries: 1000 })).tree(commit))).toBe(
      'limit-exceeded',
    );
  });

  test('a tree object that is called a file, when it is read', async () => {
    const inner = await builder.tree([['100644', 'f', await builder.object('blob', 'x')]]);
    const commit = await builder.commitTree(await builder.tree([['100644', 'repo', inner]]));
    const tree = await (await open()).tree(commit);
    expect(await codeOf(readFile(tree, 'repo'))).toBe('tree-refused');
  });
});

describe('opening and reading', () => {
  test('a working folder', async () => {
    const commit = await commitOf({ repo: 'x' });
    const work = join(folder.path, 'work');
    await runTestGit(builder.dir, ['worktree', 'add', '--detach', work, commit]);
    const repository = await openGitRepository(work, { limits });
    opened.push(repository);
    expect(await repository.resolve('HEAD')).toBe(commit);
    expect(text(await readFile(await repository.tree(commit), 'repo'))).toBe('x');
  });

  test('a folder inside a repository is none', async () => {
    await commitOf({ repo: 'x' });
    expect(await codeOf(openGitRepository(join(builder.dir, 'objects'), { limits }))).toBe('not-found');
    expect(await codeOf(openGitRepository(join(folder.path, 'missing'), { limits }))).toBe('not-found');
  });

  test('a commit that is not there', async () => {
    const repository = await open();
    expect(await codeOf(repository.tree('a'.repeat(40)))).toBe('not-found');
    expect(await codeOf(repository.tree('HEAD'))).toBe('git-refused');
    expect(await codeOf(repository.tree('--help'))).toBe('git-refused');
  });

  test("a path that is not in the tree is the caller's mistake", async () => {
    const tree = await (await open()).tree(await commitOf({ repo: 'x' }));
    await expect(readFile(tree, 'nothing')).rejects.toThrow(/no file nothing/);
  });
});
