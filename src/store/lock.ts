/**
 * A lock between processes that share a store. SQLite's own file lock does it: the system lets go of it when
 * the holder dies, however it dies, so there is no stale lock to guess about.
 */
import Database from 'better-sqlite3';
import type { Clock } from '../clock.ts';
import { SeraiError } from '../errors.ts';

const POLL_MILLISECONDS = 100;

/** Takes the lock on `file`, waiting up to `wait` milliseconds; the result lets go of it. */
export async function acquireLock(
  file: string,
  wait: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<() => void> {
  const deadline = clock.now() + wait;
  for (;;) {
    const database = new Database(file, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
      return () => {
        database.close();
      };
    } catch (error) {
      database.close();
      if (!isBusy(error)) {
        throw new SeraiError('store-failed', `the lock ${file} cannot be taken; is its folder writable?`, {
          cause: error,
        });
      }
      if (clock.now() >= deadline) {
        throw new SeraiError(
          'store-failed',
          `another serai is syncing with the lock ${file}; wait for it, or end it, and try again`,
          { cause: error },
        );
      }
      await clock.sleep(POLL_MILLISECONDS, signal);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
