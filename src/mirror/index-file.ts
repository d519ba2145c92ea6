/** The published index.tar.gz: storing its pieces, and measuring the whole. */
import { createHash } from 'node:crypto';
import { SeraiError } from '../errors.ts';
import { measuredSha256, type Sha256 } from '../hashes.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Catalogue, Piece } from '../store/catalogue.ts';
import { encodeFacts, type FileFacts } from './file-facts.ts';
import { deflatePiece, GZIP_HEADER, gzipTrailer } from './gzip.ts';
import type { PlannedPiece } from './index-plan.ts';
import { readPieces } from './piece-bytes.ts';
import { pieceKey } from './pieces.ts';
import { sha256Of } from './snapshot-id.ts';
import { entryLength, TAR_END, writeEntry } from './tar-writer.ts';

export interface StoredPieces {
  /** All of the index, in the order of the tar. */
  readonly all: readonly Piece[];
  /** Those that the catalogue has to learn. */
  readonly fresh: readonly Piece[];
}

/** The piece of the rewritten `repo` file. */
export async function repoPiece(text: string): Promise<PlannedPiece> {
  const content = Buffer.from(text, 'latin1');
  const sha256 = sha256Of(content);
  const file: FileFacts = {
    path: 'repo',
    id: `sha256:${sha256}`,
    size: content.length,
    sha256,
    archives: [],
  };
  const raw = Buffer.alloc(entryLength(file.path, file.size));
  writeEntry(raw, 0, file.path, content);
  return { key: pieceKey([file]), files: [file], deflated: await deflatePiece(raw) };
}

/** All pieces in the order of the tar: C order of their first path. */
export function withRepo(planned: readonly PlannedPiece[], repo: PlannedPiece): readonly PlannedPiece[] {
  const behind = planned.findIndex((piece) => (piece.files[0]?.path ?? '') > 'repo');
  const at = behind === -1 ? planned.length : behind;
  return [...planned.slice(0, at), repo, ...planned.slice(at)];
}

/** Puts the new pieces' bytes into one blob: one fsync for a snapshot, not one for each piece. */
export async function storePieces(
  planned: readonly PlannedPiece[],
  blobs: Blobs,
  catalogue: Catalogue,
): Promise<StoredPieces> {
  const making = planned.flatMap((piece) =>
    piece.deflated === undefined ? [] : [{ ...piece, deflated: piece.deflated }],
  );
  const blob = await blobs.put(
    making.map((piece) => piece.deflated.deflated),
    { maxBytes: Number.MAX_SAFE_INTEGER },
  );
  await catalogue.recordBlob(blob);
  let offset = 0;
  const fresh = making.map(({ key, files, deflated }): Piece => {
    const piece: Piece = {
      key,
      blob: blob.id,
      offset,
      length: deflated.deflated.length,
      rawLength: deflated.rawLength,
      crc32: deflated.crc32,
      facts: encodeFacts(files),
    };
    offset += piece.length;
    return piece;
  });
  const known = await catalogue.pieces(planned.map((piece) => piece.key));
  const made = new Map(fresh.map((piece) => [piece.key, piece]));
  const all = planned.map((piece) => {
    const stored = made.get(piece.key) ?? known.get(piece.key);
    if (stored !== undefined) return stored;
    throw new SeraiError(
      'store-corrupt',
      'a piece of the index vanished from the catalogue while publishing',
    );
  });
  return { all, fresh };
}

/** The index's parts in order: header, pieces, trailer. Throws `store-corrupt` when a piece is gone. */
export async function indexParts(pieces: readonly Piece[], blobs: Blobs): Promise<Buffer[]> {
  return [GZIP_HEADER, ...(await readPieces(blobs, pieces)), gzipTrailer(pieces, TAR_END)];
}

export function measureIndex(parts: readonly Buffer[]): { readonly size: number; readonly sha256: Sha256 } {
  const hash = createHash('sha256');
  let size = 0;
  for (const part of parts) {
    hash.update(part);
    size += part.length;
  }
  return { size, sha256: measuredSha256(hash.digest('hex')) };
}
