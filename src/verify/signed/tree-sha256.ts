/** `tree-sha256` (point 11). */
import { createHash, hash } from 'node:crypto';
import type { Tree } from '../../opam/tree.ts';

const SEAL = 'seal/';
const BY_SHA256 = 'sha256:';

/**
 * The SHA-256 of what `sha256sum` prints for every file of the tree in C order, `seal/` left out. Files that
 * are known by their SHA-256 are not read.
 */
export async function treeSha256(tree: Tree): Promise<string> {
  const files = [...tree.files.values()].filter((file) => !file.path.startsWith(SEAL));
  const unknown = files.filter((file) => !file.id.startsWith(BY_SHA256)).map((file) => file.path);
  const digests = new Map<string, string>();
  for await (const [path, bytes] of tree.read(unknown)) digests.set(path, hash('sha256', bytes, 'hex'));
  const sum = createHash('sha256');
  for (const { path, id } of files) {
    sum.update(`${digests.get(path) ?? id.slice(BY_SHA256.length)}  ${path}\n`, 'latin1');
  }
  return sum.digest('hex');
}
