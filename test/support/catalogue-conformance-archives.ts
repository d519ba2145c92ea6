/** The promises of src/store/catalogue.ts about archives and blobs; catalogue-conformance.ts runs them. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Checksum } from '../../src/hashes.ts';
import type { ArchiveDeclaration, Catalogue } from '../../src/store/catalogue.ts';
import type { CatalogueUnderTest } from './catalogue-conformance.ts';
import { checksumOf, sampleArchive, samplePublication, sha256Of } from './store-samples.ts';

const MD5 = checksumOf('md5', 'a');
const SHA256 = checksumOf('sha256', 'a');
const SHA512 = checksumOf('sha512', 'a');
const BLOB = { id: sha256Of('a'), size: 1, digests: [MD5, SHA256, SHA512] };

export function testCatalogueArchives(name: string, make: () => Promise<CatalogueUnderTest>): void {
  describe(`${name} keeps the promises of archives`, () => {
    let store: CatalogueUnderTest;
    let catalogue: Catalogue;

    beforeEach(async () => {
      store = await make();
      catalogue = store.catalogue;
    });
    afterEach(() => store.remove());

    let published = 0;
    async function list(archives: readonly ArchiveDeclaration[], repository = 'default'): Promise<void> {
      published += 1;
      await catalogue.publish(samplePublication(published, { repository, archives }));
    }

    async function onlyListed(checksum: Checksum) {
      const [archive, ...others] = await catalogue.listed('default', checksum);
      expect(others).toEqual([]);
      if (archive === undefined) throw new Error('no archive is listed');
      return archive;
    }

    it('lists an archive under each of its checksums and no other', async () => {
      await list([{ checksums: [SHA512, MD5], size: 7, sources: ['https://a.example/1'] }]);
      for (const checksum of [MD5, SHA512]) {
        const archive = await onlyListed(checksum);
        expect(archive).toEqual({
          id: archive.id,
          checksums: [MD5, SHA512],
          size: 7,
          sources: ['https://a.example/1'],
        });
      }
      expect(await catalogue.listed('default', SHA256)).toEqual([]);
      expect(await catalogue.listed('default', { kind: 'sha256', hex: MD5.hex })).toEqual([]);
      expect(await catalogue.listed('overlay', MD5)).toEqual([]);
    });

    it('answers no more for an archive that is withdrawn, until it is declared again', async () => {
      const archive = { checksums: [SHA256, MD5], sources: ['https://a.example/1'] };
      await list([archive]);
      await list([archive], 'overlay');
      const withdrawn = [{ checksums: [MD5, SHA256], sources: [] }];
      await catalogue.publish(samplePublication(50, { archives: [], withdrawn }));
      expect(await catalogue.listed('default', SHA256)).toEqual([]);
      expect(await catalogue.listed('overlay', SHA256)).toHaveLength(1);
      await list([archive]);
      expect(await catalogue.listed('default', SHA256)).toHaveLength(1);
    });

    it('keeps an archive that one publication both withdraws and declares', async () => {
      const archive = { checksums: [SHA256], sources: ['https://a.example/1'] };
      await list([archive]);
      await catalogue.publish(samplePublication(51, { archives: [archive], withdrawn: [archive] }));
      expect(await catalogue.listed('default', SHA256)).toHaveLength(1);
    });

    it('takes the same set for one archive, in any order and with repetitions', async () => {
      await list([
        { checksums: [MD5, SHA256], sources: ['first', 'second'] },
        { checksums: [SHA256, MD5, SHA256], sources: ['third', 'first'] },
      ]);
      expect(await onlyListed(MD5)).toMatchObject({ sources: ['first', 'second', 'third'] });
    });

    it('never merges sets that share a checksum, nor sets of other sizes', async () => {
      await list([
        { checksums: [MD5], sources: ['1'] },
        { checksums: [MD5, SHA256], sources: ['2'] },
        { checksums: [MD5], size: 5, sources: ['3'] },
        { checksums: [MD5], size: 6, sources: ['4'] },
        { checksums: [MD5, checksumOf('sha256', 'other')], sources: ['5'] },
      ]);
      const archives = await catalogue.listed('default', MD5);
      expect(archives.map((archive) => archive.sources)).toEqual([['1'], ['2'], ['3'], ['4'], ['5']]);
      expect(archives.map((archive) => archive.id)).toEqual(
        archives.map((archive) => archive.id).toSorted((a, b) => a - b),
      );
    });

    it('replaces the sources when an archive is listed again, in that repository only', async () => {
      await list([{ checksums: [MD5], sources: ['old', 'older'] }]);
      await list([{ checksums: [MD5], sources: ['overlaid'] }], 'overlay');
      await list([{ checksums: [MD5], sources: ['new', 'old'] }]);
      const archive = await onlyListed(MD5);
      expect(archive.sources).toEqual(['new', 'old']);
      expect(await catalogue.listed('overlay', MD5)).toEqual([{ ...archive, sources: ['overlaid'] }]);
    });

    it('lists all of a repository that is not withdrawn, with its sources and blobs', async () => {
      const archives = ['a', 'b', 'c'].map((text) => ({
        checksums: [checksumOf('md5', text)],
        sources: [text],
      }));
      expect(await catalogue.listing('default')).toEqual([]);
      await list(archives);
      await list([{ checksums: [SHA512], sources: [] }], 'overlay');
      await catalogue.publish(
        samplePublication(52, {
          archives: [],
          withdrawn: [{ checksums: [checksumOf('md5', 'b')], sources: [] }],
        }),
      );
      const { id } = await onlyListed(MD5);
      await catalogue.recordBlob(BLOB, [id]);
      const listing = await catalogue.listing('default');
      expect(listing.map(({ sources }) => sources)).toEqual([['a'], ['c']]);
      for (const archive of listing) {
        const [checksum] = archive.checksums;
        expect(checksum && (await catalogue.listed('default', checksum))).toEqual([archive]);
      }
      expect(listing.map(({ blob }) => blob)).toEqual([BLOB.id, undefined]);
      expect(await catalogue.listing('unknown')).toEqual([]);
    });

    it('keeps what was listed before', async () => {
      await list([sampleArchive('before')]);
      await list([sampleArchive('after')]);
      for (const text of ['before', 'after']) {
        expect(await onlyListed(checksumOf('md5', text))).toMatchObject(sampleSources(text));
      }
    });

    it('relates archives of all repositories by any checksum, each once', async () => {
      await list([{ checksums: [MD5, SHA256], sources: [] }]);
      await list(
        [
          { checksums: [SHA256, SHA512], sources: [] },
          { checksums: [checksumOf('md5', 'b')], sources: [] },
        ],
        'overlay',
      );
      const related = await catalogue.related([SHA512, SHA256, MD5]);
      expect(related.map((archive) => archive.checksums)).toEqual([
        [MD5, SHA256],
        [SHA256, SHA512],
      ]);
      expect(await catalogue.related([SHA512])).toEqual(related.slice(1));
      expect(await catalogue.related([])).toEqual([]);
      expect(await catalogue.related([checksumOf('md5', 'nobody')])).toEqual([]);
    });

    it('lists exactly what was declared, whatever was declared', async () => {
      const checksum = fc.constantFrom(
        ...['a', 'b', 'c'].flatMap((text) => [checksumOf('md5', text), checksumOf('sha256', text)]),
      );
      const declaration = fc.record({
        checksums: fc.uniqueArray(checksum, { minLength: 1, maxLength: 4 }),
        sources: fc.array(fc.webUrl(), { maxLength: 3 }),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(declaration, { maxLength: 6 }), checksum, async (declarations, wanted) => {
          round += 1;
          const repository = `round-${round}`;
          await list(declarations, repository);
          const expected = new Map<string, Set<string>>();
          for (const { checksums, sources } of declarations) {
            if (!checksums.includes(wanted)) continue;
            const key = identity(checksums);
            expected.set(key, new Set([...(expected.get(key) ?? []), ...sources]));
          }
          const listed = await catalogue.listed(repository, wanted);
          expect(
            new Map(listed.map(({ checksums, sources }) => [identity(checksums), new Set(sources)])),
          ).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    });

    describe('blobs', () => {
      it('are known by each digest that was measured', async () => {
        await catalogue.recordBlob({ ...BLOB, digests: [MD5] });
        expect(await catalogue.blob(BLOB.id)).toEqual({ ...BLOB, digests: [MD5, SHA256] });
        expect(await catalogue.blobsWith(MD5)).toEqual([{ ...BLOB, digests: [MD5, SHA256] }]);
        expect(await catalogue.blobsWith(SHA512)).toEqual([]);
        await catalogue.recordBlob({ ...BLOB, digests: [SHA512] });
        for (const checksum of BLOB.digests) expect(await catalogue.blobsWith(checksum)).toEqual([BLOB]);
        expect(await catalogue.blob(sha256Of('unknown'))).toBeUndefined();
      });

      it('may share a weak digest', async () => {
        const other = { id: sha256Of('b'), size: 1, digests: [MD5, checksumOf('sha256', 'b')] };
        await catalogue.recordBlob({ ...BLOB, digests: [MD5, SHA256] });
        await catalogue.recordBlob(other);
        expect(await catalogue.blobsWith(MD5)).toEqual([{ ...BLOB, digests: [MD5, SHA256] }, other]);
      });

      it.each([
        ['size', { ...BLOB, size: 2 }],
        ['digest', { ...BLOB, digests: [checksumOf('md5', 'b')] }],
        ['SHA-256', { ...BLOB, digests: [checksumOf('sha256', 'b')] }],
      ])('never measure another %s', async (_, contradiction) => {
        await catalogue.recordBlob(BLOB);
        await expect(catalogue.recordBlob(contradiction)).rejects.toMatchObject({ code: 'internal' });
        expect(await catalogue.blob(BLOB.id)).toEqual(BLOB);
      });

      it('answer an archive from the link on, in every repository and when it is listed again', async () => {
        const archive = { checksums: [MD5, SHA512], size: 1, sources: ['here'] };
        await list([archive]);
        await list([archive], 'overlay');
        const { id } = await onlyListed(MD5);
        await catalogue.recordBlob(BLOB, [id]);
        await list([archive]);
        for (const repository of ['default', 'overlay']) {
          expect(await catalogue.listed(repository, SHA512)).toMatchObject([{ id, blob: BLOB.id }]);
        }
        expect(await catalogue.related([MD5])).toMatchObject([{ id, blob: BLOB.id }]);
      });

      it('answer an archive by digests that were recorded at another time, too', async () => {
        await list([{ checksums: [MD5, SHA512], sources: [] }]);
        const { id } = await onlyListed(MD5);
        await catalogue.recordBlob({ ...BLOB, digests: [MD5] });
        await catalogue.recordBlob({ ...BLOB, digests: [SHA512] }, [id]);
        expect(await catalogue.related([MD5])).toMatchObject([{ id, blob: BLOB.id }]);
      });

      it('that are recorded at the same time are each refused or taken by themselves', async () => {
        const texts = ['a', 'b', 'c', 'd', 'e'];
        await list(texts.map((text) => ({ checksums: [checksumOf('md5', text)], sources: [] })));
        const outcomes = await Promise.allSettled(
          texts.map(async (text) => {
            const [archive] = await catalogue.related([checksumOf('md5', text)]);
            // The third was measured to be another's bytes, the fourth contradicts itself.
            const digests = [checksumOf('md5', text === 'c' ? 'x' : text)];
            if (text === 'd') digests.push(checksumOf('sha256', 'x'));
            const blob = { id: sha256Of(text), size: 1, digests };
            await catalogue.recordBlob(blob, archive === undefined ? [] : [archive.id]);
          }),
        );
        expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([
          true,
          true,
          false,
          false,
          true,
        ]);
        for (const [index, text] of texts.entries()) {
          const taken = outcomes[index]?.status === 'fulfilled';
          expect(await catalogue.blob(sha256Of(text))).toEqual(
            taken
              ? {
                  id: sha256Of(text),
                  size: 1,
                  digests: [checksumOf('md5', text), checksumOf('sha256', text)],
                }
              : undefined,
          );
          const [archive] = await catalogue.related([checksumOf('md5', text)]);
          expect(archive?.blob).toBe(taken ? sha256Of(text) : undefined);
        }
      });

      it('are linked only to an archive that they were measured to match wholly', async () => {
        await list([
          { checksums: [MD5, SHA512], sources: [] },
          { checksums: [SHA256], size: 2, sources: [] },
          { checksums: [checksumOf('md5', 'b')], sources: [] },
        ]);
        const measured = { ...BLOB, digests: [MD5, SHA256] };
        const archives = await catalogue.related([MD5, SHA256, checksumOf('md5', 'b')]);
        expect(archives.length).toBe(3);
        for (const { id } of archives) {
          await expect(catalogue.recordBlob(measured, [id])).rejects.toMatchObject({
            code: 'checksum-mismatch',
          });
        }
        await expect(catalogue.recordBlob(measured, [4711])).rejects.toMatchObject({ code: 'not-found' });
        // What is refused of one act is refused whole.
        expect(await catalogue.blob(BLOB.id)).toBeUndefined();
        expect((await catalogue.related([MD5, SHA256])).every(({ blob }) => blob === undefined)).toBe(true);
      });

      it('are forgotten with their digests and every link', async () => {
        await list([
          { checksums: [MD5], sources: [] },
          { checksums: [SHA512], sources: [] },
        ]);
        const all = (await catalogue.related([MD5, SHA512])).map(({ id }) => id);
        await catalogue.recordBlob(BLOB, all);
        await catalogue.forgetBlob(BLOB.id);
        expect(await catalogue.blob(BLOB.id)).toBeUndefined();
        for (const checksum of BLOB.digests) expect(await catalogue.blobsWith(checksum)).toEqual([]);
        const archives = await catalogue.related([MD5, SHA512]);
        expect(archives.map((archive) => archive.blob)).toEqual([undefined, undefined]);
        await catalogue.forgetBlob(BLOB.id);
        const other = { id: sha256Of('b'), size: 1, digests: [checksumOf('sha256', 'b')] };
        await catalogue.recordBlob(other);
        expect(await catalogue.blob(other.id)).toEqual(other);
        expect(await catalogue.related([MD5, SHA512])).toEqual(archives);
        await catalogue.recordBlob(BLOB);
        expect(await catalogue.blob(BLOB.id)).toEqual(BLOB);
      });
    });
  });
}

function sampleSources(text: string): { sources: readonly string[] } {
  return { sources: sampleArchive(text).sources };
}

function identity(checksums: readonly Checksum[]): string {
  return checksums
    .map(({ kind, hex }) => `${kind} ${hex}`)
    .sort()
    .join();
}
