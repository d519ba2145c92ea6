/** From version to version, whole or not at all, and never into a file that is not serai's. */
import { writeFile } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findBrokenEvent } from '../../src/store/events.ts';
import { MIGRATIONS } from '../../src/store/migration-steps.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { expectOnlyFirst } from '../support/catalogue-conformance.ts';
import { makeTestFolder, type TestFolder } from '../support/store-folders.ts';
import { runScript } from '../support/store-processes.ts';
import { checksumOf, placeOf, samplePublication, sha256Of } from '../support/store-samples.ts';
import { makeVersion1, RELEASED_STEPS } from '../support/store-version-1.ts';

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

  function schemaOf(database: Database.Database): unknown {
    return database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all();
  }

  async function openAndClose(path: string): Promise<void> {
    await (await openSqliteCatalogue(path)).close();
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
    const killed = await runScript('store-child-migrate', file, String(MIGRATIONS.length));
    expect(killed).toMatchObject({ signal: 'SIGKILL' });
    expect(versionAndTables()).toEqual({ version: MIGRATIONS.length, tables: ['event'] });
    const catalogue = await openSqliteCatalogue(file);
    await expectOnlyFirst(catalogue);
    await catalogue.close();
  });

  it('never changes a step that was released', () => {
    const steps = MIGRATIONS.slice(0, RELEASED_STEPS.length);
    expect(steps.map((step) => checksumOf('sha256', step).hex)).toEqual(RELEASED_STEPS);
  });

  it('takes nothing of a released step in which it was killed, and all of it later', async () => {
    makeVersion1(file);
    const before = inDatabase(schemaOf);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await runScript('store-child-migrate', file, '1')).toMatchObject({ signal: 'SIGKILL' });
      expect(versionAndTables()).toEqual({ version: 1, tables: ['event'] });
      expect(inDatabase(schemaOf)).toEqual(before);
    }
    await openAndClose(file);
    await openAndClose(`${folder.path}/new.sqlite`);
    const made = new Database(`${folder.path}/new.sqlite`);
    expect(inDatabase(schemaOf)).toEqual(schemaOf(made));
    made.close();
  });

  it('divides the facts of older pieces into listing and facts, in their order, byte for byte', async () => {
    makeVersion1(file);
    const old = [
      ['packages/b/b.1/files/grüße', 'git:0b', 7, sha256Of('b'), [], []],
      [
        'packages/b/b.1/opam',
        `sha256:${sha256Of('c')}`,
        12,
        sha256Of('c'),
        [[[['sha256', sha256Of('d')]], ['https://a.example/"d"'], null, []]],
        [['fix', 'git+https://a.example', 'version-control', ['x=1']]],
      ],
    ];
    const database = new Database(file);
    database.prepare("UPDATE piece SET facts = ? WHERE key = 'key of of all'").run(JSON.stringify(old));
    database.close();
    const catalogue = await openSqliteCatalogue(file);
    const content = (await catalogue.contents(['key of of all'])).get('key of of all');
    expect(content?.listing).toBe(
      `${sha256Of('b')}  packages/b/b.1/files/grüße\n${sha256Of('c')}  packages/b/b.1/opam\n`,
    );
    expect(JSON.parse(content?.facts ?? '')).toEqual(
      old.map(([, id, size, , archives, others]) => [id, size, archives, others]),
    );
    await catalogue.close();
  });

  it('keeps all that the first released version wrote, and goes on from there', async () => {
    makeVersion1(file);
    const first = samplePublication(1);
    const catalogue = await openSqliteCatalogue(file);
    expect(versionAndTables()).toEqual({ version: MIGRATIONS.length, tables: ['event'] });
    expect(await catalogue.snapshots('default', 10)).toEqual([first.snapshot]);
    expect(await catalogue.pieces(first.snapshot.pieces)).toEqual(
      new Map(first.pieces.map((piece) => [piece.key, placeOf(piece)])),
    );
    // What was no list of facts stays as it was, and is made anew when it cannot be read.
    expect(await catalogue.contents(first.snapshot.pieces)).toEqual(
      new Map(first.pieces.map(({ key, facts }) => [key, { listing: '', facts }])),
    );
    for (const { checksums, sources } of first.archives) {
      for (const checksum of checksums)
        expect(await catalogue.listed('default', checksum)).toMatchObject([{ sources }]);
    }
    const blob = sha256Of('a.1');
    expect(await catalogue.listed('default', checksumOf('md5', 'a.1'))).toMatchObject([{ blob }]);
    expect(await catalogue.blob(blob)).toMatchObject({ size: 3 });
    expect(await catalogue.trusted('default')).toBe(first.trusted);
    expect(await catalogue.verdicts('default')).toMatchObject([{ version: 'a.1' }]);
    expect(await catalogue.syncState('default')).toMatchObject({ attemptedAt: 2, validator: '"etag"' });
    // What it could not know is unknown.
    expect(await catalogue.accepted('default')).toBeUndefined();
    expect(await catalogue.firstSeen('default')).toEqual([]);
    expect(await catalogue.decisions()).toEqual([]);
    expect(await catalogue.pins('default')).toEqual([]);

    await catalogue.publish(samplePublication(2));
    expect((await catalogue.snapshots('default', 10)).map(({ id }) => id)).toEqual(
      [2, 1].map((number) => samplePublication(number).snapshot.id),
    );
    expect(await catalogue.accepted('default')).toEqual(samplePublication(2).accepted);
    const events = await catalogue.events(0, 10);
    expect(events).toMatchObject([...first.events, ...samplePublication(2).events]);
    expect(findBrokenEvent(events)).toBeUndefined();
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
