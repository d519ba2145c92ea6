/** An index without some of its versions: only the pieces that had them are made anew, all else stays as it is. */
import { type PackageId, packageIdOfPath } from '../../opam/package-id.ts';
import type { Catalogue, Piece } from '../../store/catalogue.ts';
import { decodeContent, type FileFacts, readListing } from './file-facts.ts';
import { type DeflatedPiece, Deflations, GZIP_HEADER, gzipTrailer } from './gzip.ts';
import { type PieceSource, pieceReader, readPiecesTree } from './pieces-tree.ts';
import type { PieceFiles } from './standing-tree.ts';
import { entryLength, TAR_END, writeEntry } from './tar-writer.ts';

/** Pieces looked through before other requests get their turn. */
const PIECES_AT_ONCE = 32;

/** A piece that has some of the versions. */
interface Concerned {
  readonly whole: PieceFiles;
  readonly kept: readonly FileFacts[];
}

/**
 * The parts of an index.tar.gz, `parts` being those of the whole one: header, a part for each of `pieces`, trailer.
 * The same array when it has none of these versions. The same versions left out of the same index give the same
 * bytes.
 */
export async function withoutVersions(
  pieces: readonly Piece[],
  parts: readonly Buffer[],
  isLeftOut: (id: PackageId) => boolean,
  source: PieceSource & { readonly catalogue: Pick<Catalogue, 'listings'> },
): Promise<readonly Buffer[]> {
  const isKept = (path: string): boolean => {
    const place = packageIdOfPath(path);
    return place === undefined || !isLeftOut(place.id);
  };
  const listings = await source.catalogue.listings(pieces.map(({ key }) => key));
  const indexes: number[] = [];
  for (const [index, { key }] of pieces.entries()) {
    if (index % PIECES_AT_ONCE === PIECES_AT_ONCE - 1)
      await new Promise<void>((resolve) => setImmediate(resolve));
    if (!readListing(listings.get(key) ?? '').every(({ path }) => isKept(path))) indexes.push(index);
  }
  const contents = await source.catalogue.contents(indexes.map((index) => pieces[index]?.key ?? ''));
  const concerned = new Map<number, Concerned>();
  for (const index of indexes) {
    const { key = '' } = pieces[index] ?? {};
    const content = contents.get(key);
    const files = content === undefined ? [] : decodeContent(content);
    concerned.set(index, { whole: { key, files }, kept: files.filter(({ path }) => isKept(path)) });
  }
  if (concerned.size === 0) return parts;

  const made = await makeAnew(concerned, source);
  const left: Pick<Piece, 'rawLength' | 'crc32'>[] = [];
  const reduced: Buffer[] = [GZIP_HEADER];
  for (const [index, piece] of pieces.entries()) {
    const anew = made.get(index);
    const bytes = concerned.has(index) ? anew?.deflated : parts[index + 1];
    if (bytes === undefined) continue;
    left.push(anew ?? piece);
    reduced.push(bytes);
  }
  reduced.push(gzipTrailer(left, TAR_END));
  return reduced;
}

/** By index; nothing for pieces of which nothing is kept. All are read in one go: they mostly lie in one blob. */
async function makeAnew(
  concerned: ReadonlyMap<number, Concerned>,
  source: PieceSource,
): Promise<ReadonlyMap<number, DeflatedPiece>> {
  const made = new Map<number, DeflatedPiece>();
  const all = [...concerned.values()];
  const tree = readPiecesTree(
    all.map(({ whole }) => whole),
    pieceReader(source),
  );
  const contents = tree.read(all.flatMap(({ kept }) => kept.map(({ path }) => path)))[Symbol.asyncIterator]();
  const deflations = new Deflations();
  for (const [index, { kept }] of concerned) {
    if (kept.length === 0) continue;
    const raw = Buffer.alloc(kept.reduce((sum, { path, size }) => sum + entryLength(path, size), 0));
    let offset = 0;
    for (const { path } of kept) {
      const next = await contents.next();
      if (next.done !== true) offset = writeEntry(raw, offset, path, next.value[1]);
    }
    await deflations.add(raw, (deflated) => made.set(index, deflated));
  }
  await deflations.end();
  return made;
}
