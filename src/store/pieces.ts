/** The pieces of compressed index that trees share, and a tree's list of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import type { Piece } from './catalogue.ts';
import { integerIn, type Row, sha256In, textIn, textListIn } from './rows.ts';

/**
 * Columns for `pieceListIn`, of a table whose column `pieces` holds what `rowsOf` gave. A tree names 1,200
 * pieces: their row numbers take a tenth of what their keys would.
 */
export function pieceListColumns(table: string): string {
  return `json_array_length(${table}.pieces) AS piece_count,
    (SELECT json_group_array(piece.key ORDER BY item.key)
     FROM json_each(${table}.pieces) AS item JOIN piece ON piece.id = item.value) AS piece_keys`;
}

/** The keys in their order; `owner` is for people. Throws `store-corrupt` when a piece is not there any more. */
export function pieceListIn(row: Row, owner: string): readonly string[] {
  const keys = textListIn(row, 'piece_keys');
  if (keys.length === integerIn(row, 'piece_count')) return keys;
  throw new SeraiError(
    'store-corrupt',
    `pieces of ${owner} are missing from the catalogue; put back a backup, or publish it again`,
  );
}

export class PieceTable {
  readonly #byKey: Database.Statement<[string], Row>;
  readonly #save: Database.Statement<[Piece]>;

  constructor(database: Database.Database) {
    this.#byKey = database.prepare('SELECT * FROM piece WHERE key = ?');
    this.#save = database.prepare(
      `INSERT INTO piece (key, blob, "offset", length, raw_length, crc32, facts)
       VALUES (@key, @blob, @offset, @length, @rawLength, @crc32, @facts)
       ON CONFLICT (key) DO UPDATE SET blob = excluded.blob, "offset" = excluded."offset",
         length = excluded.length, facts = excluded.facts`,
    );
  }

  find(keys: readonly string[]): ReadonlyMap<string, Piece> {
    const found = new Map<string, Piece>();
    for (const key of keys) {
      const row = this.#byKey.get(key);
      if (row !== undefined) found.set(key, toPiece(row));
    }
    return found;
  }

  /**
   * A known piece moves to its new place, as after its blob was lost. The same key for other tar bytes is
   * refused: it would change every older tree that has the piece.
   */
  save(piece: Piece): void {
    const known = this.#byKey.get(piece.key);
    if (known !== undefined) {
      const { rawLength, crc32 } = toPiece(known);
      if (rawLength !== piece.rawLength || crc32 !== piece.crc32) {
        throw new SeraiError('internal', `the piece ${piece.key} is published again with other bytes`);
      }
    }
    this.#save.run(piece);
  }

  /** What a column `pieces` keeps of a list; throws `internal` for a piece that nobody saved. */
  rowsOf(keys: readonly string[], owner: string): string {
    const rows = keys.map((key) => {
      const row = this.#byKey.get(key);
      if (row === undefined) throw new SeraiError('internal', `${owner} names the unknown piece ${key}`);
      return integerIn(row, 'id');
    });
    return JSON.stringify(rows);
  }
}

function toPiece(row: Row): Piece {
  return {
    key: textIn(row, 'key'),
    blob: sha256In(row, 'blob'),
    offset: integerIn(row, 'offset'),
    length: integerIn(row, 'length'),
    rawLength: integerIn(row, 'raw_length'),
    crc32: integerIn(row, 'crc32'),
    facts: textIn(row, 'facts'),
  };
}
