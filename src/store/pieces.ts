/** The pieces of compressed index that trees share, and a tree's list of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import type { Piece, PieceContent, PiecePlace } from './catalogue.ts';
import { integerIn, integersIn, type Row, sha256In, textIn } from './rows.ts';

/** Keys that are kept by their rows, 10 MB of memory: of the present trees of many repositories and of past ones. */
const KEYS_KEPT = 65_536;

/** Where each piece of a snapshot lies; a row for each. */
export const PIECE_PLACES = `
  SELECT piece.blob, piece."offset", piece.length, piece.raw_length, piece.crc32
  FROM snapshot JOIN repository ON repository.id = snapshot.repository
    JOIN json_each(snapshot.pieces) AS item LEFT JOIN piece ON piece.id = item.value
  WHERE repository.name = ? AND snapshot.id = ? ORDER BY item.key`;

/** A row of `PIECE_PLACES`; throws `store-corrupt` when the piece is not there any more. */
export function placeIn(row: Row, owner: string): PiecePlace {
  if (row.blob === null) throw missing(owner);
  return {
    blob: sha256In(row, 'blob'),
    offset: integerIn(row, 'offset'),
    length: integerIn(row, 'length'),
    rawLength: integerIn(row, 'raw_length'),
    crc32: integerIn(row, 'crc32'),
  };
}

function missing(owner: string): SeraiError {
  return new SeraiError(
    'store-corrupt',
    `pieces of ${owner} are missing from the catalogue; put back a backup, or publish it again`,
  );
}

/** Each statement takes keys as a JSON array: one for all pieces of a tree, not one for each. */
export class PieceTable {
  readonly #places: Database.Statement<[string], Row>;
  readonly #listings: Database.Statement<[string], Row>;
  readonly #contents: Database.Statement<[string], Row>;
  readonly #rows: Database.Statement<[string], Row>;
  readonly #keys: Database.Statement<[rows: string], Row>;
  readonly #known: Database.Statement<[string], Row>;
  /** By row. A piece never gets another row, and one list has nearly all pieces of the next. */
  readonly #keyAt = new Map<number, string>();
  readonly #keysKept: number;
  readonly #save: Database.Statement<[Piece & PieceContent]>;
  readonly #saveContent: Database.Statement<[Piece & PieceContent]>;

  constructor(database: Database.Database, keysKept: number = KEYS_KEPT) {
    this.#keysKept = keysKept;
    const from = 'FROM json_each(?) AS wanted JOIN piece ON piece.key = wanted.value';
    this.#places = database.prepare(`SELECT piece.key, blob, "offset", length, raw_length, crc32 ${from}`);
    const contentFrom = `${from} JOIN piece_content AS content ON content.piece = piece.id`;
    this.#listings = database.prepare(`SELECT piece.key, content.listing ${contentFrom}`);
    this.#contents = database.prepare(`SELECT piece.key, content.listing, content.facts ${contentFrom}`);
    this.#rows = database.prepare(
      `SELECT count(*) AS piece_count, json_group_array(piece.id ORDER BY wanted.key) AS piece_rows ${from}`,
    );
    this.#keys = database.prepare(
      'SELECT piece.id, piece.key FROM json_each(?) AS item JOIN piece ON piece.id = item.value',
    );
    this.#known = database.prepare('SELECT raw_length, crc32 FROM piece WHERE key = ?');
    this.#save = database.prepare(
      `INSERT INTO piece (key, blob, "offset", length, raw_length, crc32)
       VALUES (@key, @blob, @offset, @length, @rawLength, @crc32)
       ON CONFLICT (key) DO UPDATE SET blob = excluded.blob, "offset" = excluded."offset", length = excluded.length`,
    );
    this.#saveContent = database.prepare(
      `INSERT INTO piece_content (piece, listing, facts)
       SELECT piece.id, @listing, @facts FROM piece WHERE piece.key = @key
       ON CONFLICT (piece) DO UPDATE SET listing = excluded.listing, facts = excluded.facts`,
    );
  }

  find(keys: readonly string[]): ReadonlyMap<string, Piece> {
    return byKey(this.#places.all(JSON.stringify(keys)), toPiece);
  }

  listings(keys: readonly string[]): ReadonlyMap<string, string> {
    return byKey(this.#listings.all(JSON.stringify(keys)), (row) => textIn(row, 'listing'));
  }

  contents(keys: readonly string[]): ReadonlyMap<string, PieceContent> {
    return byKey(this.#contents.all(JSON.stringify(keys)), (row) => ({
      listing: textIn(row, 'listing'),
      facts: textIn(row, 'facts'),
    }));
  }

  /**
   * A known piece moves to its new place, as after its blob was lost. The same key for other tar bytes is
   * refused: it would change every older tree that has the piece.
   */
  save(piece: Piece & PieceContent): void {
    const known = this.#known.get(piece.key);
    if (
      known !== undefined &&
      (integerIn(known, 'raw_length') !== piece.rawLength || integerIn(known, 'crc32') !== piece.crc32)
    ) {
      throw new SeraiError('internal', `the piece ${piece.key} is published again with other bytes`);
    }
    this.#save.run(piece);
    this.#saveContent.run(piece);
  }

  /**
   * The keys of a column `pieces`, which holds what `rowsOf` gave: a tree names 1,200 pieces, and their row numbers take
   * a tenth of what their keys would. `owner` is for people. Throws `store-corrupt` when a piece is not there any more.
   */
  listIn(row: Row, owner: string): readonly string[] {
    const rows = integersIn(row, 'pieces');
    const unknown = rows.filter((at) => !this.#keyAt.has(at));
    if (unknown.length > 0) this.#learnKeys(unknown, rows);
    return rows.map((at) => {
      const key = this.#keyAt.get(at);
      if (key === undefined) throw missing(owner);
      return key;
    });
  }

  /** What was known before goes when it becomes too much, but not what is asked for. */
  #learnKeys(unknown: readonly number[], wanted: readonly number[]): void {
    const isTooMuch = this.#keyAt.size + unknown.length > this.#keysKept;
    if (isTooMuch) this.#keyAt.clear();
    const asked = isTooMuch ? wanted : unknown;
    for (const found of this.#keys.all(JSON.stringify(asked)))
      this.#keyAt.set(integerIn(found, 'id'), textIn(found, 'key'));
  }

  /** What a column `pieces` keeps of a list; throws `internal` for a piece that nobody saved. */
  rowsOf(keys: readonly string[], owner: string): string {
    const row = this.#rows.get(JSON.stringify(keys));
    if (row !== undefined && integerIn(row, 'piece_count') === keys.length) return textIn(row, 'piece_rows');
    const known = this.find(keys);
    throw new SeraiError(
      'internal',
      `${owner} names the unknown piece ${keys.find((key) => !known.has(key))}`,
    );
  }
}

function byKey<Value>(rows: readonly Row[], read: (row: Row) => Value): ReadonlyMap<string, Value> {
  return new Map(rows.map((row) => [textIn(row, 'key'), read(row)]));
}

function toPiece(row: Row): Piece {
  return {
    key: textIn(row, 'key'),
    ...placeIn(row, 'a tree'),
  };
}
