/** The repositories by name, the dialects' trusted state, and what each sync left behind. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import type { SyncState } from './catalogue.ts';
import { integerIn, optionalIntegerIn, optionalTextIn, type Row, textIn } from './rows.ts';

export class RepositoryTable {
  readonly #byName: Database.Statement<[string], Row>;
  readonly #insert: Database.Statement<[string], Row>;
  readonly #setTrusted: Database.Statement<[string, number]>;
  readonly #syncState: Database.Statement<[string], Row>;
  readonly #saveSyncState: Database.Statement<[Row]>;

  constructor(database: Database.Database) {
    this.#byName = database.prepare('SELECT id, trusted FROM repository WHERE name = ?');
    this.#insert = database.prepare('INSERT INTO repository (name) VALUES (?) RETURNING id');
    this.#setTrusted = database.prepare('UPDATE repository SET trusted = ? WHERE id = ?');
    this.#syncState = database.prepare(
      `SELECT sync_state.* FROM sync_state JOIN repository ON repository.id = sync_state.repository
       WHERE repository.name = ?`,
    );
    this.#saveSyncState = database.prepare(
      `INSERT OR REPLACE INTO sync_state
         (repository, attempted_at, succeeded_at, failure_code, failure_message, validator)
       VALUES (@repository, @attemptedAt, @succeededAt, @failureCode, @failureMessage, @validator)`,
    );
  }

  /** The row of a repository, made when there is none; inside a transaction that holds the write lock. */
  rowOf(name: string): number {
    const row = this.#byName.get(name) ?? this.#insert.get(name);
    if (row === undefined) throw new SeraiError('internal', `the repository ${name} could not be recorded`);
    return integerIn(row, 'id');
  }

  trusted(name: string): string | undefined {
    const row = this.#byName.get(name);
    return row === undefined ? undefined : optionalTextIn(row, 'trusted');
  }

  saveTrusted(repository: number, trusted: string): void {
    this.#setTrusted.run(trusted, repository);
  }

  syncState(name: string): SyncState | undefined {
    const row = this.#syncState.get(name);
    if (row === undefined) return undefined;
    const succeededAt = optionalIntegerIn(row, 'succeeded_at');
    const code = optionalTextIn(row, 'failure_code');
    const validator = optionalTextIn(row, 'validator');
    return {
      attemptedAt: integerIn(row, 'attempted_at'),
      ...(succeededAt === undefined ? {} : { succeededAt }),
      ...(code === undefined ? {} : { failure: { code, message: textIn(row, 'failure_message') } }),
      ...(validator === undefined ? {} : { validator }),
    };
  }

  saveSyncState(repository: number, state: SyncState): void {
    this.#saveSyncState.run({
      repository,
      attemptedAt: state.attemptedAt,
      succeededAt: state.succeededAt ?? null,
      failureCode: state.failure?.code ?? null,
      failureMessage: state.failure?.message ?? null,
      validator: state.validator ?? null,
    });
  }
}
