/** The published index.tar.gz: storing its pieces, measuring the whole, reading it back. */
import { createHash } from 'node:crypto';
import { measuredSha256, type Sha256 } from '../../hashes.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue, Piece } from '../../store/catalogue.ts';
import { encodeFacts, type FileFacts } from './file-facts.ts';
import { deflatePiece, GZIP_HEADER, gzipTrailer } from './gzip.ts';
import type { PlannedPiece } from './index-plan.ts';
import { readPieces } from './piece-bytes.ts';
import { pieceKey } from './pieces.ts';
import { sha256Of } from './snapshot-id.ts';
import type { StoredPieces } from './stored-pieces.ts';
import { entryLength, TAR_END, writeEntry } from './tar-writer.ts';

export interface StoredIndex {
  /** All of the index, in the order of the tar. */
  readonly pieces: readonly Piece[];
  /** Those that the catalogue has to learn. */
  readonly fresh: readonly Piece[];
  /** Of the whole index.tar.gz, in bytes. */
  readonly size: number;
  /** Of the whole index.tar.gz. */
  readonly sha256: Sha256;
}

/** The piece of the rewritten `repo` file (latin1). */
export async function repoPiece(text: string, stored: StoredPieces): Promise<PlannedPiece> {
  const content = Buffer.from(text, 'latin1');
  const sha256 = sha256Of(content);
  const file: FileFacts = {
    path: 'repo',
    id: `sha256:${sha256}`,
    size: content.length,
    sha256,
    archives: [],
    others: [],
  };
  const key = pieceKey([file]);
  const known = (await stored.find([key])).get(key);
  if (known !== undefined) return { key, files: [file], ...known };
  const raw = Buffer.alloc(entryLength(file.path, file.size));
  writeEntry(raw, 0, file.path, content);
  return { key, files: [file], deflated: await deflatePiece(raw) };
}

/** All pieces in the order of the tar: C order of their first path. */
export function withRepo(planned: readonly PlannedPiece[], repo: PlannedPiece): readonly PlannedPiece[] {
  const behind = planned.findIndex((piece) => (piece.files[0]?.path ?? '') > 'repo');
  const at = behind === -1 ? planned.length : behind;
  return [...planned.slice(0, at), repo, ...planned.slice(at)];
}

interface Part {
  readonly piece: Piece;
  readonly bytes: Buffer;
}

/**
 * Keeps the new pieces, and measures the index that they make with those that were there; `others` are kept beside
 * them, and are no part of the index.
 */
export async function storeIndex(
  planned: readonly PlannedPiece[],
  others: readonly PlannedPiece[],
  blobs: Blobs,
  catalogue: Catalogue,
): Promise<StoredIndex> {
  const keys = new Set(planned.map(({ key }) => key));
  const made = await putPieces([...planned, ...others.filter(({ key }) => !keys.has(key))], blobs, catalogue);
  const stored = planned.flatMap((piece) => ('stored' in piece ? [piece.stored] : []));
  const bytesOfStored = await readPieces(blobs, stored);
  const parts = new Map(made.map((part) => [part.piece.key, part]));
  for (const [index, piece] of stored.entries())
    parts.set(piece.key, { piece, bytes: bytesOfStored[index] ?? Buffer.alloc(0) });
  const inOrder = planned.flatMap(({ key }) => parts.get(key) ?? []);
  const pieces = inOrder.map(({ piece }) => piece);
  const measured = measureIndex(
    framed(
      pieces,
      inOrder.map(({ bytes }) => bytes),
    ),
  );
  return { pieces, fresh: made.map(({ piece }) => piece), ...measured };
}

/** Puts the new pieces' bytes into one blob: one fsync for a snapshot, not one for each piece. */
async function putPieces(
  planned: readonly PlannedPiece[],
  blobs: Blobs,
  catalogue: Catalogue,
): Promise<readonly Part[]> {
  const making = planned.flatMap((piece) => ('deflated' in piece ? [piece] : []));
  if (making.length === 0) return [];
  const blob = await blobs.put(
    making.map(({ deflated }) => deflated.deflated),
    { maxBytes: Number.MAX_SAFE_INTEGER },
  );
  await catalogue.recordBlob(blob);
  let offset = 0;
  return making.map(({ key, files, deflated: { deflated: bytes, rawLength, crc32 } }) => {
    const place = { blob: blob.id, offset, length: bytes.length };
    offset += bytes.length;
    return { piece: { key, ...place, rawLength, crc32, facts: encodeFacts(files) }, bytes };
  });
}

/** The index's parts in order: header, pieces, trailer. Throws `store-corrupt` when a piece is gone. */
export async function readIndex(pieces: readonly Piece[], blobs: Blobs): Promise<Buffer[]> {
  return framed(pieces, await readPieces(blobs, pieces));
}

function framed(pieces: readonly Piece[], bytes: readonly Buffer[]): Buffer[] {
  return [GZIP_HEADER, ...bytes, gzipTrailer(pieces, TAR_END)];
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
