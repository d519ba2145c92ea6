/** Strong hashes of archives that were declared with weak ones or none. The first that were found stay. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import type { Pin } from './catalogue.ts';
import { canonicalSet, showChecksums } from './checksum-set.ts';
import { checksumsIn, integerIn, type Row, textIn } from './rows.ts';

export class PinTable {
  readonly #all: Database.Statement<[string], Row>;
  readonly #known: Database.Statement<[number, string]>;
  readonly #insert: Database.Statement<[number, string, string, number, number]>;

  constructor(database: Database.Database) {
    this.#all = database.prepare(
      `SELECT pin.key, pin.checksums, pin.size, pin.at
       FROM pin JOIN repository ON repository.id = pin.repository WHERE repository.name = ? ORDER BY pin.key`,
    );
    this.#known = database.prepare('SELECT 1 FROM pin WHERE repository = ? AND key = ?');
    this.#insert = database.prepare(
      'INSERT INTO pin (repository, key, checksums, size, at) VALUES (?, ?, ?, ?, ?)',
    );
  }

  all(repository: string): readonly Pin[] {
    return this.#all.all(repository).map((row) => ({
      key: textIn(row, 'key'),
      checksums: checksumsIn(row, 'checksums'),
      size: integerIn(row, 'size'),
      at: integerIn(row, 'at'),
    }));
  }

  /** Whether it is new; inside a transaction that holds the write lock. Throws `internal` for weak hashes only. */
  add(repository: number, pin: Pin): boolean {
    const checksums = canonicalSet(pin.checksums);
    const kinds = checksums.map((checksum) => checksum.kind);
    if (!kinds.includes('sha256') || !kinds.includes('sha512')) {
      throw new SeraiError('internal', `the pin of ${pin.key} has only ${showChecksums(checksums)}`);
    }
    if (this.#known.get(repository, pin.key) !== undefined) return false;
    this.#insert.run(repository, pin.key, showChecksums(checksums), pin.size, pin.at);
    return true;
  }
}
