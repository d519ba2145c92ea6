/** Reading the deflated bytes of pieces back from the blobs that hold them. */
import { SeraiError } from '../errors.ts';
import type { Sha256 } from '../hashes.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Piece } from '../store/catalogue.ts';

/** The bytes of each piece, in the order given. Throws `store-corrupt` when a blob is gone or too short. */
export async function readPieces(blobs: Blobs, pieces: readonly Piece[]): Promise<Buffer[]> {
  const byBlob = new Map<Sha256, number[]>();
  for (const [index, piece] of pieces.entries()) {
    const indexes = byBlob.get(piece.blob);
    if (indexes === undefined) byBlob.set(piece.blob, [index]);
    else indexes.push(index);
  }
  const bytes: Buffer[] = new Array(pieces.length);
  for (const [id, indexes] of byBlob) {
    const handle = await blobs.open(id);
    if (handle === undefined) throw new SeraiError('store-corrupt', `blob ${id}, part of an index, is gone`);
    try {
      for (const index of indexes) {
        const piece = pieces[index];
        if (piece !== undefined) bytes[index] = await readFully(handle, piece.offset, piece.length);
      }
    } finally {
      await handle.close();
    }
  }
  return bytes;
}

async function readFully(
  handle: { readonly id: Sha256; read(buffer: Uint8Array, position: number): Promise<number> },
  offset: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = await handle.read(buffer.subarray(filled), offset + filled);
    if (count === 0)
      throw new SeraiError('store-corrupt', `blob ${handle.id} ends before byte ${offset + length}`);
    filled += count;
  }
  return buffer;
}
