/** A tree whose files are read back from stored pieces of an index: what was accepted or published before. */
import { constants, inflateRawSync } from 'node:zlib';
import { SeraiError } from '../../errors.ts';
import type { Tree, TreeFile } from '../../opam/tree.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue, Piece } from '../../store/catalogue.ts';
import { decodeContent, type FileFacts } from './file-facts.ts';
import { readPieces, type WholeBlobs, wholeBlobs } from './piece-bytes.ts';
import type { PieceFiles } from './standing-tree.ts';
import { entryLength } from './tar-writer.ts';

const BLOCK = 512;

/** Pieces whose deflated bytes are held at once while many files are read; in the real index each has 5 KB. */
const PIECES_AT_ONCE = 1000;

export interface PiecesTree extends Tree {
  /** By path. */
  readonly facts: ReadonlyMap<string, FileFacts>;
}

export interface PieceSource {
  readonly catalogue: Pick<Catalogue, 'pieces' | 'contents'>;
  readonly blobs: Pick<Blobs, 'open'>;
}

/** Where pieces lie, and the bytes that are there. */
export interface PieceReader extends WholeBlobs {
  /** Those of the keys that are known. */
  pieces(keys: readonly string[]): Promise<ReadonlyMap<string, Piece>>;
}

/** Looks each time in the store. */
export function pieceReader({ catalogue, blobs }: PieceSource): PieceReader {
  return { ...wholeBlobs(blobs), pieces: (keys) => catalogue.pieces(keys) };
}

interface Place {
  readonly key: string;
  /** Where the content begins in the piece's tar bytes. */
  readonly offset: number;
  readonly size: number;
}

/** The tree of stored pieces, whose facts are decoded here. Throws `store-corrupt` when they cannot be read. */
export async function loadPiecesTree(keys: readonly string[], source: PieceSource): Promise<PiecesTree> {
  const contents = await source.catalogue.contents(keys);
  const listed = keys.flatMap((key) => {
    const content = contents.get(key);
    return content === undefined ? [] : [{ key, files: decodeContent(content) }];
  });
  return readPiecesTree(listed, pieceReader(source));
}

/** The tree of pieces whose files are known; where their bytes are is looked up when they are read. */
export function readPiecesTree(pieces: readonly PieceFiles[], reader: PieceReader): PiecesTree {
  const files = new Map<string, TreeFile>();
  const facts = new Map<string, FileFacts>();
  const pieceOf = new Map<string, PieceFiles>();
  for (const piece of pieces) {
    for (const file of piece.files) {
      const { path, size, sha256 } = file;
      pieceOf.set(path, piece);
      files.set(path, { path, size, id: `sha256:${sha256}` });
      facts.set(path, file);
    }
  }
  return {
    files,
    facts,
    async *read(paths) {
      for (const group of groupsOf(placesOf(paths, pieceOf))) {
        const keys = [...new Set(group.map(({ place }) => place.key))];
        const found = await reader.pieces(keys);
        const wanted = keys.flatMap((key) => found.get(key) ?? []);
        const bytes = await readPieces(reader, wanted);
        const deflated = new Map(wanted.map((piece, index) => [piece.key, bytes[index]]));
        let open: { readonly key: string; readonly raw: Buffer } | undefined;
        for (const { path, place } of group) {
          const { key, offset, size } = place;
          if (open?.key !== key) open = { key, raw: inflate(key, found.get(key), deflated.get(key)) };
          yield [path, open.raw.subarray(offset, offset + size)];
        }
      }
    },
    async close() {},
  };
}

/** Offsets are found for the pieces that are read alone. */
function* placesOf(
  paths: Iterable<string>,
  pieceOf: ReadonlyMap<string, PieceFiles>,
): Generator<{ path: string; place: Place }> {
  const offsets = new Map<PieceFiles, ReadonlyMap<string, Place>>();
  for (const path of paths) {
    const piece = pieceOf.get(path);
    if (piece === undefined) throw new SeraiError('internal', `no file ${path} in the stored tree`);
    let places = offsets.get(piece);
    if (places === undefined) {
      places = offsetsIn(piece);
      offsets.set(piece, places);
    }
    const place = places.get(path);
    if (place !== undefined) yield { path, place };
  }
}

function offsetsIn({ key, files }: PieceFiles): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  let end = 0;
  for (const { path, size } of files) {
    end += entryLength(path, size);
    places.set(path, { key, offset: end - Math.ceil(size / BLOCK) * BLOCK, size });
  }
  return places;
}

/** Files in the order asked, cut so that a bounded number of pieces is open at once. */
function* groupsOf(
  places: Iterable<{ path: string; place: Place }>,
): Generator<{ path: string; place: Place }[]> {
  let group: { path: string; place: Place }[] = [];
  const keys = new Set<string>();
  for (const each of places) {
    if (!keys.has(each.place.key) && keys.size === PIECES_AT_ONCE) {
      yield group;
      group = [];
      keys.clear();
    }
    keys.add(each.place.key);
    group.push(each);
  }
  if (group.length > 0) yield group;
}

function inflate(key: string, piece: Piece | undefined, deflated: Buffer | undefined): Buffer {
  const rawLength = piece?.rawLength ?? 0;
  const raw = inflateRawSync(deflated ?? Buffer.alloc(0), {
    // Pieces end with a flush, not with a final block.
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: rawLength + 1,
  });
  if (piece !== undefined && raw.length === rawLength) return raw;
  throw new SeraiError(
    'store-corrupt',
    `the piece ${key} is gone, or does not have the length that it was stored with`,
  );
}
