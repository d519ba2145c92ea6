/**
 * Reading the deflated bytes of pieces back from the blobs that hold them. A blob is hashed whole before any of its bytes
 * is used, so that a bit that flipped on the disk is neither served nor built into the next index (HOSTILE 25).
 */
import { hash } from 'node:crypto';
import { SeraiError } from '../../errors.ts';
import type { Sha256 } from '../../hashes.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { PiecePlace } from '../../store/catalogue.ts';

export interface WholeBlobs {
  /** All bytes of a blob, measured. Throws `store-corrupt` when it is gone or damaged. */
  whole(id: Sha256): Promise<Buffer>;
}

/** Each read and measured whenever it is asked for. */
export function wholeBlobs(blobs: Pick<Blobs, 'open'>): WholeBlobs {
  return { whole: (id) => readWhole(blobs, id) };
}

/** The bytes of each piece, in the order given. Throws `store-corrupt` when a blob is gone or damaged. */
export async function readPieces(
  blobs: WholeBlobs,
  pieces: readonly Pick<PiecePlace, 'blob' | 'offset' | 'length'>[],
): Promise<Buffer[]> {
  const indexesByBlob = new Map<Sha256, number[]>();
  for (const [index, piece] of pieces.entries()) {
    const indexes = indexesByBlob.get(piece.blob);
    if (indexes === undefined) indexesByBlob.set(piece.blob, [index]);
    else indexes.push(index);
  }
  const bytes: Buffer[] = new Array(pieces.length);
  for (const [id, indexes] of indexesByBlob) {
    const whole = await blobs.whole(id);
    const used = indexes.reduce((sum, index) => sum + (pieces[index]?.length ?? 0), 0);
    for (const index of indexes) {
      const { offset = 0, length = 0 } = pieces[index] ?? {};
      // Copied, so that one small piece does not keep its whole blob in memory; not where most of it is asked for.
      bytes[index] =
        2 * used < whole.length
          ? Buffer.copyBytesFrom(whole, offset, length)
          : whole.subarray(offset, offset + length);
    }
  }
  return bytes;
}

async function readWhole(blobs: Pick<Blobs, 'open'>, id: Sha256): Promise<Buffer> {
  const handle = await blobs.open(id);
  if (handle === undefined) throw corrupt(`blob ${id} is gone`);
  try {
    const buffer = Buffer.allocUnsafeSlow(handle.size);
    let filled = 0;
    while (filled < handle.size) {
      const count = await handle.read(buffer.subarray(filled), filled);
      if (count === 0) break;
      filled += count;
    }
    if (hash('sha256', buffer.subarray(0, filled), 'hex') !== id) throw corrupt(`blob ${id} is damaged`);
    return buffer;
  } finally {
    await handle.close();
  }
}

function corrupt(what: string): SeraiError {
  return new SeraiError(
    'store-corrupt',
    `a part of an index cannot be read back: ${what}; the next sync that reaches the upstream makes it anew`,
  );
}
