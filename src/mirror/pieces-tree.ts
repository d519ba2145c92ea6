/** A tree whose files are read back from stored pieces of an index: what was accepted or published before. */
import { constants, inflateRawSync } from 'node:zlib';
import { SeraiError } from '../errors.ts';
import type { Tree, TreeFile } from '../opam/tree.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Piece } from '../store/catalogue.ts';
import { decodeFacts, type FileFacts } from './file-facts.ts';
import { readPieces } from './piece-bytes.ts';
import { entryLength } from './tar-writer.ts';

const BLOCK = 512;

/** Deflated bytes of pieces held at once while many files are read. */
const READ_BYTES = 16 * 1024 * 1024;

export interface PiecesTree extends Tree {
  /** By path. */
  readonly facts: ReadonlyMap<string, FileFacts>;
}

interface Place {
  readonly piece: Piece;
  /** Where the content begins in the piece's tar bytes. */
  readonly offset: number;
  readonly size: number;
}

/** Files of `pieces`, in the order of the tar; `facts` for those whose facts were decoded already. */
export function readPiecesTree(
  pieces: readonly Piece[],
  blobs: Blobs,
  factsOf: (piece: Piece) => readonly FileFacts[] = (piece) => decodeFacts(piece.facts),
): PiecesTree {
  const files = new Map<string, TreeFile>();
  const facts = new Map<string, FileFacts>();
  const places = new Map<string, Place>();
  for (const piece of pieces) {
    let end = 0;
    for (const file of factsOf(piece)) {
      const { path, size, sha256 } = file;
      end += entryLength(path, size);
      places.set(path, { piece, offset: end - Math.ceil(size / BLOCK) * BLOCK, size });
      files.set(path, { path, size, id: `sha256:${sha256}` });
      facts.set(path, file);
    }
  }
  return {
    files,
    facts,
    async *read(paths) {
      for (const group of groupsOf(paths, places)) {
        const wanted = [...new Set(group.map(({ place }) => place.piece))];
        const bytes = await readPieces(blobs, wanted);
        const deflated = new Map(wanted.map((piece, index) => [piece.key, bytes[index]]));
        let open: { readonly key: string; readonly raw: Buffer } | undefined;
        for (const { path, place } of group) {
          const { key } = place.piece;
          if (open?.key !== key) open = { key, raw: inflate(place.piece, deflated.get(key)) };
          yield [path, open.raw.subarray(place.offset, place.offset + place.size)];
        }
      }
    },
    async close() {},
  };
}

/** Paths in the order asked, cut so that the pieces of one cut fit into memory together. */
function* groupsOf(
  paths: Iterable<string>,
  places: ReadonlyMap<string, Place>,
): Generator<{ path: string; place: Place }[]> {
  let group: { path: string; place: Place }[] = [];
  let last: Piece | undefined;
  let length = 0;
  for (const path of paths) {
    const place = places.get(path);
    if (place === undefined) throw new SeraiError('internal', `no file ${path} in the stored tree`);
    if (place.piece !== last) {
      if (length > READ_BYTES) {
        yield group;
        group = [];
        length = 0;
      }
      length += place.piece.length;
      last = place.piece;
    }
    group.push({ path, place });
  }
  if (group.length > 0) yield group;
}

function inflate({ key, rawLength }: Piece, deflated: Buffer | undefined): Buffer {
  const raw = inflateRawSync(deflated ?? Buffer.alloc(0), {
    // Pieces end with a flush, not with a final block.
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: rawLength + 1,
  });
  if (raw.length === rawLength) return raw;
  throw new SeraiError('store-corrupt', `the piece ${key} does not have the length that it was stored with`);
}
