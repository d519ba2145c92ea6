/**
 * A tree as it stands in the store, piece by piece. Of each piece the listing is at hand, a hundred bytes a file; what
 * else is known of its files is read and parsed when it is needed, so that a change costs what the change is.
 */
import { SeraiError } from '../../errors.ts';
import { parseSha256, type Sha256 } from '../../hashes.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import { decodeContent, type FileFacts, PATH_AT } from './file-facts.ts';
import { pieceKey } from './pieces.ts';

/** A piece, and the facts of its files in the order of the tar. */
export interface PieceFiles {
  readonly key: string;
  readonly files: readonly FileFacts[];
}

/** A piece as a tree lists it; its files where they are known already. */
export interface ListedPiece {
  readonly key: string;
  /** See {@link listingOf}. */
  readonly listing: string;
  readonly files?: readonly FileFacts[];
}

type Contents = Pick<Catalogue, 'contents'>;

/** What is known of the files of a piece cannot be read back: the piece has to be made anew. */
export class UnreadablePiece extends SeraiError {
  readonly key: string;

  constructor(key: string, cause: unknown) {
    super('store-corrupt', `what the catalogue knows of the piece ${key} cannot be read; it is made anew`, {
      cause,
    });
    this.key = key;
  }
}

export class StandingTree {
  /** In C order of their first path. */
  readonly pieces: readonly ListedPiece[];
  readonly #firsts: readonly string[];
  readonly #source: Contents;
  readonly #files = new Map<string, readonly FileFacts[]>();

  constructor(pieces: readonly ListedPiece[], source: Contents) {
    this.pieces = pieces;
    this.#firsts = pieces.map(({ listing }) => firstPath(listing));
    this.#source = source;
    for (const { key, files } of pieces) if (files !== undefined) this.#files.set(key, files);
  }

  /** Index of the piece in which the path stands, or would stand; -1 in a tree without pieces. */
  pieceAt(path: string): number {
    let low = 0;
    let high = this.#firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#firsts[middle] ?? '') <= path) low = middle;
      else high = middle - 1;
    }
    return high;
  }

  has(path: string): boolean {
    return this.sha256At(path) !== undefined;
  }

  /** Whether a file stands in the folder (with a slash at its end) of a version. */
  hasFolder(folder: string): boolean {
    // Behind every path in it.
    return this.pieces[this.pieceAt(`${folder}\u00ff`)]?.listing.includes(`  ${folder}`) === true;
  }

  /** Of the file at the path; undefined when there is none. */
  sha256At(path: string): Sha256 | undefined {
    const listing = this.pieces[this.pieceAt(path)]?.listing ?? '';
    // No path has a blank in it, so nothing else can look like this (tree-rules.ts).
    const at = listing.indexOf(`  ${path}\n`);
    return at === -1 ? undefined : parseSha256(listing.slice(at + 2 - PATH_AT, at));
  }

  /** Reads what is known of the files of these pieces. Throws UnreadablePiece. */
  async load(indexes: Iterable<number>): Promise<void> {
    const missing = [...new Set(indexes)].flatMap((index) => {
      const piece = this.pieces[index];
      return piece === undefined || this.#files.has(piece.key) ? [] : [piece];
    });
    if (missing.length === 0) return;
    const contents = await this.#source.contents(missing.map(({ key }) => key));
    for (const { key } of missing) {
      const content = contents.get(key);
      if (content === undefined) throw new UnreadablePiece(key, 'it is not there');
      try {
        this.#files.set(key, decodeContent(content));
      } catch (error) {
        throw new UnreadablePiece(key, error);
      }
    }
  }

  async loadAll(): Promise<void> {
    await this.load(this.pieces.keys());
  }

  /** The files of a piece that was loaded. */
  filesIn(index: number): readonly FileFacts[] {
    const { key = '' } = this.pieces[index] ?? {};
    const files = this.#files.get(key);
    if (files === undefined)
      throw new SeraiError('internal', `the piece ${key} was not read before it was asked`);
    return files;
  }

  /** What is known of the files at these paths; nothing of those that do not stand here. */
  async factsAt(paths: readonly string[]): Promise<ReadonlyMap<string, FileFacts>> {
    const wanted = new Set(paths);
    const indexes = new Set(paths.map((path) => this.pieceAt(path)).filter((index) => index >= 0));
    await this.load(indexes);
    const found = new Map<string, FileFacts>();
    for (const index of indexes)
      for (const file of this.filesIn(index)) if (wanted.has(file.path)) found.set(file.path, file);
    return found;
  }

  /** Forgets what was read of the pieces, and keeps their listings. */
  unload(): void {
    this.#files.clear();
  }
}

/** The first path of a listing. */
function firstPath(listing: string): string {
  return listing.slice(PATH_AT, listing.indexOf('\n'));
}

/**
 * The tree of these pieces; those of them whose listing is lost or is not that of their key are `lost`, and not in it.
 */
export async function loadStandingTree(
  keys: readonly string[],
  source: Pick<Catalogue, 'listings' | 'contents'>,
): Promise<{ readonly tree: StandingTree; readonly lost: ReadonlySet<string> }> {
  const listings = await source.listings(keys);
  const lost = new Set<string>();
  const pieces: ListedPiece[] = [];
  for (const key of keys) {
    const listing = listings.get(key);
    if (listing === undefined || pieceKey(listing) !== key) lost.add(key);
    else pieces.push({ key, listing });
  }
  return { tree: new StandingTree(pieces, source), lost };
}
