/** Every promise of src/store/blobs.ts, for whatever engine stands behind it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sha256 } from '../../src/hashes.ts';
import type { Blobs } from '../../src/store/blobs.ts';
import { testBlobsPut } from './blobs-conformance-put.ts';
import { type BlobsUnderTest, bytesOf, listOf, using } from './store-blobs-reading.ts';
import { checksumOf, SAMPLE_BYTES, SAMPLE_ID, sampleChunks } from './store-samples.ts';

export function testBlobs(name: string, make: () => Promise<BlobsUnderTest>): void {
  testBlobsPut(name, make);

  describe(`${name} keeps the promises of blobs`, () => {
    let store: BlobsUnderTest;
    let blobs: Blobs;

    beforeEach(async () => {
      store = await make();
      blobs = store.blobs;
    });
    afterEach(() => store.remove());

    describe('open', () => {
      it('finds nothing that was not put', async () => {
        expect(await blobs.open(SAMPLE_ID)).toBeUndefined();
        expect(await blobs.size(SAMPLE_ID)).toBeUndefined();
        expect(await blobs.digest(SAMPLE_ID, ['md5'])).toBeUndefined();
      });

      it('reads at any position, by many at once', async () => {
        await blobs.put(sampleChunks(), { maxBytes: 300_000 });
        await using(blobs, SAMPLE_ID, async (handle) => {
          const positions = [299_999, 0, 150_000, 65_536, 1];
          const parts = await Promise.all(
            positions.map(async (position) => {
              const buffer = new Uint8Array(70_000);
              return buffer.subarray(0, await handle.read(buffer, position));
            }),
          );
          expect(parts).toEqual(positions.map((at) => SAMPLE_BYTES.slice(at, at + 70_000)));
        });
      });

      it('reads 0 bytes at the end and behind it', async () => {
        const { id } = await blobs.put([Buffer.from('abc')], { maxBytes: 3 });
        await using(blobs, id, async (handle) => {
          expect(await handle.read(new Uint8Array(8), 2)).toBe(1);
          expect(await handle.read(new Uint8Array(8), 3)).toBe(0);
          expect(await handle.read(new Uint8Array(8), 400)).toBe(0);
          expect(await handle.read(new Uint8Array(0), 0)).toBe(0);
        });
      });

      it('ends reads in flight before it closes, and refuses those after', async () => {
        await blobs.put(sampleChunks(), { maxBytes: 300_000 });
        const handle = await blobs.open(SAMPLE_ID);
        const buffer = new Uint8Array(300_000);
        const reading = handle?.read(buffer, 0);
        await handle?.close();
        expect(await reading).toBe(300_000);
        expect(buffer).toEqual(SAMPLE_BYTES);
        await expect(handle?.read(buffer, 0)).rejects.toMatchObject({ code: 'internal' });
        await handle?.close();
      });

      it('stays readable when the blob is deleted', async () => {
        await blobs.put(sampleChunks(), { maxBytes: 300_000 });
        await using(blobs, SAMPLE_ID, async (handle) => {
          expect(await blobs.delete(SAMPLE_ID)).toBe(true);
          const buffer = new Uint8Array(300_000);
          expect(await handle.read(buffer, 0)).toBe(300_000);
          expect(buffer).toEqual(SAMPLE_BYTES);
        });
      });
    });

    describe('digest', () => {
      it('measures the whole blob in the kinds asked, in their order', async () => {
        await blobs.put(sampleChunks(), { maxBytes: 300_000 });
        expect(await blobs.digest(SAMPLE_ID, ['sha512', 'md5', 'sha256'])).toEqual([
          checksumOf('sha512', SAMPLE_BYTES),
          checksumOf('md5', SAMPLE_BYTES),
          checksumOf('sha256', SAMPLE_BYTES),
        ]);
      });

      it('shows a bit that flipped', async () => {
        await blobs.put(sampleChunks(), { maxBytes: 300_000 });
        const flipped = SAMPLE_BYTES.slice();
        flipped[299_999] = (flipped[299_999] ?? 0) ^ 1;
        await store.damage(SAMPLE_ID, flipped);
        expect(await blobs.digest(SAMPLE_ID, ['sha256'])).toEqual([checksumOf('sha256', flipped)]);
      });
    });

    describe('delete and quarantine', () => {
      it('delete says whether the blob was there, for every opener', async () => {
        const { id } = await blobs.put([Buffer.from('gone')], { maxBytes: 4 });
        expect(await blobs.delete(id)).toBe(true);
        expect(await blobs.delete(id)).toBe(false);
        expect(await (await store.again()).size(id)).toBeUndefined();
        expect(await listOf(blobs)).toEqual([]);
      });

      it('quarantine takes a blob out of service, and the right bytes can be put anew', async () => {
        await blobs.put(sampleChunks(), { maxBytes: 300_000 });
        for (let round = 0; round < 2; round++) {
          await store.damage(SAMPLE_ID, new Uint8Array(300_000));
          await blobs.quarantine(SAMPLE_ID);
          expect(await blobs.open(SAMPLE_ID)).toBeUndefined();
          expect(await blobs.size(SAMPLE_ID)).toBeUndefined();
          expect(await listOf(await store.again())).toEqual([]);
          await blobs.put(sampleChunks(), { maxBytes: 300_000 });
          expect(await bytesOf(blobs, SAMPLE_ID)).toEqual(SAMPLE_BYTES);
        }
      });

      it('quarantine of what is not there, as when two notice at once, does nothing', async () => {
        await blobs.quarantine(SAMPLE_ID);
        expect(await listOf(blobs)).toEqual([]);
      });
    });

    it('lists every blob once, with its size', async () => {
      const wanted = new Map<Sha256, number>();
      for (let number = 0; number < 50; number++) {
        const { id, size } = await blobs.put([Buffer.alloc(number)], { maxBytes: 50 });
        wanted.set(id, size);
      }
      const listed = await listOf(blobs);
      expect(listed.length).toBe(50);
      expect(new Map(listed)).toEqual(wanted);
    });
  });
}
