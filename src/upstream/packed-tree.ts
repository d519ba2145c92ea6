/** A tree in memory as few large pieces, which go from thread to thread for next to nothing. */
import { memoryTree, type Tree, type TreeFile } from '../opam/tree.ts';

export interface PackedTree {
  /** Each with a newline behind it; no path of a tree has one. */
  readonly paths: string;
  /** In the order of the paths, as the contents are. */
  readonly sizes: Uint32Array<ArrayBuffer>;
  readonly digests: Uint8Array<ArrayBuffer>;
  readonly contents: Uint8Array<ArrayBuffer>;
}

const BY_SHA256 = 'sha256:';
const DIGEST_BYTES = 32;

/** Of a tree with ids of the kind `sha256:`. */
export async function packTree(tree: Tree): Promise<PackedTree> {
  const files = [...tree.files.values()];
  const sizes = Uint32Array.from(files, (file) => file.size);
  const contents = new Uint8Array(files.reduce((sum, file) => sum + file.size, 0));
  let at = 0;
  for await (const [, bytes] of tree.read(tree.files.keys())) {
    contents.set(bytes, at);
    at += bytes.length;
  }
  const digests = new Uint8Array(Buffer.from(files.map(digestOf).join(''), 'hex'));
  return { paths: files.map(({ path }) => `${path}\n`).join(''), sizes, digests, contents };
}

function digestOf({ path, id }: TreeFile): string {
  if (!id.startsWith(BY_SHA256)) throw new Error(`${path} is not known by its SHA-256`);
  return id.slice(BY_SHA256.length);
}

export function unpackTree({ paths, sizes, digests, contents }: PackedTree): Tree {
  const hex = Buffer.from(digests.buffer).toString('hex');
  const files: (TreeFile & { readonly bytes: Uint8Array })[] = [];
  let at = 0;
  let begun = 0;
  for (const [index, size] of sizes.entries()) {
    const end = paths.indexOf('\n', begun);
    const id = hex.slice(2 * DIGEST_BYTES * index, 2 * DIGEST_BYTES * (index + 1));
    const bytes = contents.subarray(at, at + size);
    files.push({ path: paths.slice(begun, end), size, id: `${BY_SHA256}${id}`, bytes });
    begun = end + 1;
    at += size;
  }
  return memoryTree(files);
}

/** What moves to the other thread instead of being copied. */
export function movable({ sizes, digests, contents }: PackedTree): readonly ArrayBuffer[] {
  return [sizes.buffer, digests.buffer, contents.buffer];
}
