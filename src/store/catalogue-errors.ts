/** What SQLite reports, turned into errors that tell a person what to do. */
import Database from 'better-sqlite3';
import { reasonOf, SeraiError } from '../errors.ts';

const LOCKED = 'another process holds its lock; wait until that is done, or end a process that hangs';
const DAMAGED =
  'the file is damaged or is no SQLite database; stop serai and put back a backup, together with its blobs';

const SQLITE_ADVICE: Readonly<Record<string, string>> = {
  SQLITE_BUSY: LOCKED,
  SQLITE_LOCKED: LOCKED,
  SQLITE_FULL: 'the disk is full; free space there, or move `data` to a larger disk',
  SQLITE_READONLY: 'it cannot be written; let the user that serai runs as write the file and its folder',
  SQLITE_PERM: 'permission is denied; let the user that serai runs as read and write the file',
  SQLITE_CANTOPEN: 'it cannot be opened; check that its folder exists and may be written',
  SQLITE_IOERR: 'the disk reports an error or is full; look at the free space and the kernel log',
  SQLITE_PROTOCOL: LOCKED,
};

/**
 * A failed catalogue operation: `store-corrupt` for damage, `store-failed` for the disk and for locks,
 * `internal` for what only a mistake in serai can cause. A SeraiError comes back unchanged.
 */
export function catalogueFailure(doing: string, file: string, error: unknown): SeraiError {
  if (error instanceof SeraiError) return error;
  const what = `cannot ${doing} in the catalogue ${file}`;
  if (!(error instanceof Database.SqliteError)) {
    return new SeraiError('internal', `${what}: ${reasonOf(error)}`, { cause: error });
  }
  // Extended codes carry a suffix: SQLITE_IOERR_WRITE, SQLITE_BUSY_SNAPSHOT.
  const family = error.code.split('_', 2).join('_');
  const damaged = family === 'SQLITE_CORRUPT' || family === 'SQLITE_NOTADB';
  // SQLite reads JSON columns itself and reports a damaged one as a mistake in the query.
  if (damaged || error.message === 'malformed JSON') {
    return new SeraiError('store-corrupt', `${what}: ${DAMAGED} (${error.message})`, { cause: error });
  }
  const advice = SQLITE_ADVICE[family];
  if (advice === undefined) {
    return new SeraiError('internal', `${what}: ${error.message} (${error.code})`, { cause: error });
  }
  return new SeraiError('store-failed', `${what}: ${advice} (${error.message})`, { cause: error });
}
