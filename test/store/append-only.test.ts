/** What is kept for ever stays as it was, also against SQL by hand: first sights and pins. */
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue } from '../../src/store/catalogue.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { makeTestFolder, type TestFolder } from '../support/store-folders.ts';
import { sampleEvent, samplePin, samplePublication } from '../support/store-samples.ts';

const FIRST_SEEN = samplePublication(1).firstSeen;
const PINS = ['a', 'b'].map(samplePin).toSorted((one, other) => (one.key < other.key ? -1 : 1));

describe('the tables that are only appended to', () => {
  let folder: TestFolder;
  let catalogue: Catalogue;
  let database: Database.Database;

  beforeEach(async () => {
    folder = await makeTestFolder();
    const file = `${folder.path}/catalogue.sqlite`;
    catalogue = await openSqliteCatalogue(file);
    await catalogue.publish(samplePublication(1));
    for (const pin of PINS) await catalogue.savePin('default', pin, sampleEvent(2));
    database = new Database(file);
  });
  afterEach(async () => {
    database.close();
    await catalogue.close();
    await folder.remove();
  });

  const refused: readonly [string, string][] = [
    ['UPDATE first_seen SET at = at + 1', 'never changed'],
    ["UPDATE first_seen SET version = 'c.1' WHERE version = 'a.1'", 'never changed'],
    ["UPDATE OR IGNORE first_seen SET version = 'b.1'", 'never changed'],
    ["UPDATE OR REPLACE first_seen SET version = 'b.1'", 'never changed'],
    ['DELETE FROM first_seen', 'never deleted'],
    ["DELETE FROM first_seen WHERE version = 'a.1'", 'never deleted'],
    [
      'INSERT OR REPLACE INTO first_seen SELECT repository, version, identity, 0, 1 FROM first_seen',
      'never replaced',
    ],
    ['REPLACE INTO first_seen SELECT * FROM first_seen', 'never replaced'],
    [
      `INSERT INTO first_seen SELECT * FROM first_seen WHERE true
       ON CONFLICT (repository, version, identity) DO UPDATE SET at = 0`,
      'never replaced',
    ],
    ['UPDATE pin SET size = 0', 'never changed'],
    ["UPDATE OR REPLACE pin SET key = 'other'", 'never changed'],
    ['DELETE FROM pin', 'never deleted'],
    ['INSERT OR REPLACE INTO pin SELECT repository, key, checksums, 0, at FROM pin', 'never replaced'],
    [
      'INSERT INTO pin SELECT * FROM pin WHERE true ON CONFLICT (repository, key) DO UPDATE SET size = 0',
      'never replaced',
    ],
    ["PRAGMA foreign_keys = ON; DELETE FROM repository WHERE name = 'default'", 'FOREIGN KEY'],
  ];
  it.each(refused)('refuse %s', async (text, reason) => {
    expect(() => database.exec(text)).toThrow(reason);
    expect(await catalogue.firstSeen('default')).toEqual(FIRST_SEEN);
    expect(await catalogue.pins('default')).toEqual(PINS);
  });

  it('refuse a replacement also when the rest of the transaction would be kept', async () => {
    database.exec('BEGIN');
    expect(() => database.exec('DELETE FROM pin')).toThrow('never deleted');
    database.exec('COMMIT');
    expect(await catalogue.pins('default')).toEqual(PINS);
  });

  it('take what is new', async () => {
    database.exec("INSERT INTO first_seen SELECT repository, 'c.1', identity, 9, 0 FROM first_seen LIMIT 1");
    database.exec(
      "INSERT INTO pin SELECT repository, 'https://a.example/', checksums, size, at FROM pin LIMIT 1",
    );
    expect(await catalogue.firstSeen('default', 'c')).toMatchObject([{ version: 'c.1', at: 9 }]);
    expect(await catalogue.pins('default')).toHaveLength(PINS.length + 1);
  });
});
