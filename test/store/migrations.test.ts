/** From version to version, whole or not at all, and never into a file that is not serai's. */
import { writeFile } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIGRATIONS, migrate } from '../../src/store/migrations.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { expectOnlyFirst } from '../support/catalogue-conformance.ts';
import { makeTestFolder, type TestFolder } from '../support/store-folders.ts';
import { runScript } from '../support/store-processes.ts';
import { samplePublication } from '../support/store-samples.ts';

const SECOND = 'CREATE TABLE second (value TEXT); INSERT INTO second SELECT name FROM repository';
const THIRD = 'CREATE TABLE third (value TEXT)';

describe('migrate', () => {
  let folder: TestFolder;
  let file: string;

  beforeEach(async () => {
    folder = await makeTestFolder();
    file = `${folder.path}/catalogue.sqlite`;
  });
  afterEach(() => folder.remove());

  function inDatabase<T>(action: (database: Database.Database) => T): T {
    const database = new Database(file);
    try {
      return action(database);
    } finally {
      database.close();
    }
  }

  function versionAndTables(): unknown {
    return inDatabase((database) => ({
      version: database.pragma('user_version', { simple: true }),
      tables: database
        .prepare("SELECT name FROM sqlite_schema WHERE name IN ('event', 'second', 'third') ORDER BY name")
        .pluck()
        .all(),
    }));
  }

  async function publishFirst(): Promise<void> {
    const catalogue = await openSqliteCatalogue(file);
    await catalogue.publish(samplePublication(1));
    await catalogue.close();
  }

  it('takes an older version, with what it holds, to the newest', async () => {
    await publishFirst();
    inDatabase((database) => migrate(database, [...MIGRATIONS, SECOND, THIRD]));
    expect(versionAndTables()).toEqual({
      version: MIGRATIONS.length + 2,
      tables: ['event', 'second', 'third'],
    });
    expect(inDatabase((database) => database.prepare('SELECT value FROM second').pluck().all())).toEqual([
      'default',
    ]);
  });

  it('changes nothing when it is at the newest version', async () => {
    await publishFirst();
    inDatabase((database) => migrate(database));
    expect(versionAndTables()).toEqual({ version: MIGRATIONS.length, tables: ['event'] });
  });

  it('takes nothing of a step that fails, keeps those before, and goes on later', async () => {
    await publishFirst();
    const broken = `${THIRD}; SELECT no_such_function()`;
    inDatabase((database) => {
      expect(() => migrate(database, [...MIGRATIONS, SECOND, broken])).toThrow('no_such_function');
    });
    expect(versionAndTables()).toEqual({ version: MIGRATIONS.length + 1, tables: ['event', 'second'] });
    inDatabase((database) => migrate(database, [...MIGRATIONS, SECOND, THIRD]));
    expect(versionAndTables()).toMatchObject({ version: MIGRATIONS.length + 2 });
  });

  it('takes nothing of a step in which it was killed', async () => {
    await publishFirst();
    expect(await runScript('store-child-migrate.ts', file)).toMatchObject({ signal: 'SIGKILL' });
    expect(versionAndTables()).toEqual({ version: MIGRATIONS.length, tables: ['event'] });
    const catalogue = await openSqliteCatalogue(file);
    await expectOnlyFirst(catalogue);
    await catalogue.close();
  });

  it('refuses the file of a newer serai and leaves it as it is', async () => {
    await publishFirst();
    inDatabase((database) => database.pragma('user_version = 4711'));
    await expect(openSqliteCatalogue(file)).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/version 4711.*newer serai/),
    });
    expect(versionAndTables()).toEqual({ version: 4711, tables: ['event'] });
  });

  it('refuses the database of another program and leaves it as it is', async () => {
    inDatabase((database) => database.exec(THIRD));
    await expect(openSqliteCatalogue(file)).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('another program'),
    });
    expect(versionAndTables()).toEqual({ version: 0, tables: ['third'] });
  });

  it('refuses a file that is no database', async () => {
    await writeFile(file, 'this is not a database, '.repeat(100));
    await expect(openSqliteCatalogue(file)).rejects.toMatchObject({ code: 'store-corrupt' });
  });
});
