/** A tree read in a thread of its own is the tree that is read here. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { readFile, type Tree } from '../../src/opam/tree.ts';
import { readFolderTree, readIndexFile } from '../../src/upstream/folder-tree.ts';
import { readFolderByTwo, readTreeBeside, readTreeInThread } from '../../src/upstream/tree-thread.ts';
import { tar } from '../support/tar.ts';
import { inFolder } from '../support/vector-table.ts';

const opened = vi.hoisted(() => ({ here: 0 }));

vi.mock('node:fs', async (load) => {
  const actual = await load<typeof import('node:fs')>();
  // What is counted is the work of this thread; the other has modules of its own.
  const openSync: typeof actual.openSync = (...args) => {
    opened.here += 1;
    return actual.openSync(...args);
  };
  return { ...actual, openSync };
});

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

describe('a large folder by two threads', () => {
  const PACKAGES = 240;

  const largeIn = async (dir: string, more: readonly string[] = []): Promise<string> => {
    const root = await folderIn(dir);
    const names = Array.from({ length: PACKAGES }, (_, index) => `packages/p${index}/p${index}.1/opam`);
    for (const path of [...names, ...more]) {
      await mkdir(join(root, path, '..'), { recursive: true });
      await writeFile(join(root, path), path);
    }
    return root;
  };

  test('is the tree that one reads, and this one opens about half of the files', () =>
    inFolder(async (dir) => {
      const path = await largeIn(dir);
      opened.here = 0;
      const read = await readFolderByTwo(path, limits);
      expect(opened.here).toBeGreaterThan(PACKAGES / 4);
      expect(opened.here).toBeLessThan((3 * PACKAGES) / 4);
      expect(await plain(read)).toEqual(await plain(await readFolderTree(path, limits)));
    }));

  test('a small one is read by this one alone', () =>
    inFolder(async (dir) => {
      const path = await folderIn(dir);
      opened.here = 0;
      expect(await plain(await readFolderByTwo(path, limits))).toEqual(
        await plain(await readFolderTree(path, limits)),
      );
      expect(opened.here).toBe(2 * Object.keys(FILES).length);
    }));

  test('as the tree beside another it is read by the other thread, and a small one by this one', () =>
    inFolder(async (dir) => {
      const small = await folderIn(join(dir, 'small'));
      opened.here = 0;
      expect(await plain(await readTreeBeside({ kind: 'folder', path: small, limits }))).toEqual(
        await plain(await readFolderTree(small, limits)),
      );
      expect(opened.here).toBeGreaterThan(0);
      const large = await largeIn(join(dir, 'large'));
      opened.here = 0;
      const read = await readTreeBeside({ kind: 'folder', path: large, limits });
      expect(opened.here).toBe(0);
      expect(await plain(read)).toEqual(await plain(await readFolderTree(large, limits)));
    }));

  test.each<[string, readonly string[]]>([
    ['in the one half', ['packages/q0/link']],
    ['in the other', ['packages/q1/link']],
  ])('a link %s is refused, with its path', (_, [link = '']) =>
    inFolder(async (dir) => {
      const path = await largeIn(dir, ['packages/q0/file', 'packages/q1/file']);
      await symlink('/etc/passwd', join(path, link));
      const refused = { code: 'tree-refused', path: link };
      await expect(readFolderByTwo(path, limits)).rejects.toMatchObject(refused);
    }),
  );

  test('names that differ in case alone meet', () =>
    inFolder(async (dir) => {
      const path = await largeIn(dir, ['packages/Case/a', 'packages/case/a']);
      await expect(readFolderByTwo(path, limits)).rejects.toThrow('differs only in case');
    }));

  test.each(['tree_entries', 'tree_content'] as const)('what both come to is held against %s', (name) =>
    inFolder(async (dir) => {
      const path = await largeIn(dir);
      const whole = await readFolderTree(path, limits);
      const content = [...whole.files.values()].reduce((sum, file) => sum + file.size, 0);
      // Each file but `repo` lies in a folder of its own in one of its own; and there is `packages`, and what foo has more.
      const most = { tree_entries: 3 * PACKAGES + 7, tree_content: content }[name];
      await expect(readFolderByTwo(path, { ...limits, [name]: most })).resolves.toBeDefined();
      const refused = { code: 'limit-exceeded', message: expect.stringContaining(name) };
      await expect(readFolderByTwo(path, { ...limits, [name]: most - 1 })).rejects.toMatchObject(refused);
      await expect(readFolderTree(path, { ...limits, [name]: most - 1 })).rejects.toMatchObject(refused);
    }),
  );
});
