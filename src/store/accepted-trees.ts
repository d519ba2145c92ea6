/** The upstreams' trees as they were taken in: of each repository the one behind its current snapshot. */
import type Database from 'better-sqlite3';
import type { AcceptedTree } from './catalogue.ts';
import type { PieceTable } from './pieces.ts';
import { type Row, textIn } from './rows.ts';

export class AcceptedTreeTable {
  readonly #pieces: PieceTable;
  readonly #byName: Database.Statement<[string], Row>;
  readonly #save: Database.Statement<[number, string, string]>;

  constructor(database: Database.Database, pieces: PieceTable) {
    this.#pieces = pieces;
    this.#byName = database.prepare(
      `SELECT accepted.state, accepted.pieces
       FROM accepted JOIN repository ON repository.id = accepted.repository WHERE repository.name = ?`,
    );
    this.#save = database.prepare(
      'INSERT OR REPLACE INTO accepted (repository, pieces, state) VALUES (?, ?, ?)',
    );
  }

  find(repository: string): AcceptedTree | undefined {
    const row = this.#byName.get(repository);
    if (row === undefined) return undefined;
    return {
      pieces: this.#pieces.listIn(row, `the accepted tree of ${repository}`),
      state: textIn(row, 'state'),
    };
  }

  /** After its pieces, inside a transaction that holds the write lock. */
  save(repository: number, tree: AcceptedTree): void {
    this.#save.run(repository, this.#pieces.rowsOf(tree.pieces, 'an accepted tree'), tree.state);
  }
}
