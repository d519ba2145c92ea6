/** What a tree declares of its archives: sets of checksums, each with every address that the tree has for it. */
import { type Checksum, showChecksum } from '../hashes.ts';
import type { ArchiveDeclaration } from '../store/catalogue.ts';
import type { FileFacts } from './file-facts.ts';

/** Addresses kept for one archive; the real repository needs 4. */
const SOURCES_PER_ARCHIVE = 16;

interface Holder {
  readonly files: readonly FileFacts[];
}

/** What the chosen pieces declare, each set once, with the sources that any of the pieces names for it. */
export function declarationsOf<Piece extends Holder>(
  pieces: readonly Piece[],
  chosen: (piece: Piece) => boolean,
): ArchiveDeclaration[] {
  const wanted = new Map<string, { declaration: ArchiveDeclaration; sources: Set<string> }>();
  for (const archive of archivesIn(pieces.filter((piece) => chosen(piece))))
    wanted.set(declarationKey(archive), { declaration: archive, sources: new Set() });
  for (const archive of archivesIn(pieces)) {
    const sources = wanted.get(declarationKey(archive))?.sources;
    for (const source of archive.sources)
      if (sources !== undefined && sources.size < SOURCES_PER_ARCHIVE) sources.add(source);
  }
  return [...wanted.values()].map(({ declaration, sources }) => ({ ...declaration, sources: [...sources] }));
}

export function* archivesIn(pieces: Iterable<Holder>): Iterable<ArchiveDeclaration> {
  for (const piece of pieces) for (const file of piece.files) yield* file.archives;
}

/** Equal for the same set of checksums with the same signed size, in whatever order and however often. */
export function declarationKey(archive: {
  readonly checksums: readonly Checksum[];
  readonly size?: number;
}): string {
  const checksums = new Set(archive.checksums.map((checksum) => showChecksum(checksum)));
  return `${archive.size ?? ''} ${[...checksums].sort().join(' ')}`;
}
