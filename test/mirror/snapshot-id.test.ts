import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { planIndex } from '../../src/mirror/index/index-plan.ts';
import { snapshotId } from '../../src/mirror/index/snapshot-id.ts';
import { StandingTree } from '../../src/mirror/index/standing-tree.ts';
import { readFile } from '../../src/opam/tree.ts';
import { type Files, manyPackages, repositoryOf, treeOf, writeFolder } from '../support/tree-builder.ts';
import { TestMirror, temporaryFolder } from './test-mirror.ts';

/** SIGNED-FORMAT.md, point 11, by coreutils alone. */
async function byCoreutils(files: Files): Promise<string> {
  const folder = join(await temporaryFolder(), 'tree');
  await writeFolder(folder, files);
  const script =
    "find . -type f ! -path './seal/*' | cut -c3- | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum | cut -c-64";
  return execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' }).trim();
}

async function idOf(files: Files): Promise<string> {
  const tree = treeOf(files);
  const nothing = { contents: async () => new Map() };
  const { tree: planned } = await planIndex({
    standing: new StandingTree([], nothing),
    fresh: [...tree.files.values()].filter(({ path }) => path !== 'repo' && !path.startsWith('seal/')),
    gone: [],
    read: (paths) => tree.read(paths),
    known: new Map(),
    catalogue: nothing,
    limits: DEFAULT_LIMITS,
    ready: async () => new Map(),
  });
  return snapshotId(planned.pieces, tree.files.has('repo') ? await readFile(tree, 'repo') : undefined);
}

const opam = 'opam-version: "2.0"\n';

const TREES: Readonly<Record<string, Files>> = {
  'a small repository': repositoryOf('a.1', 'a.2', 'b.1'),
  'many packages': manyPackages(60),
  'no repo file': { 'packages/a/a.1/opam': opam },
  'something before and behind repo': {
    'compilers/4.00.0/4.00.0/4.00.0.comp': 'comp\n',
    'keys/root': 'root\n',
    'packages/a/a.1/opam': opam,
    'packages/a/a.1/files/fix.patch': Buffer.from([0, 255, 10]),
    repo: opam,
    version: '0.9.0\n',
  },
  'names that other orders sort elsewhere': {
    'packages/Zeta/Zeta.1/opam': opam,
    'packages/foo-bar/foo-bar.1/opam': opam,
    'packages/foo/foo.1/opam': opam,
    'packages/foo/foo.1.0/opam': opam,
    'packages/foo/foo.1+x/opam': opam,
    'packages/foo2/foo2.1/opam': opam,
    repo: opam,
  },
  'a seal, which is left out': { ...repositoryOf('a.1'), 'seal/seal': 'sealed\n' },
};

describe('the id is what coreutils compute', () => {
  test.each(Object.entries(TREES))('of %s', async (_, files) => {
    expect(await idOf(files)).toBe(await byCoreutils(files));
  });

  test('also through the whole pipeline, where it is the stamp as well', async () => {
    const files = {
      ...repositoryOf('a.1', 'b.1'),
      version: '2\n',
      'seal/seal': 'sealed\n',
      'README.md': 'no part\n',
    };
    const folder = join(await temporaryFolder(), 'upstream');
    await writeFolder(folder, files);
    const mirror = await TestMirror.open({ default: `file://${folder}` });
    const { snapshot } = await mirror.publish();
    const { 'README.md': _, ...tree } = files;
    expect(snapshot.id).toBe(await byCoreutils(tree));
    expect(snapshot.repo).toContain(`stamp: "${snapshot.id}"`);
    expect(Object.keys(await mirror.files())).toEqual([
      'packages/a/a.1/opam',
      'packages/b/b.1/opam',
      'repo',
      'version',
    ]);
  });
});

test('every byte and every name counts', async () => {
  const ids = await Promise.all(
    [
      repositoryOf('a.1'),
      repositoryOf('a.2'),
      { ...repositoryOf('a.1'), 'packages/a/a.1/files/x': '' },
      { ...repositoryOf('a.1'), repo: 'opam-version: "2.0"\n\n' },
      { 'packages/a/a.1/opam': opam },
    ].map(idOf),
  );
  expect(new Set(ids).size).toBe(ids.length);
});
