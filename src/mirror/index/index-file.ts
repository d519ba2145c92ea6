/** The published index.tar.gz: storing its pieces, measuring the whole, reading it back. */
import { createHash } from 'node:crypto';
import { SeraiError } from '../../errors.ts';
import { measuredSha256, type Sha256 } from '../../hashes.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue, Piece, PieceContent } from '../../store/catalogue.ts';
import type { BlobKeepers } from '../archives/damaged-blobs.ts';
import { encodeContent, type FileFacts, listingOf, PATH_AT } from './file-facts.ts';
import { deflatePiece, GZIP_HEADER, gzipTrailer } from './gzip.ts';
import type { PlannedPiece } from './index-plan.ts';
import { readPieces, wholeBlobs } from './piece-bytes.ts';
import { pieceKey } from './pieces.ts';
import { sha256Of } from './snapshot-id.ts';
import type { ListedPiece } from './standing-tree.ts';
import type { StoredPieces } from './stored-pieces.ts';
import { entryLength, TAR_END, writeEntry } from './tar-writer.ts';

export interface StoredIndex {
  /** Those that the catalogue has to learn. */
  readonly fresh: readonly (Piece & PieceContent)[];
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
  const listing = listingOf([file]);
  const piece = { key: pieceKey(listing), listing, files: [file] };
  const known = (await stored.find([piece.key])).get(piece.key);
  if (known !== undefined) return { ...piece, ...known };
  const raw = Buffer.alloc(entryLength(file.path, file.size));
  writeEntry(raw, 0, file.path, content);
  return { ...piece, deflated: await deflatePiece(raw) };
}

/** The keys of all pieces in the order of the tar: C order of their first path. */
export function withRepo(pieces: readonly ListedPiece[], repo: PlannedPiece): readonly string[] {
  const behind = pieces.findIndex(({ listing }) => listing.slice(PATH_AT, listing.indexOf('\n')) > 'repo');
  const at = behind === -1 ? pieces.length : behind;
  const keys = pieces.map(({ key }) => key);
  return [...keys.slice(0, at), repo.key, ...keys.slice(at)];
}

interface Part {
  readonly piece: Piece;
  readonly bytes: Buffer;
}

/**
 * Keeps the new pieces, and measures the index of `keys`, which they make with those that were there. Throws
 * `store-corrupt` when one of those is gone.
 */
export async function storeIndex(
  keys: readonly string[],
  entering: readonly PlannedPiece[],
  stored: StoredPieces,
  { blobs, catalogue }: BlobKeepers,
): Promise<StoredIndex> {
  const distinct = [...new Map(entering.map((piece) => [piece.key, piece])).values()];
  const made = await putPieces(distinct, blobs, catalogue);
  const parts = new Map(made.map(({ piece, bytes }): [string, Part] => [piece.key, { piece, bytes }]));
  const known = new Map(distinct.flatMap((piece) => ('stored' in piece ? [[piece.key, piece.stored]] : [])));
  const others = await stored.find(keys.filter((key) => !parts.has(key) && !known.has(key)));
  const places = keys.flatMap((key) => known.get(key) ?? others.get(key)?.stored ?? []);
  for (const [index, bytes] of (await readPieces(stored, places)).entries()) {
    const piece = places[index];
    if (piece !== undefined) parts.set(piece.key, { piece, bytes });
  }
  const inOrder = keys.map((key) => {
    const part = parts.get(key);
    if (part !== undefined) return part;
    throw new SeraiError(
      'store-corrupt',
      `the piece ${key} of an index is gone; the next sync that reaches the upstream makes it anew`,
    );
  });
  const measured = measureIndex(
    framed(
      inOrder.map(({ piece }) => piece),
      inOrder.map(({ bytes }) => bytes),
    ),
  );
  return { fresh: made.map(({ piece }) => piece), ...measured };
}

/** Puts the new pieces' bytes into one blob: one fsync for a snapshot, not one for each piece. */
async function putPieces(
  planned: readonly PlannedPiece[],
  blobs: Blobs,
  catalogue: Catalogue,
): Promise<readonly { readonly piece: Piece & PieceContent; readonly bytes: Buffer }[]> {
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
    return { piece: { key, ...place, rawLength, crc32, ...encodeContent(files) }, bytes };
  });
}

/** The index's parts in order: header, pieces, trailer. Throws `store-corrupt` when a piece is gone. */
export async function readIndex(pieces: readonly Piece[], blobs: Blobs): Promise<Buffer[]> {
  return framed(pieces, await readPieces(wholeBlobs(blobs), pieces));
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
