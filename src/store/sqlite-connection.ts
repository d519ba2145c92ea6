/** One connection to a catalogue's file, as every thread and process opens it. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { migrate } from './migrations.ts';

/** How often a start tries again to switch on the write-ahead log beside others that start. */
const JOURNAL_ATTEMPTS = 50;

/** Bytes at which the write-ahead log is cut after a checkpoint. */
const KEPT_LOG_BYTES = 64 * 1024 * 1024;

/** `busyTimeout`: milliseconds to wait for another's write. Throws what SQLite throws, and see `migrate`. */
export function connect(file: string, busyTimeout: number): Database.Database {
  mkdirSync(dirname(file), { recursive: true });
  const database = new Database(file, { timeout: busyTimeout });
  try {
    useWriteAheadLog(database);
    // Each transaction is on the disk when it returns: trusted state must not fall back.
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    database.pragma(`journal_size_limit = ${KEPT_LOG_BYTES}`);
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * SQLite does not wait for a lock while it switches the journal, it reports SQLITE_BUSY at once when two
 * connections do so; taking the write lock does wait, after which the other one is done.
 */
function useWriteAheadLog(database: Database.Database): void {
  for (let attempt = 1; ; attempt++) {
    try {
      database.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      const busy = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
      if (!busy || attempt === JOURNAL_ATTEMPTS) throw error;
      database.transaction(() => undefined).immediate();
    }
  }
}
