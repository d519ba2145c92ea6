/**
 * The promises of src/store/catalogue.ts about accepted trees, what was first seen, and archives that are
 * restored; catalogue-conformance.ts runs them.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveDeclaration, Catalogue, FirstSeen, Publication } from '../../src/store/catalogue.ts';
import { findBrokenEvent } from '../../src/store/events.ts';
import type { CatalogueUnderTest } from './catalogue-conformance.ts';
import { checksumOf, sampleEvent, sampleFirstSeen, samplePiece, samplePublication } from './store-samples.ts';

const MD5 = checksumOf('md5', 'a');
const SHA256 = checksumOf('sha256', 'a');
const SHA512 = checksumOf('sha512', 'a');

export function testCatalogueTrees(name: string, make: () => Promise<CatalogueUnderTest>): void {
  let store: CatalogueUnderTest;
  let catalogue: Catalogue;
  let published: number;

  async function open(): Promise<void> {
    store = await make();
    catalogue = store.catalogue;
    published = 0;
  }

  async function publish(changes: Partial<Publication>): Promise<void> {
    published += 1;
    await catalogue.publish(samplePublication(published, changes));
  }

  describe(`${name} keeps the promises of accepted trees`, () => {
    beforeEach(open);
    afterEach(() => store.remove());

    it('keeps the last one of each repository, also when a publication brings none', async () => {
      const first = samplePublication(1).accepted;
      await publish({});
      await publish({ repository: 'overlay' });
      const { accepted: _, ...without } = samplePublication(3);
      await catalogue.publish(without);
      expect(await catalogue.accepted('default')).toEqual(first);
      expect(await catalogue.accepted('overlay')).toEqual(samplePublication(2).accepted);
      await catalogue.publish(samplePublication(4));
      expect(await catalogue.accepted('default')).toEqual(samplePublication(4).accepted);
      expect(await catalogue.accepted('none')).toBeUndefined();
    });

    it('keeps the order and the repetition of pieces, and pieces that no snapshot has', async () => {
      await publish({});
      const own = samplePiece('of the upstream');
      const known = samplePublication(1).snapshot.pieces;
      const accepted = { pieces: [...known.toReversed(), own.key, ...known], state: '' };
      await publish({ pieces: [...samplePublication(2).pieces, own], accepted });
      expect(await catalogue.accepted('default')).toEqual(accepted);
      expect(await catalogue.currentSnapshot('default')).toEqual(samplePublication(2).snapshot);
      await publish({ accepted: { pieces: [], state: 'empty' } });
      expect(await catalogue.accepted('default')).toEqual({ pieces: [], state: 'empty' });
    });

    it('appends several events in their order', async () => {
      await publish({ events: [3, 1, 2].map(sampleEvent) });
      const events = await catalogue.events(0, 10);
      expect(events).toMatchObject([3, 1, 2].map(sampleEvent));
      expect(findBrokenEvent(events)).toBeUndefined();
    });
  });

  describe(`${name} keeps the promises of what was first seen`, () => {
    beforeEach(open);
    afterEach(() => store.remove());

    it('stays as it was, whatever is said later', async () => {
      const first: FirstSeen = { version: 'a.1', identity: 'md5=1', at: 5, baseline: true };
      await publish({ firstSeen: [first] });
      const later = { ...first, at: 1, baseline: false };
      await publish({ firstSeen: [later, { ...later, identity: 'md5=2' }, later] });
      expect(await catalogue.firstSeen('default')).toEqual([{ ...later, identity: 'md5=2' }, first]);
    });

    it('keeps the first of several in one publication, and repositories apart', async () => {
      await publish({ firstSeen: [sampleFirstSeen('a.1', 7), sampleFirstSeen('a.1', 6)] });
      await publish({ firstSeen: [sampleFirstSeen('a.1', 8)], repository: 'overlay' });
      expect(await catalogue.firstSeen('default')).toEqual([sampleFirstSeen('a.1', 7)]);
      expect(await catalogue.firstSeen('overlay')).toEqual([sampleFirstSeen('a.1', 8)]);
      expect(await catalogue.firstSeen('none')).toEqual([]);
    });

    it('keeps an identity of no archive apart from that of one', async () => {
      const none = { ...sampleFirstSeen('a.1'), identity: '' };
      await publish({ firstSeen: [sampleFirstSeen('a.1'), none] });
      expect(await catalogue.firstSeen('default')).toEqual([none, sampleFirstSeen('a.1')]);
    });

    it('is told for one package and no other that begins like it', async () => {
      const versions = ['foo.1', 'foo.1.2', 'foo-bar.1', 'foo+.1', 'fooz.1', 'fo.1', 'foo.~'];
      await publish({ firstSeen: versions.map((version) => sampleFirstSeen(version)) });
      const found = await catalogue.firstSeen('default', 'foo');
      expect(found.map(({ version }) => version)).toEqual(['foo.1', 'foo.1.2', 'foo.~']);
      expect(await catalogue.firstSeen('default', 'bar')).toEqual([]);
      expect(await catalogue.firstSeen('overlay', 'foo')).toEqual([]);
    });

    it('is exactly the first of each version and identity, by version, time and identity', async () => {
      const seen = fc.record({
        version: fc.constantFrom('a.1', 'a.2', 'b.1'),
        identity: fc.constantFrom('', 'md5=1', 'md5=2'),
        at: fc.integer({ min: -5, max: 5 }),
        baseline: fc.boolean(),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(seen, { maxLength: 5 }), { maxLength: 4 }),
          async (publications) => {
            round += 1;
            const repository = `round-${round}`;
            const expected = new Map<string, FirstSeen>();
            for (const firstSeen of publications) {
              await publish({ repository, firstSeen });
              for (const item of firstSeen) {
                const key = `${item.version} ${item.identity}`;
                if (!expected.has(key)) expected.set(key, item);
              }
            }
            const inOrder = [...expected.values()].sort(
              (a, b) => compare(a.version, b.version) || a.at - b.at || compare(a.identity, b.identity),
            );
            expect(await catalogue.firstSeen(repository)).toEqual(inOrder);
          },
        ),
        { numRuns: 40 },
      );
    });
  });

  describe(`${name} keeps the promises of restored archives`, () => {
    beforeEach(open);
    afterEach(() => store.remove());

    const archive = { checksums: [SHA256, MD5], sources: ['https://a.example/1'] };

    async function listed(repository = 'default'): Promise<readonly (readonly string[])[]> {
      return (await catalogue.listed(repository, MD5)).map(({ sources }) => sources);
    }

    it('answers again for what was withdrawn, from the same sources, in that repository only', async () => {
      await publish({ archives: [archive] });
      await publish({ archives: [archive], repository: 'overlay' });
      await publish({ archives: [], withdrawn: [archive] });
      await publish({ archives: [], withdrawn: [archive], repository: 'overlay' });
      await publish({ archives: [], restored: [{ checksums: [MD5, SHA256], sources: ['unused'] }] });
      expect(await listed()).toEqual([archive.sources]);
      expect(await listed('overlay')).toEqual([]);
    });

    it('lists nothing that the repository never listed', async () => {
      await publish({ archives: [archive], repository: 'overlay' });
      await publish({ archives: [], restored: [archive, { checksums: [SHA512], sources: [] }] });
      expect(await listed()).toEqual([]);
      expect(await catalogue.related([SHA512])).toEqual([]);
    });

    const matches: readonly [string, ArchiveDeclaration['checksums'], readonly number[]][] = [
      ['one checksum that two archives declare', [MD5], [1, 2]],
      ['both checksums of one', [SHA256, MD5], [2]],
      ['a checksum beside one that no archive declares', [MD5, SHA512], []],
    ];
    it.each(matches)('restores every archive that declares all of %s', async (_, checksums, expected) => {
      const archives = [
        { checksums: [MD5], sources: ['1'] },
        { checksums: [MD5, SHA256], size: 5, sources: ['2'] },
      ];
      await publish({ archives });
      await publish({ archives: [], withdrawn: archives });
      await publish({ archives: [], restored: [{ checksums, sources: [] }] });
      expect(await listed()).toEqual(expected.map((source) => [String(source)]));
    });

    const together: readonly [string, Partial<Publication>, boolean][] = [
      ['restores and withdraws', { restored: [archive], withdrawn: [archive] }, false],
      ['withdraws and declares', { withdrawn: [archive], archives: [archive] }, true],
      [
        'restores, withdraws and declares',
        { restored: [archive], withdrawn: [archive], archives: [archive] },
        true,
      ],
      [
        'restores, and withdraws by fewer checksums',
        { restored: [archive], withdrawn: [{ checksums: [MD5], sources: [] }] },
        false,
      ],
    ];
    describe.each([
      ['withdrawn', [archive]],
      ['listed', []],
    ])('when the archive was %s', (_, withdrawn) => {
      it.each(together)('decides when one publication %s it', async (_name, changes, answered) => {
        await publish({ archives: [archive] });
        await publish({ archives: [], withdrawn });
        await publish({ archives: [], ...changes });
        expect(await listed()).toEqual(answered ? [archive.sources] : []);
      });
    });
  });
}

/** In the order of bytes, as the catalogue sorts ASCII. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
