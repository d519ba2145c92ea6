/** What a tree declares of its archives: sets of checksums, each with every address that the tree has for it. */
import { showChecksum } from '../../hashes.ts';
import type { ArchiveDeclaration, Catalogue, PublishedDeclaration } from '../../store/catalogue.ts';
import type { DeclaredArchive, FileFacts } from '../index/file-facts.ts';
import type { PieceFiles, StandingTree } from '../index/standing-tree.ts';

/** Addresses kept for one archive; the real repository needs 4. */
const SOURCES_PER_ARCHIVE = 16;

interface Holder {
  readonly files: readonly FileFacts[];
}

export interface DeclarationsInput {
  readonly repository: string;
  readonly catalogue: Pick<Catalogue, 'declaring'>;
  /** What is published. */
  readonly tree: StandingTree;
  /** Pieces whose declarations are to be recorded; all others of the tree were recorded before. */
  readonly entering: readonly PieceFiles[];
  /** Pieces that were published last and are no more. */
  readonly leaving: readonly PieceFiles[];
  /** Binds archives to what is signed of them. */
  readonly bind: (piece: PieceFiles) => PieceFiles;
}

export interface Declarations {
  /** What the entering pieces declare, each set once, with the sources that any piece of the tree names for it. */
  readonly declared: readonly PublishedDeclaration[];
  /** How many more distinct sets the tree declares than the one before. */
  readonly difference: number;
}

export async function declarationsOf(input: DeclarationsInput): Promise<Declarations> {
  const { repository, catalogue, tree, entering, leaving, bind } = input;
  const enters = byDeclaration(entering.map(bind));
  const leaves = byDeclaration(leaving.map(bind));
  const concerned = new Map([...leaves, ...enters]);
  const indexes = new Map(tree.pieces.map(({ key }, index) => [key, index]));
  const isEntering = new Set(entering.map(({ key }) => key));
  const others = new Map<string, readonly number[]>();
  if (isEntering.size < tree.pieces.length) {
    const asked = [...concerned].map(([key, { declaration }]) => ({ key, declaration }));
    const pieces = await catalogue.declaring(
      repository,
      asked.map(({ declaration }) => declaration),
    );
    for (const [at, { key }] of asked.entries())
      others.set(
        key,
        (pieces[at] ?? []).flatMap((piece) => (isEntering.has(piece) ? [] : (indexes.get(piece) ?? []))),
      );
  }
  const othersOf = (key: string): readonly number[] => others.get(key) ?? [];
  await tree.load([...enters.keys()].flatMap(othersOf));
  let difference = 0;
  for (const key of concerned.keys()) {
    const stays = othersOf(key).length > 0;
    difference += Number(enters.has(key) || stays) - Number(leaves.has(key) || stays);
  }
  const declared = [...enters].map(([key, { declaration, pieces }]) => {
    const holders = [...pieces].map((piece) => ({ at: indexes.get(piece.key) ?? 0, piece }));
    for (const at of othersOf(key))
      holders.push({ at, piece: bind({ key: tree.pieces[at]?.key ?? '', files: tree.filesIn(at) }) });
    const sources = new Set<string>();
    for (const { piece } of holders.sort((a, b) => a.at - b.at))
      for (const archive of archivesIn([piece]))
        if (declarationKey(archive) === key)
          for (const source of archive.sources) if (sources.size < SOURCES_PER_ARCHIVE) sources.add(source);
    return { ...declaration, sources: [...sources], pieces: [...pieces].map((piece) => piece.key) };
  });
  return { declared, difference };
}

interface Declared {
  readonly declaration: ArchiveDeclaration;
  readonly pieces: Set<PieceFiles>;
}

function byDeclaration(pieces: readonly PieceFiles[]): ReadonlyMap<string, Declared> {
  const found = new Map<string, Declared>();
  for (const piece of pieces)
    for (const archive of archivesIn([piece])) {
      const key = declarationKey(archive);
      const known = found.get(key) ?? { declaration: withoutName(archive), pieces: new Set() };
      known.pieces.add(piece);
      found.set(key, known);
    }
  return found;
}

function withoutName({ checksums, size, sources }: ArchiveDeclaration): ArchiveDeclaration {
  return { checksums, sources, ...(size === undefined ? {} : { size }) };
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
