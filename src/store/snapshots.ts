/** The snapshots that were published, the greatest publication of each repository being the current one. */
import type Database from 'better-sqlite3';
import type { Sha256 } from '../hashes.ts';
import type { PiecePlace, Snapshot, SnapshotHead } from './catalogue.ts';
import { PIECE_PLACES, type PieceTable, placeIn } from './pieces.ts';
import { integerIn, optionalTextIn, type Row, sha256In, textIn } from './rows.ts';

const SELECT_SNAPSHOT = `
  SELECT snapshot.*
  FROM snapshot JOIN repository ON repository.id = snapshot.repository
  WHERE repository.name = ?`;

export class SnapshotTable {
  readonly #pieces: PieceTable;
  readonly #newest: Database.Statement<[string, number], Row>;
  readonly #publication: Database.Statement<[string], Row>;
  readonly #head: Database.Statement<[string], Row>;
  readonly #places: Database.Statement<[string, string], Row>;
  readonly #byId: Database.Statement<[string, string], Row>;
  readonly #save: Database.Statement<[Row]>;

  constructor(database: Database.Database, pieces: PieceTable) {
    this.#pieces = pieces;
    this.#newest = database.prepare(`${SELECT_SNAPSHOT} ORDER BY snapshot.publication DESC LIMIT ?`);
    this.#publication = database.prepare(
      `SELECT snapshot.publication FROM snapshot JOIN repository ON repository.id = snapshot.repository
       WHERE repository.name = ? ORDER BY snapshot.publication DESC LIMIT 1`,
    );
    this.#head = database.prepare(
      `SELECT snapshot.id, published_at, commit_id, size, snapshot.sha256, repo, summary
       FROM snapshot JOIN repository ON repository.id = snapshot.repository
       WHERE repository.name = ? ORDER BY snapshot.publication DESC LIMIT 1`,
    );
    this.#places = database.prepare(PIECE_PLACES);
    this.#byId = database.prepare(`${SELECT_SNAPSHOT} AND snapshot.id = ?`);
    this.#save = database.prepare(
      `INSERT OR REPLACE INTO snapshot
         (repository, id, publication, published_at, commit_id, pieces, size, sha256, repo, summary)
       SELECT @repository, @id, ifnull(max(publication), 0) + 1,
         @publishedAt, @commit, @pieces, @size, @sha256, @repo, @summary
       FROM snapshot WHERE repository = @repository`,
    );
  }

  newest(repository: string, limit: number): readonly Snapshot[] {
    return this.#newest.all(repository, limit).map((row) => this.#toSnapshot(row));
  }

  publication(repository: string): number | undefined {
    const row = this.#publication.get(repository);
    return row === undefined ? undefined : integerIn(row, 'publication');
  }

  head(repository: string): SnapshotHead | undefined {
    const row = this.#head.get(repository);
    return row === undefined ? undefined : toHead(row);
  }

  places(repository: string, id: Sha256): readonly PiecePlace[] {
    return this.#places.all(repository, id).map((row) => placeIn(row, `the snapshot ${id}`));
  }

  find(repository: string, id: Sha256): Snapshot | undefined {
    const row = this.#byId.get(repository, id);
    return row === undefined ? undefined : this.#toSnapshot(row);
  }

  /** Makes it the current one; after its pieces, inside a transaction that holds the write lock. */
  save(repository: number, snapshot: Snapshot): void {
    this.#save.run({
      repository,
      id: snapshot.id,
      publishedAt: snapshot.publishedAt,
      commit: snapshot.commit ?? null,
      pieces: this.#pieces.rowsOf(snapshot.pieces, `the snapshot ${snapshot.id}`),
      size: snapshot.size,
      sha256: snapshot.sha256,
      repo: snapshot.repo,
      summary: snapshot.summary,
    });
  }

  #toSnapshot(row: Row): Snapshot {
    const head = toHead(row);
    return { ...head, pieces: this.#pieces.listIn(row, `the snapshot ${head.id}`) };
  }
}

function toHead(row: Row): SnapshotHead {
  const commit = optionalTextIn(row, 'commit_id');
  return {
    id: sha256In(row, 'id'),
    publishedAt: integerIn(row, 'published_at'),
    ...(commit === undefined ? {} : { commit }),
    size: integerIn(row, 'size'),
    sha256: sha256In(row, 'sha256'),
    repo: textIn(row, 'repo'),
    summary: textIn(row, 'summary'),
  };
}
