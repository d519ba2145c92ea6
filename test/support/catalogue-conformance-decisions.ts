/**
 * The promises of src/store/catalogue.ts about decisions, pins, advisory feeds and the version;
 * catalogue-conformance.ts runs them.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue, Decision, StoredFeed } from '../../src/store/catalogue.ts';
import type { CatalogueUnderTest } from './catalogue-conformance.ts';
import { checksumOf, sampleEvent, samplePin, samplePublication, sha256Of } from './store-samples.ts';

const DENIAL: Decision = {
  kind: 'denial',
  repository: 'default',
  subject: 'foo{< "2"}',
  reason: 'it was taken over',
  form: '',
  at: 5,
};

const PIN = samplePin('a');

const FEED: StoredFeed = { fetchedAt: 9, advisories: '[{"id":"OSEC-1"}]', validator: '"etag"' };

export function testCatalogueDecisions(name: string, make: () => Promise<CatalogueUnderTest>): void {
  let store: CatalogueUnderTest;
  let catalogue: Catalogue;

  async function open(): Promise<void> {
    store = await make();
    catalogue = store.catalogue;
  }

  async function save(...decisions: readonly Decision[]): Promise<void> {
    for (const decision of decisions) await catalogue.saveDecision(decision, sampleEvent(1));
  }

  describe(`${name} keeps the promises of decisions`, () => {
    beforeEach(open);
    afterEach(() => store.remove());

    it('keeps them with their events, by time, for every opener and before any publication', async () => {
      const release: Decision = { ...DENIAL, kind: 'release', subject: 'foo.1', form: 'sha256=1', at: 4 };
      await catalogue.saveDecision(DENIAL, sampleEvent(1));
      await catalogue.saveDecision(release, sampleEvent(2));
      const other = await store.again();
      for (const reader of [catalogue, other]) {
        expect(await reader.decisions()).toEqual([release, DENIAL]);
        expect(await reader.events(0, 10)).toMatchObject([sampleEvent(1), sampleEvent(2)]);
      }
      await other.close();
    });

    it('replaces the one of the same kind, repository and subject', async () => {
      const again = { ...DENIAL, reason: 'a better one', form: 'another', at: 6 };
      await save(DENIAL, again);
      expect(await catalogue.decisions()).toEqual([again]);
      expect(await catalogue.events(0, 10)).toHaveLength(2);
    });

    it('replaces the one of every repository, too', async () => {
      const { repository: _, ...everywhere } = DENIAL;
      const again = { ...everywhere, reason: 'a better one' };
      await save(everywhere, DENIAL, again);
      expect(await catalogue.decisions()).toEqual([again, DENIAL]);
    });

    it('never takes an empty name for every repository', async () => {
      const nameless = { ...DENIAL, repository: '' };
      await expect(save(nameless)).rejects.toMatchObject({ code: 'internal' });
      await expect(catalogue.dropDecision(nameless, sampleEvent(1))).rejects.toMatchObject({
        code: 'internal',
      });
      expect(await catalogue.decisions()).toEqual([]);
    });

    const { repository: _, ...everywhere } = DENIAL;
    const apart: readonly [string, Decision][] = [
      ['kind', { ...DENIAL, kind: 'release' }],
      ['subject', { ...DENIAL, subject: 'foo{<= "2"}' }],
      ['subject by case', { ...DENIAL, subject: 'Foo{< "2"}' }],
      ['repository', { ...DENIAL, repository: 'overlay' }],
      ['repository, which is every one', everywhere],
    ];
    describe.each(apart)('of another %s', (_name, other) => {
      it('stands beside it', async () => {
        await save(DENIAL, other);
        const kept = await catalogue.decisions();
        expect(kept).toHaveLength(2);
        expect(kept).toEqual(expect.arrayContaining([DENIAL, other]));
      });

      it('stays when it is dropped, and is not dropped in its stead', async () => {
        await save(DENIAL);
        expect(await catalogue.dropDecision(other, sampleEvent(2))).toBe(false);
        await save(other);
        expect(await catalogue.dropDecision(DENIAL, sampleEvent(3))).toBe(true);
        expect(await catalogue.decisions()).toEqual([other]);
      });
    });

    it('drops one with its event, once', async () => {
      await save(DENIAL);
      expect(await catalogue.dropDecision(DENIAL, sampleEvent(2))).toBe(true);
      expect(await catalogue.dropDecision(DENIAL, sampleEvent(3))).toBe(false);
      expect(await catalogue.decisions()).toEqual([]);
      expect(await catalogue.events(0, 10)).toMatchObject([sampleEvent(1), sampleEvent(2)]);
    });

    it('neither keeps nor drops one whose event cannot be kept', async () => {
      const broken = { ...sampleEvent(2), at: 0.5 };
      await expect(catalogue.saveDecision(DENIAL, broken)).rejects.toMatchObject({ code: 'internal' });
      expect(await catalogue.decisions()).toEqual([]);
      await save(DENIAL);
      await expect(catalogue.dropDecision(DENIAL, broken)).rejects.toMatchObject({ code: 'internal' });
      expect(await catalogue.decisions()).toEqual([DENIAL]);
    });
  });

  describe(`${name} keeps the promises of pins`, () => {
    beforeEach(open);
    afterEach(() => store.remove());

    it('keeps them by key with their events, in each repository its own', async () => {
      const address = { ...PIN, key: 'https://a.example/1', at: 1 };
      await catalogue.savePin('default', PIN, sampleEvent(1));
      await catalogue.savePin('default', address, sampleEvent(2));
      await catalogue.savePin('overlay', { ...PIN, at: 8 }, sampleEvent(3));
      const other = await store.again();
      for (const reader of [catalogue, other]) {
        expect(await reader.pins('default')).toEqual([address, PIN]);
        expect(await reader.pins('overlay')).toEqual([{ ...PIN, at: 8 }]);
        expect(await reader.pins('none')).toEqual([]);
        expect(await reader.events(0, 10)).toMatchObject([1, 2, 3].map(sampleEvent));
      }
      await other.close();
    });

    it('stays as it was, and then there is no event', async () => {
      await catalogue.savePin('default', PIN, sampleEvent(1));
      const others = [checksumOf('sha256', 'b'), checksumOf('sha512', 'b')];
      await catalogue.savePin('default', { ...PIN, checksums: others, size: 2 }, sampleEvent(2));
      expect(await catalogue.pins('default')).toEqual([PIN]);
      expect(await catalogue.events(0, 10)).toMatchObject([sampleEvent(1)]);
    });

    it('keeps every checksum, in one order', async () => {
      const checksums = [...PIN.checksums, checksumOf('md5', 'a')];
      await catalogue.savePin('default', { ...PIN, checksums }, sampleEvent(1));
      const [kept] = await catalogue.pins('default');
      expect(kept?.checksums).toEqual([checksumOf('md5', 'a'), ...PIN.checksums]);
    });

    it.each([
      ['without SHA-512', { ...PIN, checksums: [checksumOf('sha256', 'a')] }, sampleEvent(1)],
      ['without SHA-256', { ...PIN, checksums: [checksumOf('sha512', 'a')] }, sampleEvent(1)],
      ['without any checksum', { ...PIN, checksums: [] }, sampleEvent(1)],
      ['of less than no bytes', { ...PIN, size: -1 }, sampleEvent(1)],
      ['with an event that cannot be kept', PIN, { ...sampleEvent(1), at: 0.5 }],
    ])('keeps no pin %s', async (_, pin, event) => {
      await expect(catalogue.savePin('default', pin, event)).rejects.toMatchObject({ code: 'internal' });
      expect(await catalogue.pins('default')).toEqual([]);
      expect(await catalogue.events(0, 10)).toEqual([]);
    });
  });

  describe(`${name} keeps the promises of advisory feeds`, () => {
    beforeEach(open);
    afterEach(() => store.remove());

    it('replaces the whole feed of a source and no other', async () => {
      await catalogue.saveFeed('https://a.example/', FEED);
      await catalogue.saveFeed('https://b.example/', FEED);
      await catalogue.saveFeed('https://a.example/', { fetchedAt: 10, advisories: '[]' });
      expect(await catalogue.feed('https://a.example/')).toEqual({ fetchedAt: 10, advisories: '[]' });
      expect(await catalogue.feed('https://b.example/')).toEqual(FEED);
      expect(await catalogue.feed('https://a.example')).toBeUndefined();
    });

    it('keeps a large feed byte for byte', async () => {
      const advisories = JSON.stringify(Array.from({ length: 20_000 }, (_, index) => `é漢🐫 ${index}`));
      await catalogue.saveFeed('folder', { fetchedAt: 1, advisories });
      expect(await catalogue.feed('folder')).toEqual({ fetchedAt: 1, advisories });
    });
  });

  describe(`${name} keeps the promises of the version`, () => {
    let other: Catalogue;

    beforeEach(async () => {
      await open();
      other = await store.again();
    });
    afterEach(async () => {
      await other.close();
      await store.remove();
    });

    const writes: readonly [string, (catalogue: Catalogue) => Promise<unknown>][] = [
      ['a publication', (writer) => writer.publish(samplePublication(1))],
      ['a decision', (writer) => writer.saveDecision({ ...DENIAL, subject: 'new' }, sampleEvent(1))],
      ['a dropped decision', (writer) => writer.dropDecision(DENIAL, sampleEvent(1))],
      ['a pin', (writer) => writer.savePin('default', PIN, sampleEvent(1))],
      ['a feed', (writer) => writer.saveFeed('folder', FEED)],
      ['an event', (writer) => writer.appendEvent(sampleEvent(1))],
      ['a blob', (writer) => writer.recordBlob({ id: sha256Of('a'), size: 1, digests: [] })],
    ];
    it.each(writes)(
      'is another one after %s of another opener, before anything is read',
      async (_, write) => {
        await save(DENIAL);
        const before = catalogue.version();
        await write(other);
        expect(catalogue.version()).not.toBe(before);
      },
    );

    it.each(writes)('stays after %s of its own, and after reading', async (_, write) => {
      await save(DENIAL);
      const before = catalogue.version();
      await write(catalogue);
      await catalogue.decisions();
      await other.decisions();
      expect(catalogue.version()).toBe(before);
    });

    it('stays while nothing is written, and never comes back to what it was', async () => {
      const seen = [catalogue.version()];
      for (let number = 1; number <= 20; number++) {
        // Own writes between the others' must not cancel them.
        if (number % 3 === 0) await catalogue.appendEvent(sampleEvent(number));
        await other.appendEvent(sampleEvent(number));
        seen.push(catalogue.version());
        expect(catalogue.version()).toBe(seen.at(-1));
      }
      expect(new Set(seen).size).toBe(21);
    });

    it('tells of no write that failed', async () => {
      const before = catalogue.version();
      const broken = { ...sampleEvent(1), at: 0.5 };
      await expect(other.saveDecision(DENIAL, broken)).rejects.toMatchObject({ code: 'internal' });
      expect(catalogue.version()).toBe(before);
    });
  });
}
