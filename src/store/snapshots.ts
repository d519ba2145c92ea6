/** Snapshots, and the pieces of compressed index that they share. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import type { Sha256 } from '../hashes.ts';
import type { Piece, Snapshot } from './catalogue.ts';
import { integerIn, optionalTextIn, type Row, sha256In, textIn, textListIn } from './rows.ts';

/** A snapshot names 1,200 pieces: their row numbers take a tenth of what their keys would. */
const SELECT_SNAPSHOT = `
  SELECT snapshot.*, json_array_length(snapshot.pieces) AS piece_count,
    (SELECT json_group_array(piece.key ORDER BY item.key)
     FROM json_each(snapshot.pieces) AS item JOIN piece ON piece.id = item.value) AS piece_keys
  FROM snapshot JOIN repository ON repository.id = snapshot.repository
  WHERE repository.name = ?`;

export class SnapshotTable {
  readonly #newest: Database.Statement<[string, number], Row>;
  readonly #byId: Database.Statement<[string, string], Row>;
  readonly #save: Database.Statement<[Row]>;
  readonly #pieceByKey: Database.Statement<[string], Row>;
  readonly #savePiece: Database.Statement<[Piece]>;

  constructor(database: Database.Database) {
    this.#newest = database.prepare(`${SELECT_SNAPSHOT} ORDER BY snapshot.publication DESC LIMIT ?`);
    this.#byId = database.prepare(`${SELECT_SNAPSHOT} AND snapshot.id = ?`);
    this.#save = database.prepare(
      `INSERT OR REPLACE INTO snapshot
         (repository, id, publication, published_at, commit_id, pieces, size, sha256, repo, summary)
       SELECT @repository, @id, ifnull(max(publication), 0) + 1,
         @publishedAt, @commit, @pieces, @size, @sha256, @repo, @summary
       FROM snapshot WHERE repository = @repository`,
    );
    this.#pieceByKey = database.prepare('SELECT * FROM piece WHERE key = ?');
    this.#savePiece = database.prepare(
      `INSERT INTO piece (key, blob, "offset", length, raw_length, crc32, facts)
       VALUES (@key, @blob, @offset, @length, @rawLength, @crc32, @facts)
       ON CONFLICT (key) DO UPDATE SET blob = excluded.blob, "offset" = excluded."offset",
         length = excluded.length, facts = excluded.facts`,
    );
  }

  newest(repository: string, limit: number): readonly Snapshot[] {
    return this.#newest.all(repository, limit).map(toSnapshot);
  }

  find(repository: string, id: Sha256): Snapshot | undefined {
    const row = this.#byId.get(repository, id);
    return row === undefined ? undefined : toSnapshot(row);
  }

  findPieces(keys: readonly string[]): ReadonlyMap<string, Piece> {
    const found = new Map<string, Piece>();
    for (const key of keys) {
      const row = this.#pieceByKey.get(key);
      if (row !== undefined) found.set(key, toPiece(row));
    }
    return found;
  }

  /**
   * A known piece moves to its new place, as after its blob was lost. The same key for other tar bytes is
   * refused: it would change every older snapshot that has the piece.
   */
  savePiece(piece: Piece): void {
    const known = this.#pieceByKey.get(piece.key);
    if (known !== undefined) {
      const { rawLength, crc32 } = toPiece(known);
      if (rawLength !== piece.rawLength || crc32 !== piece.crc32) {
        throw new SeraiError('internal', `the piece ${piece.key} is published again with other bytes`);
      }
    }
    this.#savePiece.run(piece);
  }

  /** Makes it the current one; after its pieces, inside a transaction that holds the write lock. */
  save(repository: number, snapshot: Snapshot): void {
    const pieces = snapshot.pieces.map((key) => {
      const row = this.#pieceByKey.get(key);
      if (row === undefined) {
        throw new SeraiError('internal', `the snapshot ${snapshot.id} names the unknown piece ${key}`);
      }
      return integerIn(row, 'id');
    });
    this.#save.run({
      repository,
      id: snapshot.id,
      publishedAt: snapshot.publishedAt,
      commit: snapshot.commit ?? null,
      pieces: JSON.stringify(pieces),
      size: snapshot.size,
      sha256: snapshot.sha256,
      repo: snapshot.repo,
      summary: snapshot.summary,
    });
  }
}

function toSnapshot(row: Row): Snapshot {
  const id = sha256In(row, 'id');
  const pieces = textListIn(row, 'piece_keys');
  if (pieces.length !== integerIn(row, 'piece_count')) {
    throw new SeraiError(
      'store-corrupt',
      `pieces of the snapshot ${id} are missing from the catalogue; put back a backup, or publish it again`,
    );
  }
  const commit = optionalTextIn(row, 'commit_id');
  return {
    id,
    publishedAt: integerIn(row, 'published_at'),
    ...(commit === undefined ? {} : { commit }),
    pieces,
    size: integerIn(row, 'size'),
    sha256: sha256In(row, 'sha256'),
    repo: textIn(row, 'repo'),
    summary: textIn(row, 'summary'),
  };
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
