/**
 * A published index.tar.gz in one buffer, for a server that answers others meanwhile: read straight to where it belongs,
 * and measured part by part.
 */
import { createHash } from 'node:crypto';
import { SeraiError } from '../../errors.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { PiecePlace, SnapshotHead } from '../../store/catalogue.ts';
import { GZIP_HEADER, gzipTrailer } from './gzip.ts';
import { readPieces, wholeBlobs } from './piece-bytes.ts';
import { TAR_END } from './tar-writer.ts';

/** Bytes that are read and hashed before others have their turn: less than a millisecond. */
const PART_BYTES = 1024 * 1024;

/** Bytes of one blob that follow one another in the index as they do in the blob. */
interface Run {
  readonly blob: PiecePlace['blob'];
  readonly offset: number;
  length: number;
}

/** Throws `store-corrupt` unless the bytes have the hash that they were published with. */
export async function readWholeIndex(
  { id, size, sha256 }: SnapshotHead,
  places: readonly PiecePlace[],
  blobs: Blobs,
): Promise<Buffer> {
  const trailer = gzipTrailer(places, TAR_END);
  const index = Buffer.allocUnsafeSlow(size);
  const hash = createHash('sha256').update(GZIP_HEADER);
  let filled = GZIP_HEADER.copy(index);
  for (const { blob, offset, length } of runsOf(places)) {
    const handle = await blobs.open(blob);
    if (handle === undefined) break;
    try {
      const end = Math.min(filled + length, size);
      for (let position = offset; filled < end; ) {
        const part = index.subarray(filled, Math.min(filled + PART_BYTES, end));
        const count = await handle.read(part, position);
        if (count === 0) break;
        hash.update(part.subarray(0, count));
        filled += count;
        position += count;
      }
    } finally {
      await handle.close();
    }
  }
  filled += trailer.copy(index, filled);
  if (filled === size && hash.update(trailer).digest('hex') === sha256) return index;
  // Which blob it is, is worth to know.
  await readPieces(wholeBlobs(blobs), places);
  throw new SeraiError(
    'store-corrupt',
    `the stored index of snapshot ${id} does not have the hash it was published with`,
  );
}

function runsOf(places: readonly PiecePlace[]): readonly Run[] {
  const runs: Run[] = [];
  for (const { blob, offset, length } of places) {
    const last = runs.at(-1);
    if (last !== undefined && last.blob === blob && last.offset + last.length === offset)
      last.length += length;
    else runs.push({ blob, offset, length });
  }
  return runs;
}
