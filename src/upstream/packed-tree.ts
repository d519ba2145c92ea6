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

type HeldFile = TreeFile & { readonly bytes: Uint8Array };
type Choice = (path: string) => boolean;

/** Of a tree in memory with ids of the kind `sha256:`; with the contents of the files that `withContent` chooses. */
export function packTree(tree: Tree, withContent?: Choice): PackedTree {
  const { held } = tree;
  if (held === undefined) throw new Error('only a tree in memory is packed');
  return packFiles([...tree.files.values()], ({ path }) => held(path), withContent);
}

/** The same of files in any order. */
export function packFiles<File extends TreeFile>(
  files: readonly File[],
  bytesOf: (file: File) => Uint8Array,
  withContent: Choice = () => true,
): PackedTree {
  const count = files.length;
  const sizes = new Uint32Array(count);
  const digests = Buffer.from(new ArrayBuffer(DIGEST_BYTES * count));
  const contents: Uint8Array[] = [];
  let paths = '';
  for (const [index, file] of files.entries()) {
    const { path, size } = file;
    paths += `${path}\n`;
    sizes[index] = size;
    digests.write(digestOf(file), DIGEST_BYTES * index, 'hex');
    if (withContent(path)) contents.push(bytesOf(file));
  }
  return { paths, sizes, digests, contents: joined(contents) };
}

/** Not `Buffer.concat`: what moves to another thread may not be cut from a buffer that others use. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function digestOf({ path, id }: TreeFile): string {
  if (!id.startsWith(BY_SHA256)) throw new Error(`${path} is not known by its SHA-256`);
  return id.slice(BY_SHA256.length);
}

export function unpackTree(packed: PackedTree): Tree {
  return memoryTree(unpackFiles(packed));
}

/** The files of a tree that was packed with the same choice; the others come without bytes. */
export function* unpackFiles(
  { paths, sizes, digests, contents }: PackedTree,
  withContent: Choice = () => true,
): Generator<HeldFile> {
  const hex = Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength).toString('hex');
  let at = 0;
  let begun = 0;
  for (const [index, size] of sizes.entries()) {
    const end = paths.indexOf('\n', begun);
    const path = paths.slice(begun, end);
    const id = hex.slice(2 * DIGEST_BYTES * index, 2 * DIGEST_BYTES * (index + 1));
    const length = withContent(path) ? size : 0;
    yield { path, size, id: `${BY_SHA256}${id}`, bytes: contents.subarray(at, at + length) };
    begun = end + 1;
    at += length;
  }
}

/** What moves to the other thread instead of being copied. */
export function movable({ sizes, digests, contents }: PackedTree): readonly ArrayBuffer[] {
  return [sizes.buffer, digests.buffer, contents.buffer];
}
