/** Which archive identities each version ever had on this mirror, and since when. */
import type Database from 'better-sqlite3';
import type { FirstSeen } from './catalogue.ts';
import { flagIn, integerIn, type Row, textIn } from './rows.ts';

export class FirstSeenTable {
  readonly #known: Database.Statement<[number, string, string]>;
  readonly #insert: Database.Statement<[number, string, string, number, number]>;
  readonly #all: Database.Statement<[string], Row>;
  readonly #ofPackage: Database.Statement<[string, string, string], Row>;

  constructor(database: Database.Database) {
    this.#known = database.prepare(
      'SELECT 1 FROM first_seen WHERE repository = ? AND version = ? AND identity = ?',
    );
    this.#insert = database.prepare(
      'INSERT INTO first_seen (repository, version, identity, at, baseline) VALUES (?, ?, ?, ?, ?)',
    );
    const select = `SELECT first_seen.version, first_seen.identity, first_seen.at, first_seen.baseline
      FROM first_seen JOIN repository ON repository.id = first_seen.repository WHERE repository.name = ?`;
    const order = 'ORDER BY first_seen.version, first_seen.at, first_seen.identity';
    this.#all = database.prepare(`${select} ${order}`);
    // Every version of a package begins with its name and a dot, and `/` is the character behind the dot.
    this.#ofPackage = database.prepare(
      `${select} AND first_seen.version >= ? AND first_seen.version < ? ${order}`,
    );
  }

  /** Keeps those that are not known yet; inside a transaction that holds the write lock. */
  add(repository: number, seen: readonly FirstSeen[]): void {
    // In the order of the key each row goes behind the one before.
    const inOrder = seen.toSorted((a, b) => compare(a.version, b.version) || compare(a.identity, b.identity));
    for (const { version, identity, at, baseline } of inOrder) {
      // Asked beforehand, not INSERT OR IGNORE: the table's trigger refuses every insert of a known one,
      // since it cannot tell that from INSERT OR REPLACE.
      if (this.#known.get(repository, version, identity) !== undefined) continue;
      this.#insert.run(repository, version, identity, at, baseline ? 1 : 0);
    }
  }

  find(repository: string, packageName: string | undefined): readonly FirstSeen[] {
    const rows =
      packageName === undefined
        ? this.#all.all(repository)
        : this.#ofPackage.all(repository, `${packageName}.`, `${packageName}/`);
    return rows.map((row) => ({
      version: textIn(row, 'version'),
      identity: textIn(row, 'identity'),
      at: integerIn(row, 'at'),
      baseline: flagIn(row, 'baseline'),
    }));
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
