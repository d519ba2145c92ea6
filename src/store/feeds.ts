/** The last advisory feed that could be read, of each source. */
import type Database from 'better-sqlite3';
import type { StoredFeed } from './catalogue.ts';
import { integerIn, optionalTextIn, type Row, textIn } from './rows.ts';

export class FeedTable {
  readonly #bySource: Database.Statement<[string], Row>;
  readonly #save: Database.Statement<[string, number, string, string | null]>;

  constructor(database: Database.Database) {
    this.#bySource = database.prepare('SELECT * FROM feed WHERE source = ?');
    this.#save = database.prepare(
      'INSERT OR REPLACE INTO feed (source, fetched_at, advisories, validator) VALUES (?, ?, ?, ?)',
    );
  }

  find(source: string): StoredFeed | undefined {
    const row = this.#bySource.get(source);
    if (row === undefined) return undefined;
    const validator = optionalTextIn(row, 'validator');
    return {
      fetchedAt: integerIn(row, 'fetched_at'),
      advisories: textIn(row, 'advisories'),
      ...(validator === undefined ? {} : { validator }),
    };
  }

  save(source: string, feed: StoredFeed): void {
    this.#save.run(source, feed.fetchedAt, feed.advisories, feed.validator ?? null);
  }
}
