/** Bringing the catalogue to its newest form. SQLite's `user_version` holds how many steps were taken. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import { APPLICATION_ID, MIGRATIONS } from './migration-steps.ts';

/**
 * Brings the database to the version of the last step. Each step is one transaction under the write lock, so
 * that it is done wholly or not at all, and by one process. Throws `store-failed` for another program's
 * database and for one that a newer serai wrote.
 */
export function migrate(database: Database.Database, steps: readonly string[] = MIGRATIONS): void {
  const take = database.transaction(() => {
    // Asked again under the lock: another process may just have taken the step.
    const version = checkedVersion(database, steps.length);
    const step = steps[version];
    if (step === undefined) return;
    database.exec(step);
    database.pragma(`user_version = ${version + 1}`);
  });
  while (checkedVersion(database, steps.length) < steps.length) take.immediate();
}

function checkedVersion(database: Database.Database, newest: number): number {
  const version = pragmaNumber(database, 'user_version');
  const ours = pragmaNumber(database, 'application_id') === APPLICATION_ID;
  const empty = version === 0 && database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (!ours && !empty) {
    throw new SeraiError(
      'store-failed',
      `${database.name} is the database of another program; set \`data\` to a folder of serai's own`,
    );
  }
  if (version > newest) {
    throw new SeraiError(
      'store-failed',
      `the catalogue ${database.name} has version ${version}, written by a newer serai than this one, which ` +
        `knows up to version ${newest}; run the newer serai, or put back the backup made before it was started`,
    );
  }
  return version;
}

function pragmaNumber(database: Database.Database, name: string): number {
  const value = database.pragma(name, { simple: true });
  if (typeof value === 'number') return value;
  throw new SeraiError('store-corrupt', `the catalogue ${database.name} has no readable ${name}`);
}
