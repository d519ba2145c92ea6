/**
 * What of a tree is worth keeping for the next step: which files it has, and the bytes of those that are signed or say
 * who may sign. The others are only compared, by their digests.
 */
import { memoryTree, type Tree } from '../opam/tree.ts';
import { type PackedTree, packTree, unpackFiles } from './packed-tree.ts';
import { fileLimitName } from './tree-rules.ts';

/** Of a tree in memory with ids of the kind `sha256:`. */
export function packKept(tree: Tree): PackedTree {
  return packTree(tree, isKept);
}

/** To read a file of which only the digest was kept is an error of the caller. */
export function unpackKept(packed: PackedTree): Tree {
  const { files, held: heldOf } = memoryTree(unpackFiles(packed, isKept));
  const held = (path: string): Uint8Array => {
    if (!isKept(path) || heldOf === undefined) throw new Error(`the bytes of ${path} were not kept`);
    return heldOf(path);
  };
  return {
    files,
    async *read(paths) {
      for (const path of paths) yield [path, held(path)];
    },
    held,
    async close() {},
  };
}

function isKept(path: string): boolean {
  return fileLimitName(path) === 'key_file';
}
