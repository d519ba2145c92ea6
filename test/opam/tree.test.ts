import { describe, expect, it } from 'vitest';
import { compareBytewise, memoryTree, readFile, type TreeFile } from '../../src/opam/tree.ts';

function file(path: string): TreeFile & { readonly bytes: Uint8Array } {
  const bytes = Buffer.from(`bytes of ${path}`);
  return { path, size: bytes.length, id: `git:${path.length}`, bytes };
}

describe('a tree in memory', () => {
  const tree = memoryTree(['b', 'a/b', 'a.b', '\xff', 'B', 'a', 'a-b'].map((path) => file(path)));

  it('has its files in C order', () => {
    expect([...tree.files.keys()]).toEqual(['B', 'a', 'a-b', 'a.b', 'a/b', 'b', '\xff']);
  });

  it('reads in the order asked, one file as often as asked', async () => {
    const read: string[] = [];
    for await (const [path, bytes] of tree.read(['b', 'a', 'b'])) read.push(`${path}: ${Buffer.from(bytes)}`);
    expect(read).toEqual(['b: bytes of b', 'a: bytes of a', 'b: bytes of b']);
  });

  it('reads one file, and says when there is none', async () => {
    expect(Buffer.from(await readFile(tree, 'a/b')).toString()).toBe('bytes of a/b');
    await expect(readFile(tree, 'c')).rejects.toThrow('no file c in the tree');
    await tree.close();
  });
});

it('bytes compare as LC_ALL=C sort does', () => {
  expect(['b', 'a', '', 'ab', 'B', '\xff', 'a', '~'].sort(compareBytewise)).toEqual([
    '',
    'B',
    'a',
    'a',
    'ab',
    'b',
    '~',
    '\xff',
  ]);
});
