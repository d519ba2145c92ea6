/** Reading made-up tars with the reader under test. */
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import type { Tree } from '../../src/opam/tree.ts';
import { readTarTree, type TarLimits } from '../../src/upstream/tar-tree.ts';
import { inPieces } from './tar.ts';

/** The tree in these bytes, which come in pieces of `piece` bytes. */
export function read(bytes: Uint8Array, limits: Partial<TarLimits> = {}, piece = 64 * 1024): Promise<Tree> {
  return readTarTree(inPieces(bytes, piece), { ...DEFAULT_LIMITS, ...limits });
}

/** All files as text, one character a byte. */
export async function contents(tree: Tree): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const [path, bytes] of tree.read(tree.files.keys())) {
    found[path] = Buffer.from(bytes).toString('latin1');
  }
  return found;
}
