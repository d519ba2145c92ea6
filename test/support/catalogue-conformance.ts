/** Every promise of src/store/catalogue.ts, for whatever engine stands behind it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue, Publication } from '../../src/store/catalogue.ts';
import { findBrokenEvent, NO_EVENT } from '../../src/store/events.ts';
import { testCatalogueArchives } from './catalogue-conformance-archives.ts';
import { testCatalogueDecisions } from './catalogue-conformance-decisions.ts';
import { testCatalogueTrees } from './catalogue-conformance-trees.ts';
import {
  checksumOf,
  contentOf,
  placeOf,
  sampleEvent,
  sampleFirstSeen,
  samplePiece,
  samplePublication,
  sha256Of,
} from './store-samples.ts';

/** An empty catalogue, made anew for each test. */
export interface CatalogueUnderTest {
  readonly catalogue: Catalogue;
  /** The same catalogue once more, as another process opens it; the caller closes it. */
  again(): Promise<Catalogue>;
  remove(): Promise<void>;
}

export function testCatalogue(name: string, make: () => Promise<CatalogueUnderTest>): void {
  testCatalogueArchives(name, make);
  testCatalogueTrees(name, make);
  testCatalogueDecisions(name, make);

  describe(`${name} keeps the promises of snapshots`, () => {
    let store: CatalogueUnderTest;
    let catalogue: Catalogue;

    beforeEach(async () => {
      store = await make();
      catalogue = store.catalogue;
    });
    afterEach(() => store.remove());

    it('numbers the publications of a repository, also of a snapshot that was there before', async () => {
      expect(await catalogue.currentPublication('default')).toBeUndefined();
      const numbers: (number | undefined)[] = [];
      for (const which of [1, 2, 1]) {
        await catalogue.publish(samplePublication(which));
        numbers.push(await catalogue.currentPublication('default'));
      }
      await catalogue.publish(samplePublication(3, { repository: 'overlay' }));
      expect(await catalogue.currentPublication('default')).toBe(numbers[2]);
      const [first = 0, second = 0, third = 0] = numbers;
      expect(first).toBeLessThan(second);
      expect(second).toBeLessThan(third);
    });

    it('knows nothing before anything was published', async () => {
      expect(await catalogue.currentSnapshot('default')).toBeUndefined();
      expect(await catalogue.snapshot('default', sha256Of('snapshot 1'))).toBeUndefined();
      expect(await catalogue.snapshots('default', 10)).toEqual([]);
      expect(await catalogue.pieces(['key of a'])).toEqual(new Map());
      expect(await catalogue.listings(['key of a'])).toEqual(new Map());
      expect(await catalogue.contents(['key of a'])).toEqual(new Map());
      expect(await catalogue.naming('default', [checksumOf('md5', 'a.1')])).toEqual([[]]);
      expect(await catalogue.trusted('default')).toBeUndefined();
      expect(await catalogue.accepted('default')).toBeUndefined();
      expect(await catalogue.firstSeen('default')).toEqual([]);
      expect(await catalogue.decisions()).toEqual([]);
      expect(await catalogue.pins('default')).toEqual([]);
      expect(await catalogue.feed('https://advisories.example/')).toBeUndefined();
      expect(await catalogue.syncState('default')).toBeUndefined();
      expect(await catalogue.events(0, 10)).toEqual([]);
    });

    it('publishes all parts, for every opener', async () => {
      const publication = samplePublication(1);
      await catalogue.publish(publication);
      const other = await store.again();
      for (const reader of [catalogue, other]) {
        expect(await reader.currentSnapshot('default')).toEqual(publication.snapshot);
        expect(await reader.snapshot('default', publication.snapshot.id)).toEqual(publication.snapshot);
        const { pieces, ...head } = publication.snapshot;
        expect(await reader.currentHead('default')).toEqual(head);
        const places = publication.pieces.map((piece) => {
          const { key, ...place } = placeOf(piece);
          return [key, place] as const;
        });
        expect(await reader.places('default', head.id)).toEqual(
          pieces.map((key) => new Map(places).get(key)),
        );
        expect(await reader.places('other', head.id)).toEqual([]);
        expect(await reader.pieces([...publication.snapshot.pieces, 'unknown'])).toEqual(
          new Map(publication.pieces.map((piece) => [piece.key, placeOf(piece)])),
        );
        expect(await reader.listings([...publication.snapshot.pieces, 'unknown'])).toEqual(
          new Map(publication.pieces.map(({ key, listing }) => [key, listing])),
        );
        expect(await reader.contents([...publication.snapshot.pieces, 'unknown'])).toEqual(
          new Map(publication.pieces.map((piece) => [piece.key, contentOf(piece)])),
        );
        expect(await reader.trusted('default')).toBe('trusted 1');
        expect(await reader.accepted('default')).toEqual(publication.accepted);
        expect(await reader.firstSeen('default')).toEqual(publication.firstSeen);
        expect(await reader.events(0, 10)).toMatchObject(publication.events);
      }
      await other.close();
    });

    it('replaces and drops verdicts with a publication, and finds those of one package', async () => {
      const verdict = (version: string, key: string) => ({ version, key, verdict: `{"of":"${version}"}` });
      const first = ['foo.1', 'foo.2', 'foo-bar.1', 'foo+.1', 'fooz.1'].map((version) =>
        verdict(version, 'a'),
      );
      await catalogue.publish(samplePublication(1, { verdicts: { replaced: first, dropped: [] } }));
      const replaced = [verdict('foo.2', 'b'), verdict('foo.3', 'b')];
      await catalogue.publish(samplePublication(2, { verdicts: { replaced, dropped: ['foo.1', 'none.1'] } }));
      await catalogue.publish(samplePublication(3));
      expect(await catalogue.verdicts('default', 'foo')).toEqual(replaced);
      expect((await catalogue.verdicts('default')).map(({ version }) => version)).toEqual([
        'foo+.1',
        'foo-bar.1',
        'foo.2',
        'foo.3',
        'fooz.1',
      ]);
      expect(await catalogue.verdicts('overlay')).toEqual([]);
    });

    it('saves a trusted state with its event beside a publication', async () => {
      await catalogue.saveTrusted('default', 'accepted by a person', sampleEvent(7));
      expect(await catalogue.trusted('default')).toBe('accepted by a person');
      expect(await catalogue.currentSnapshot('default')).toBeUndefined();
      expect(await catalogue.events(0, 10)).toMatchObject([sampleEvent(7)]);
    });

    it('moves the current snapshot and keeps those before, newest first', async () => {
      for (const number of [1, 2, 3]) await catalogue.publish(samplePublication(number));
      const [first, second, third] = [1, 2, 3].map((number) => samplePublication(number).snapshot);
      expect(await catalogue.currentSnapshot('default')).toEqual(third);
      expect(await catalogue.snapshot('default', sha256Of('snapshot 1'))).toEqual(first);
      expect(await catalogue.snapshots('default', 10)).toEqual([third, second, first]);
      expect(await catalogue.snapshots('default', 2)).toEqual([third, second]);
    });

    it('makes a snapshot that is published again the current one', async () => {
      await catalogue.publish(samplePublication(1));
      await catalogue.publish(samplePublication(2));
      const again = { ...samplePublication(1).snapshot, publishedAt: 1_800_000_000_000, commit: 'other' };
      await catalogue.publish(samplePublication(1, { snapshot: again, pieces: [] }));
      expect(await catalogue.currentSnapshot('default')).toEqual(again);
      expect(await catalogue.snapshots('default', 10)).toEqual([again, samplePublication(2).snapshot]);
    });

    it('orders by publication, also when the clock jumps back', async () => {
      const times = [5_000_000, 4_000_000, 0, 4_500_000];
      for (const [number, publishedAt] of times.entries()) {
        const publication = samplePublication(number);
        await catalogue.publish({
          ...publication,
          snapshot: { ...publication.snapshot, publishedAt },
          events: publication.events.map((event) => ({ ...event, at: publishedAt })),
        });
      }
      const snapshots = await catalogue.snapshots('default', 10);
      expect(snapshots.map((snapshot) => snapshot.publishedAt)).toEqual(times.toReversed());
      const events = await catalogue.events(0, 10);
      expect(events.map((event) => event.at)).toEqual(times);
      expect(findBrokenEvent(events)).toBeUndefined();
    });

    it('keeps the order and the repetition of pieces', async () => {
      const publication = samplePublication(1);
      const keys = publication.snapshot.pieces;
      const pieces = [...keys.toReversed(), ...keys];
      await catalogue.publish({ ...publication, snapshot: { ...publication.snapshot, pieces } });
      expect((await catalogue.currentSnapshot('default'))?.pieces).toEqual(pieces);
    });

    it('keeps repositories apart', async () => {
      await catalogue.publish(samplePublication(1));
      await catalogue.publish(samplePublication(2, { repository: 'overlay' }));
      expect((await catalogue.currentSnapshot('default'))?.id).toBe(sha256Of('snapshot 1'));
      expect((await catalogue.currentSnapshot('overlay'))?.id).toBe(sha256Of('snapshot 2'));
      expect(await catalogue.snapshot('overlay', sha256Of('snapshot 1'))).toBeUndefined();
      expect(await catalogue.trusted('default')).toBe('trusted 1');
    });

    it('keeps trusted state when a publication brings none', async () => {
      await catalogue.publish(samplePublication(1));
      const { trusted: _, ...second } = samplePublication(2);
      await catalogue.publish(second);
      expect(await catalogue.trusted('default')).toBe('trusted 1');
      expect((await catalogue.currentSnapshot('default'))?.id).toBe(sha256Of('snapshot 2'));
    });

    it('moves a known piece to where its bytes lie now', async () => {
      await catalogue.publish(samplePublication(1));
      const moved = { ...samplePiece('of all'), blob: sha256Of('new place'), offset: 7 };
      await catalogue.publish(samplePublication(1, { pieces: [moved] }));
      expect(await catalogue.pieces([moved.key])).toEqual(new Map([[moved.key, placeOf(moved)]]));
    });

    const broken: readonly [string, Partial<Publication>][] = [
      [
        'a piece that nobody knows',
        {
          snapshot: {
            ...samplePublication(2).snapshot,
            pieces: [samplePiece('of all').key, 'key of nobody'],
          },
        },
      ],
      ['a known piece with other bytes', { pieces: [{ ...samplePiece('of all'), crc32: 1 }] }],
      ['an archive without checksums', { archives: [{ checksums: [], sources: ['https://a.example/'] }] }],
      [
        'a checksum that is no hex',
        { archives: [{ checksums: [{ kind: 'md5', hex: 'x'.repeat(32) }], sources: [] }] },
      ],
      [
        'an accepted tree of a piece that nobody knows',
        { accepted: { pieces: [samplePiece('of all').key, 'key of nobody'], state: '' } },
      ],
      ['a first sight that cannot be kept', { firstSeen: [sampleFirstSeen('a.2', 0.5)] }],
      ['no event', { events: [] }],
      ['an event that cannot be kept', { events: [sampleEvent(2), { ...sampleEvent(3), at: 0.5 }] }],
    ];
    it.each(broken)('publishes nothing at all with %s', async (_, changes) => {
      await catalogue.publish(samplePublication(1));
      await expect(catalogue.publish(samplePublication(2, changes))).rejects.toMatchObject({
        code: 'internal',
      });
      await expectOnlyFirst(catalogue);
      await catalogue.publish(samplePublication(2));
      expect((await catalogue.currentSnapshot('default'))?.id).toBe(sha256Of('snapshot 2'));
    });

    it('replaces the whole state of a sync', async () => {
      const failed = {
        attemptedAt: 2,
        succeededAt: 1,
        failure: { code: 'upstream-timeout', message: 'slow' },
        validator: '"etag"',
      };
      await catalogue.saveSyncState('default', failed);
      expect(await catalogue.syncState('default')).toEqual(failed);
      await catalogue.saveSyncState('default', { attemptedAt: 3 });
      expect(await catalogue.syncState('default')).toEqual({ attemptedAt: 3 });
      expect(await catalogue.syncState('overlay')).toBeUndefined();
      expect(await catalogue.currentSnapshot('default')).toBeUndefined();
    });

    it('chains events, and gives them from a number on', async () => {
      for (const number of [1, 2, 3, 4]) await catalogue.appendEvent(sampleEvent(number));
      await catalogue.publish(samplePublication(5));
      const events = await catalogue.events(0, 100);
      expect(events).toMatchObject(
        [1, 2, 3, 4, 5].map((sequence) => ({ ...sampleEvent(sequence), sequence })),
      );
      expect(events[0]?.previous).toBe(NO_EVENT);
      expect(findBrokenEvent(events)).toBeUndefined();
      expect(await catalogue.events(2, 2)).toEqual(events.slice(1, 3));
    });

    it('chains events whatever their texts hold', async () => {
      const texts = [
        '',
        'x'.repeat(100_000),
        'é漢🐫',
        'a\u0000b',
        'half a pair: \ud83d',
        "'; DROP TABLE event",
      ];
      for (const [at, detail] of texts.entries()) {
        await catalogue.appendEvent({ at, repository: detail, kind: detail, detail });
      }
      const events = await catalogue.events(0, 100);
      expect(events.map((event) => event.detail)).toEqual(texts.map((text) => text.toWellFormed()));
      expect(findBrokenEvent(events)).toBeUndefined();
    });

    it('chains the events of two openers', async () => {
      const other = await store.again();
      for (const number of [1, 2, 3, 4]) {
        await (number % 2 === 0 ? other : catalogue).appendEvent(sampleEvent(number));
      }
      expect(findBrokenEvent(await other.events(0, 10))).toBeUndefined();
      await other.close();
    });
  });
}

/** That the catalogue holds the first sample and nothing of the second. */
export async function expectOnlyFirst(catalogue: Catalogue): Promise<void> {
  const [first, second] = [samplePublication(1), samplePublication(2)];
  expect(await catalogue.snapshots('default', 10)).toEqual([first.snapshot]);
  const pieces = await catalogue.pieces([...first.pieces, ...second.pieces].map((piece) => piece.key));
  expect(pieces).toEqual(new Map(first.pieces.map((piece) => [piece.key, placeOf(piece)])));
  const declared = [...first.archives, ...second.archives].flatMap((archive) => archive.checksums);
  expect((await catalogue.related(declared)).length).toBe(first.archives.length);
  expect(await catalogue.trusted('default')).toBe('trusted 1');
  expect(await catalogue.accepted('default')).toEqual(first.accepted);
  expect(await catalogue.firstSeen('default')).toEqual(first.firstSeen);
  const events = await catalogue.events(0, 10);
  expect(events).toMatchObject(first.events);
  expect(findBrokenEvent(events)).toBeUndefined();
}
