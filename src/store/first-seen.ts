/** Which archive identities each version ever had on this mirror, and since when. */
import type Database from 'better-sqlite3';
import type { FirstSeen } from './catalogue.ts';
import { flagIn, integerIn, type Row, textIn } from './rows.ts';

export class FirstSeenTable {
  readonly #insert: Database.Statement<[number, string, number]>;
  readonly #all: Database.Statement<[string], Row>;
  readonly #ofPackage: Database.Statement<[string, string, string], Row>;

  constructor(database: Database.Database) {
    // One statement for all rows: the first tree has 18,793. Asked beforehand, not INSERT OR IGNORE: the table's
    // trigger refuses every insert of a known one, since it cannot tell that from INSERT OR REPLACE.
    this.#insert = database.prepare(
      `INSERT INTO first_seen (repository, version, identity, at, baseline)
       SELECT ?, row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3 FROM json_each(?) AS row
       WHERE NOT EXISTS (
         SELECT 1 FROM first_seen AS known
         WHERE known.repository = ? AND known.version = row.value ->> 0 AND known.identity = row.value ->> 1
       )
       ORDER BY row.value ->> 0, row.value ->> 1`,
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

  /** Keeps those that are not known yet; of the same one twice the first. Inside a transaction that holds the write lock. */
  add(repository: number, seen: readonly FirstSeen[]): void {
    if (seen.length === 0) return;
    const rows = new Map<string, readonly [string, string, number, 0 | 1]>();
    for (const { version, identity, at, baseline } of seen) {
      const key = `${version} ${identity}`;
      if (!rows.has(key)) rows.set(key, [version, identity, at, baseline ? 1 : 0]);
    }
    this.#insert.run(repository, JSON.stringify([...rows.values()]), repository);
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
