/** The catalogue's file under several processes at once, and under kill -9. */
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue } from '../../src/store/catalogue.ts';
import { findBrokenEvent } from '../../src/store/events.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { expectOnlyFirst } from '../support/catalogue-conformance.ts';
import { makeTestFolder, type TestFolder } from '../support/store-folders.ts';
import { runScript, startScript } from '../support/store-processes.ts';
import { samplePublication } from '../support/store-samples.ts';

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

  describe('beside other processes', () => {
    it('is made once when many begin at the same time, and all their events are chained', async () => {
      const names = ['one', 'two', 'three', 'four'];
      const endings = await Promise.all(
        names.map((name) => runScript('store-child-append', file, name, '20')),
      );
      for (const ending of endings) expect(ending).toMatchObject({ code: 0, errors: '' });
      const events = await withCatalogue((catalogue) => catalogue.events(0, 1000));
      expect(findBrokenEvent(events)).toBeUndefined();
      for (const name of names) {
        const own = events.filter((event) => event.repository === name);
        expect(own.map((event) => event.at)).toEqual(Array.from({ length: 20 }, (_, index) => index));
      }
    });

    it('waits for another’s write, and reads meanwhile', async () => {
      await withCatalogue(async (catalogue) => {
        await catalogue.publish(samplePublication(1));
        const holder = startScript('store-child-lock', file);
        await holder.lines(1);
        await expectOnlyFirst(catalogue);
        holder.process.stdin.write('go\n');
        await catalogue.publish(samplePublication(2));
        expect(await catalogue.currentSnapshot('default')).toEqual(samplePublication(2).snapshot);
        expect(await holder.ended).toMatchObject({ code: 0, errors: '' });
      });
    });

    it('waits for another’s write also to switch on the write-ahead log', async () => {
      await withCatalogue((catalogue) => catalogue.publish(samplePublication(1)));
      sql('PRAGMA journal_mode = DELETE');
      const holder = startScript('store-child-lock', file);
      await holder.lines(1);
      holder.process.stdin.write('go\n');
      await withCatalogue(expectOnlyFirst);
      expect(await holder.ended).toMatchObject({ code: 0, errors: '' });
    });

    it('tells of the lock when it has waited long enough, and nothing was written', async () => {
      await withCatalogue(async (catalogue) => {
        await catalogue.publish(samplePublication(1));
        const holder = new Database(file);
        holder.exec('BEGIN IMMEDIATE');
        await expect(catalogue.publish(samplePublication(2))).rejects.toMatchObject({
          code: 'store-failed',
          message: expect.stringContaining('another process holds its lock'),
        });
        await expectOnlyFirst(catalogue);
        holder.close();
        await catalogue.publish(samplePublication(2));
      }, 1);
    });
  });

  describe('after a kill -9', () => {
    it('holds all of a publication or nothing, wherever it was killed', async () => {
      let killed = 0;
      for (let finished = false; !finished; ) {
        file = `${folder.path}/${killed}.sqlite`;
        await withCatalogue((catalogue) => catalogue.publish(samplePublication(1)));
        const ending = await runScript('store-child-publish', file, String(killed + 1));
        finished = ending.signal !== 'SIGKILL';
        if (finished) {
          expect(ending).toMatchObject({ code: 0, errors: '' });
          const current = await withCatalogue((catalogue) => catalogue.currentSnapshot('default'));
          expect(current).toEqual(samplePublication(2).snapshot);
        } else {
          killed += 1;
          await withCatalogue(expectOnlyFirst);
        }
      }
      // Three pieces, the accepted tree, two versions first seen, two archives, two events.
      expect(killed).toBe(10);
    });

    it('agrees in all its parts, killed at any moment, and has lost nothing that was told', async () => {
      for (const told of [1, 2, 5, 11, 23]) {
        file = `${folder.path}/after-${told}.sqlite`;
        const publisher = startScript('store-child-publish-many', file);
        await publisher.lines(told);
        publisher.process.kill('SIGKILL');
        const lines = (await publisher.ended).output.trimEnd().split('\n').length;
        await withCatalogue(async (catalogue) => {
          const events = await catalogue.events(0, 100_000);
          expect(events.length).toBeGreaterThanOrEqual(lines);
          expect(findBrokenEvent(events)).toBeUndefined();
          const last = samplePublication(events.length);
          expect(await catalogue.currentSnapshot('default')).toEqual(last.snapshot);
          expect(await catalogue.trusted('default')).toBe(last.trusted);
          expect(await catalogue.accepted('default')).toEqual(last.accepted);
          expect((await catalogue.firstSeen('default', 'a')).length).toBe(events.length);
          expect((await catalogue.snapshots('default', 100_000)).length).toBe(events.length);
          const next = samplePublication(events.length + 1);
          expect(await catalogue.related(next.archives.flatMap((archive) => archive.checksums))).toEqual([]);
        });
      }
    });
  });
});
