import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DEFAULT_LIMITS, type Limits } from '../../src/limits.ts';
import { readFile } from '../../src/opam/tree.ts';
import { readFolderTree, readIndexFile } from '../../src/upstream/folder-tree.ts';
import { readTarTree } from '../../src/upstream/tar-tree.ts';
import { inPieces, tar } from '../support/tar.ts';

const OPAM = 'packages/a/a.1/opam';

/** A new folder with these files. */
function folderOf(files: Readonly<Record<string, string | Buffer>>): string {
  const root = mkdtempSync(join(tmpdir(), 'serai-folder-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

describe('a folder as a tree', () => {
  test('is what the same files in a tar are', async () => {
    const files = { repo: 'opam-version: "2.0"\n', [OPAM]: 'x'.repeat(5000), 'keys/empty': '' };
    const root = folderOf({ ...files, 'README with blanks': 'read me', '.git/config': '' });
    symlinkSync('/etc', join(root, '.github'));
    const entries = Object.entries(files).map(([name, content]) => ({ name, content }));
    const fromTar = await readTarTree(inPieces(tar(...entries), 999), DEFAULT_LIMITS);
    const tree = await readFolderTree(root, DEFAULT_LIMITS);
    expect([...tree.files.values()].map(({ path, size, id }) => ({ path, size, id }))).toEqual(
      [...fromTar.files.values()].map(({ path, size, id }) => ({ path, size, id })),
    );
    expect(Buffer.from(await readFile(tree, OPAM)).toString()).toBe(files[OPAM]);
  });

  test('may itself stand behind a symbolic link', async () => {
    const root = folderOf({ repo: '' });
    symlinkSync(root, `${root}-link`);
    onTestFinished(() => rmSync(`${root}-link`));
    expect((await readFolderTree(`${root}-link`, DEFAULT_LIMITS)).files.size).toBe(1);
  });

  test.each<[string, (root: string) => void, string, Partial<Limits>?]>([
    ['a link to a file', (root) => symlinkSync('/etc/passwd', join(root, 'packages/x')), 'tree-refused'],
    ['a link to a folder', (root) => symlinkSync('a', join(root, 'packages/x')), 'tree-refused'],
    ['a link at the top', (root) => symlinkSync('packages', join(root, 'keys')), 'tree-refused'],
    ['a link to nothing', (root) => symlinkSync('nothing', join(root, 'packages/x')), 'tree-refused'],
    ['a FIFO', (root) => execFileSync('mkfifo', [join(root, 'packages/x')]), 'tree-refused'],
    ['a blank', (root) => writeFileSync(join(root, 'packages/a b'), ''), 'tree-refused'],
    ['a letter beyond ASCII', (root) => writeFileSync(join(root, 'packages/é'), ''), 'tree-refused'],
    ['names differing in case', (root) => writeFileSync(join(root, 'packages/A'), ''), 'tree-refused'],
    ['a folder called version', (root) => mkdirSync(join(root, 'version')), 'tree-refused'],
    [
      'too deep',
      (root) => mkdirSync(join(root, 'packages/a/a/a/a'), { recursive: true }),
      'limit-exceeded',
      { path_depth: 4 },
    ],
    [
      'too large a file',
      (root) => writeFileSync(join(root, OPAM), 'xxxx'),
      'limit-exceeded',
      { opam_file: 3 },
    ],
    [
      'too much in all',
      (root) => writeFileSync(join(root, 'version'), 'xxx'),
      'limit-exceeded',
      { tree_content: 2 },
    ],
    [
      'too many entries',
      (root) => writeFileSync(join(root, 'version'), ''),
      'limit-exceeded',
      { tree_entries: 4 },
    ],
  ])('is refused for %s', async (_name, spoil, code, limits) => {
    const root = folderOf({ [OPAM]: '' });
    spoil(root);
    await expect(readFolderTree(root, { ...DEFAULT_LIMITS, ...limits })).rejects.toMatchObject({ code });
  });

  test('a folder that is not there', async () => {
    const missing = join(folderOf({}), 'missing');
    await expect(readFolderTree(missing, DEFAULT_LIMITS)).rejects.toMatchObject({
      code: 'upstream-unreachable',
    });
  });

  test.runIf(process.platform === 'linux')('sizes are those read, not those announced', async () => {
    // The kernel announces 0 bytes for its files; here it has a `version` and a folder `keys`.
    const tree = await readFolderTree('/proc/sys/kernel', DEFAULT_LIMITS);
    expect(tree.files.get('version')?.size).toBeGreaterThan(1);
    expect(await readFile(tree, 'version')).toHaveLength(tree.files.get('version')?.size ?? 0);
    const narrow = { ...DEFAULT_LIMITS, other_file: 3 };
    await expect(readFolderTree('/proc/sys/kernel', narrow)).rejects.toMatchObject({
      code: 'limit-exceeded',
    });
  });
});

describe('an index file', () => {
  const bytes = gzipSync(tar({ name: 'repo', content: 'opam-version: "2.0"\n' }));

  test('is read as from the network', async () => {
    const root = folderOf({ 'index.tar.gz': bytes });
    const tree = await readIndexFile(join(root, 'index.tar.gz'), DEFAULT_LIMITS);
    expect([...tree.files.keys()]).toEqual(['repo']);
  });

  test.each<[string, (root: string) => string, string, Partial<Limits>?]>([
    ['too long', (root) => join(root, 'index.tar.gz'), 'limit-exceeded', { index: bytes.length - 1 }],
    ['not there', (root) => join(root, 'nothing'), 'upstream-unreachable'],
    ['a folder', (root) => root, 'upstream-unreachable'],
    [
      'a link',
      (root) => {
        symlinkSync('index.tar.gz', join(root, 'link'));
        return join(root, 'link');
      },
      'upstream-unreachable',
    ],
    [
      'a FIFO',
      (root) => {
        execFileSync('mkfifo', [join(root, 'pipe')]);
        return join(root, 'pipe');
      },
      'upstream-unreachable',
    ],
  ])('is refused: %s', async (_name, path, code, limits) => {
    const root = folderOf({ 'index.tar.gz': bytes });
    await expect(readIndexFile(path(root), { ...DEFAULT_LIMITS, ...limits })).rejects.toMatchObject({ code });
  });
});
