/** What a tree declares of its archives: sets of checksums, each with every address that the tree has for it. */
import { showChecksum } from '../../hashes.ts';
import type { ArchiveDeclaration } from '../../store/catalogue.ts';
import type { DeclaredArchive, FileFacts } from '../index/file-facts.ts';

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

export function archivesIn(pieces: readonly Holder[]): readonly DeclaredArchive[] {
  const archives: DeclaredArchive[] = [];
  for (const { files } of pieces) for (const file of files) archives.push(...file.archives);
  return archives;
}

type Identity = Pick<ArchiveDeclaration, 'checksums' | 'size'>;

/** Facts of unchanged files stay the same objects from one publication to the next. */
const KEYS = new WeakMap<Identity, string>();

/** Equal for the same set of checksums with the same signed size, in whatever order and however often. */
export function declarationKey(archive: Identity): string {
  let key = KEYS.get(archive);
  if (key === undefined) {
    const checksums = new Set(archive.checksums.map((checksum) => showChecksum(checksum)));
    key = `${archive.size ?? ''} ${[...checksums].sort().join(' ')}`;
    KEYS.set(archive, key);
  }
  return key;
}
