/** What verification found, version by version, so that neither a restart nor a question needs it found again. */
import type Database from 'better-sqlite3';
import type { StoredVerdict } from './catalogue.ts';
import { type Row, textIn } from './rows.ts';

export class VerdictTable {
  readonly #replace: Database.Statement<[number, string, string, string]>;
  readonly #drop: Database.Statement<[number, string]>;
  readonly #all: Database.Statement<[string], Row>;
  readonly #ofPackage: Database.Statement<[string, string, string], Row>;

  constructor(database: Database.Database) {
    this.#replace = database.prepare(
      'INSERT OR REPLACE INTO verdict (repository, version, key, verdict) VALUES (?, ?, ?, ?)',
    );
    this.#drop = database.prepare('DELETE FROM verdict WHERE repository = ? AND version = ?');
    const columns = 'verdict.version, verdict.key, verdict.verdict';
    const ofRepository = `FROM verdict JOIN repository ON repository.id = verdict.repository WHERE repository.name = ?`;
    this.#all = database.prepare(`SELECT ${columns} ${ofRepository} ORDER BY verdict.version`);
    // Every version of a package begins with its name and a dot, and `/` is the character behind the dot.
    this.#ofPackage = database.prepare(
      `SELECT ${columns} ${ofRepository} AND verdict.version >= ? AND verdict.version < ? ORDER BY verdict.version`,
    );
  }

  save(repository: number, replaced: readonly StoredVerdict[], dropped: readonly string[]): void {
    for (const version of dropped) this.#drop.run(repository, version);
    for (const { version, key, verdict } of replaced) this.#replace.run(repository, version, key, verdict);
  }

  find(repository: string, packageName: string | undefined): readonly StoredVerdict[] {
    const rows =
      packageName === undefined
        ? this.#all.all(repository)
        : this.#ofPackage.all(repository, `${packageName}.`, `${packageName}/`);
    return rows.map((row) => ({
      version: textIn(row, 'version'),
      key: textIn(row, 'key'),
      verdict: textIn(row, 'verdict'),
    }));
  }
}
