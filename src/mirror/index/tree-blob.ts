/** A whole tree kept as one blob: an index.tar.gz of all of its files. */

import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { SeraiError } from '../../errors.ts';
import type { Sha256 } from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { Blobs, StoredBlob } from '../../store/blobs.ts';
import { readTarTree } from '../../upstream/tar-tree.ts';
import { entryLength, TAR_END, writeEntry } from './tar-writer.ts';

/** Fast rather than small: it is read once, at the next update. */
const COMPRESSION_LEVEL = 1;

const READ_BYTES = 256 * 1024;

export function storeTree(tree: Tree, blobs: Blobs): Promise<StoredBlob> {
  const gzip = Readable.from(tarOf(tree)).compose(createGzip({ level: COMPRESSION_LEVEL }));
  return blobs.put(gzip, { maxBytes: Number.MAX_SAFE_INTEGER });
}

async function* tarOf(tree: Tree): AsyncIterable<Buffer> {
  for await (const [path, bytes] of tree.read(tree.files.keys())) {
    const entry = Buffer.alloc(entryLength(path, bytes.length));
    writeEntry(entry, 0, path, bytes);
    yield entry;
  }
  yield TAR_END;
}

/** Throws `store-corrupt` when the blob is gone. */
export async function readTreeBlob(blobs: Blobs, id: Sha256, limits: Limits): Promise<Tree> {
  const handle = await blobs.open(id);
  if (handle === undefined)
    throw new SeraiError(
      'store-corrupt',
      `the blob ${id}, the last accepted tree of a signed repository, is gone`,
    );
  try {
    return await readTarTree(bytesOf(handle), limits);
  } finally {
    await handle.close();
  }
}

async function* bytesOf(handle: {
  read(buffer: Uint8Array, position: number): Promise<number>;
}): AsyncIterable<Uint8Array> {
  for (let position = 0; ; ) {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const count = await handle.read(buffer, position);
    if (count === 0) return;
    position += count;
    yield buffer.subarray(0, count);
  }
}
