/** A tree read in a thread of its own is the tree that is read here. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { readFile, type Tree } from '../../src/opam/tree.ts';
import { readFolderTree, readIndexFile } from '../../src/upstream/folder-tree.ts';
import { readTreeInThread } from '../../src/upstream/tree-thread.ts';
import { tar } from '../support/tar.ts';
import { inFolder } from '../support/vector-table.ts';

const limits = DEFAULT_LIMITS;
const FILES: Readonly<Record<string, string>> = {
  repo: '',
  'packages/foo/foo.1/opam': 'opam-version: "2.0"\n',
  'packages/foo/foo.1/files/a': 'a'.repeat(300_000),
};

async function plain(tree: Tree): Promise<unknown> {
  const files = [];
  for (const { path, size, id } of tree.files.values())
    files.push([path, size, id, Buffer.from(await readFile(tree, path)).toString('latin1')]);
  return files;
}

async function folderIn(dir: string): Promise<string> {
  const root = join(dir, 'tree');
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

test('a folder', () =>
  inFolder(async (dir) => {
    const path = await folderIn(dir);
    const read = await readTreeInThread({ kind: 'folder', path, limits });
    expect(await plain(read)).toEqual(await plain(await readFolderTree(path, limits)));
  }));

test('an index', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'index.tar.gz');
    const entries = Object.entries(FILES).map(([name, content]) => ({ name, content }));
    await writeFile(path, gzipSync(tar(...entries)));
    const read = await readTreeInThread({ kind: 'index', path, limits });
    expect(await plain(read)).toEqual(await plain(await readIndexFile(path, limits)));
  }));

test('an empty folder is an empty tree', () =>
  inFolder(async (dir) => {
    const read = await readTreeInThread({ kind: 'folder', path: dir, limits });
    expect([...read.files]).toEqual([]);
  }));

test('what is refused here is refused there', () =>
  inFolder(async (dir) => {
    const path = await folderIn(dir);
    await symlink('/etc/passwd', join(path, 'packages/link'));
    const refused = { code: 'tree-refused', message: expect.stringContaining('packages/link') };
    await expect(readTreeInThread({ kind: 'folder', path, limits })).rejects.toMatchObject(refused);
    await expect(readTreeInThread({ kind: 'index', path: join(dir, 'no'), limits })).rejects.toMatchObject({
      code: 'upstream-unreachable',
    });
  }));
