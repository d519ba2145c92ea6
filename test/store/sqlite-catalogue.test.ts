/** The catalogue in SQLite: the promises of the seam, and what is this engine's own. */
import { open, stat } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveTable } from '../../src/store/archives.ts';
import type { Catalogue } from '../../src/store/catalogue.ts';
import { FirstSeenTable } from '../../src/store/first-seen.ts';
import { KnownBlobTable } from '../../src/store/known-blobs.ts';
import { PieceTable } from '../../src/store/pieces.ts';
import { PinTable } from '../../src/store/pins.ts';
import { SnapshotTable } from '../../src/store/snapshots.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { expectOnlyFirst, testCatalogue } from '../support/catalogue-conformance.ts';
import { canMountDisks, makeTestFolder, mountTinyDisk, type TestFolder } from '../support/store-folders.ts';
import {
  checksumOf,
  sampleArchive,
  sampleEvent,
  samplePiece,
  samplePin,
  samplePublication,
  sha256Of,
} from '../support/store-samples.ts';
import { transactionsIn } from '../support/write-ahead-log.ts';

testCatalogue('openSqliteCatalogue', async () => {
  const folder = await makeTestFolder();
  const file = `${folder.path}/data/catalogue.sqlite`;
  const catalogue = await openSqliteCatalogue(file);
  return {
    catalogue,
    again: () => openSqliteCatalogue(file),
    remove: async () => {
      await catalogue.close();
      await folder.remove();
    },
  };
});

describe('openSqliteCatalogue', () => {
  let folder: TestFolder;
  let file: string;

  beforeEach(async () => {
    folder = await makeTestFolder();
    file = `${folder.path}/catalogue.sqlite`;
  });
  afterEach(() => folder.remove());

  async function withCatalogue<T>(
    action: (catalogue: Catalogue) => Promise<T>,
    busyTimeout = 60_000,
  ): Promise<T> {
    const catalogue = await openSqliteCatalogue(file, { busyTimeout });
    try {
      return await action(catalogue);
    } finally {
      await catalogue.close();
    }
  }

  function sql(text: string): void {
    const database = new Database(file);
    database.exec(text);
    database.close();
  }

  describe('with a damaged file', () => {
    it('tells of pages that are damaged', async () => {
      await withCatalogue(async (catalogue) => {
        for (let number = 1; number < 50; number++) await catalogue.publish(samplePublication(number));
      });
      const { size } = await stat(file);
      const handle = await open(file, 'r+');
      await handle.write(Buffer.alloc(size - 4096, 0xee), 0, size - 4096, 4096);
      await handle.close();
      const reading = withCatalogue((catalogue) => catalogue.currentSnapshot('default'));
      await expect(reading).rejects.toMatchObject({
        code: 'store-corrupt',
        message: expect.stringContaining('put back a backup'),
      });
    });

    const MD5 = checksumOf('md5', 'a.1');
    const damages: readonly [string, (catalogue: Catalogue) => Promise<unknown>][] = [
      ["UPDATE snapshot SET sha256 = 'ABC'", (catalogue) => catalogue.currentSnapshot('default')],
      ["UPDATE snapshot SET pieces = '[1, 4711]'", (catalogue) => catalogue.currentSnapshot('default')],
      ["UPDATE snapshot SET pieces = '{'", (catalogue) => catalogue.currentSnapshot('default')],
      ["UPDATE piece SET blob = ''", (catalogue) => catalogue.pieces([samplePiece('of all').key])],
      ["UPDATE listing SET sources = '[1]'", (catalogue) => catalogue.listed('default', MD5)],
      ["UPDATE listing SET sources = 'null'", (catalogue) => catalogue.listed('default', MD5)],
      ["UPDATE archive SET checksums = 'md5=' || checksums", (catalogue) => catalogue.related([MD5])],
      ['UPDATE archive SET size = 9007199254740993', (catalogue) => catalogue.related([MD5])],
      ["UPDATE accepted SET pieces = '[1, 4711]'", (catalogue) => catalogue.accepted('default')],
      ["UPDATE accepted SET pieces = '{'", (catalogue) => catalogue.accepted('default')],
      [
        "PRAGMA ignore_check_constraints = 1; UPDATE decision SET kind = 'wish'",
        (catalogue) => catalogue.decisions(),
      ],
      ['UPDATE decision SET at = 9007199254740993', (catalogue) => catalogue.decisions()],
      ['UPDATE feed SET fetched_at = 9007199254740993', (catalogue) => catalogue.feed('folder')],
      [
        'DROP TRIGGER pin_is_not_updated; UPDATE pin SET checksums = substr(checksums, 2)',
        (catalogue) => catalogue.pins('default'),
      ],
      [
        'DROP TRIGGER first_seen_is_not_updated; PRAGMA ignore_check_constraints = 1; UPDATE first_seen SET baseline = 2',
        (catalogue) => catalogue.firstSeen('default'),
      ],
      ["UPDATE blob SET sha256 = 'x'", (catalogue) => catalogue.blobsWith(checksumOf('sha256', 'blob'))],
    ];
    it.each(damages)('believes no row that is not what it wrote: %s', async (text, read) => {
      await withCatalogue(async (catalogue) => {
        await catalogue.publish(samplePublication(1));
        await catalogue.recordBlob({ id: sha256Of('blob'), size: 4, digests: [] });
        await catalogue.saveDecision(
          { kind: 'denial', subject: 'a', reason: '', form: '', at: 1 },
          sampleEvent(1),
        );
        await catalogue.savePin('default', samplePin('a'), sampleEvent(2));
        await catalogue.saveFeed('folder', { fetchedAt: 1, advisories: '[]' });
        sql(text);
        await expect(read(catalogue)).rejects.toMatchObject({ code: 'store-corrupt' });
      });
    });
  });

  it('tells what to do when it cannot make its file', async () => {
    await expect(openSqliteCatalogue(folder.path)).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('cannot be opened'),
    });
  });

  it('records all blobs of one turn of the event loop in one transaction', async () => {
    await withCatalogue(async (catalogue) => {
      await catalogue.publish(samplePublication(1));
      const before = await transactionsIn(file);
      const blobs = Array.from({ length: 50 }, (_, number) => ({
        id: sha256Of(`blob ${number}`),
        size: number,
        digests: [],
      }));
      await Promise.all(blobs.map((blob) => catalogue.recordBlob(blob)));
      expect(await transactionsIn(file)).toBe(before + 1);
      for (const { id, size } of blobs) expect(await catalogue.blob(id)).toMatchObject({ size });
    });
  });

  it('may be closed twice, and refuses work after that', async () => {
    const catalogue = await openSqliteCatalogue(file);
    await catalogue.close();
    await catalogue.close();
    await expect(catalogue.appendEvent(sampleEvent(1))).rejects.toMatchObject({ code: 'internal' });
    expect(() => catalogue.version()).toThrow('cannot ask for the version');
  });

  it('finds archives, blobs, first sights and pins through indexes, never by looking at all', async () => {
    await withCatalogue((catalogue) => catalogue.publish(samplePublication(1)));
    const statements: string[] = [];
    const database = new Database(file, { verbose: (text) => statements.push(String(text)) });
    const blobs = new KnownBlobTable(database);
    const archives = new ArchiveTable(database);
    const checksum = checksumOf('md5', 'a.1');
    expect(archives.listed('default', checksum).length).toBe(1);
    expect(archives.related([checksum]).length).toBe(1);
    expect(new SnapshotTable(database, new PieceTable(database)).publication('default')).toBe(1);
    expect(new FirstSeenTable(database).find('default', 'a').length).toBe(1);
    expect(new PinTable(database).all('default').length).toBe(0);
    blobs.with(checksum);
    blobs.find(sha256Of('blob'));
    blobs.forget(sha256Of('blob'));
    const used = [...statements];
    expect(used.length).toBe(8);
    for (const statement of used) {
      const plan = database.prepare(`EXPLAIN QUERY PLAN ${statement}`).all();
      // What was asked for is looked at whole; no table is.
      expect(JSON.stringify(plan)).not.toMatch(/SCAN (?!asked VIRTUAL TABLE)/);
    }
    database.close();
  });
});

describe.skipIf(!(await canMountDisks()))('openSqliteCatalogue on a disk of its own', () => {
  it('publishes nothing at all when the disk is full, and goes on when there is space', async () => {
    const disk = await mountTinyDisk(1024 * 1024);
    if (disk === undefined) throw new Error('the disk could be mounted a moment ago');
    try {
      const catalogue = await openSqliteCatalogue(`${disk.path}/catalogue.sqlite`);
      await catalogue.publish(samplePublication(1));
      const archives = Array.from({ length: 10_000 }, (_, number) => sampleArchive(`large ${number}`));
      await expect(catalogue.publish(samplePublication(2, { archives }))).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringContaining('full'),
      });
      await expectOnlyFirst(catalogue);
      await catalogue.publish(samplePublication(2));
      expect(await catalogue.currentSnapshot('default')).toEqual(samplePublication(2).snapshot);
      await catalogue.close();
    } finally {
      await disk.remove();
    }
  });
});
