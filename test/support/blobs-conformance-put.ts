/** The promises of src/store/blobs.ts about putting; blobs-conformance.ts runs them. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import type { Blobs, PutOptions } from '../../src/store/blobs.ts';
import { type BlobsUnderTest, bytesOf, listOf, using } from './store-blobs-reading.ts';
import { checksumOf, SAMPLE_BYTES, SAMPLE_ID, sampleChunks, sha256Of } from './store-samples.ts';

export function testBlobsPut(name: string, make: () => Promise<BlobsUnderTest>): void {
  describe(`${name} keeps the promises of put`, () => {
    let store: BlobsUnderTest;
    let blobs: Blobs;

    beforeEach(async () => {
      store = await make();
      blobs = store.blobs;
    });
    afterEach(() => store.remove());

    async function expectNothingKept(): Promise<void> {
      expect(await listOf(blobs)).toEqual([]);
      expect(await store.leftovers()).toEqual([]);
    }

    it('keeps the bytes under their SHA-256 for every opener', async () => {
      const stored = await blobs.put(sampleChunks(), { maxBytes: 300_000 });
      expect(stored).toEqual({
        id: SAMPLE_ID,
        size: 300_000,
        digests: [checksumOf('sha256', SAMPLE_BYTES)],
      });
      expect(await bytesOf(await store.again(), SAMPLE_ID)).toEqual(SAMPLE_BYTES);
      expect(await store.leftovers()).toEqual([]);
    });

    it('measures the expected and the asked-for kinds beside SHA-256', async () => {
      const expected = [checksumOf('md5', 'text')];
      const stored = await blobs.put([Buffer.from('text')], { maxBytes: 4, expected, kinds: ['sha512'] });
      expect(new Set(stored.digests)).toEqual(
        new Set([checksumOf('sha256', 'text'), checksumOf('sha512', 'text'), ...expected]),
      );
    });

    it('keeps an empty blob', async () => {
      const stored = await blobs.put([], { maxBytes: 1, exactBytes: 0 });
      expect(stored.id).toBe(sha256Of(''));
      expect(await bytesOf(blobs, stored.id)).toEqual(new Uint8Array());
    });

    it('does not need the chunks to stay as they were', async () => {
      const reused = Buffer.alloc(4);
      async function* source(): AsyncGenerator<Uint8Array> {
        for (const text of ['abcd', 'efgh', 'ijkl']) {
          reused.write(text);
          yield reused;
        }
      }
      const { id } = await blobs.put(source(), { maxBytes: 12 });
      expect(id).toBe(sha256Of('abcdefghijkl'));
      expect(Buffer.from(await bytesOf(blobs, id)).toString()).toBe('abcdefghijkl');
    });

    it('gives back the same bytes for any chunks and any reads', async () => {
      const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
      const reads = fc.array(fc.tuple(fc.nat(4000), fc.nat(400)), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(chunks, reads, async (parts, ranges) => {
          const bytes = Buffer.concat(parts);
          const { id } = await blobs.put(parts, { maxBytes: 4000, expected: [checksumOf('md5', bytes)] });
          await using(blobs, id, async (handle) => {
            expect(handle.size).toBe(bytes.length);
            await Promise.all(
              ranges.map(async ([position, length]) => {
                const buffer = new Uint8Array(length);
                const count = await handle.read(buffer, position);
                const part = bytes.subarray(position, position + length);
                expect(Buffer.from(buffer.subarray(0, count))).toEqual(Buffer.from(part));
              }),
            );
          });
        }),
        { numRuns: 40 },
      );
    });

    const text = Buffer.from('some text');
    const refusals: readonly [string, PutOptions, string][] = [
      ['one byte more than the limit', { maxBytes: 8 }, 'limit-exceeded'],
      ['one byte more than declared', { maxBytes: 100, exactBytes: 8 }, 'checksum-mismatch'],
      ['one byte less than declared', { maxBytes: 100, exactBytes: 10 }, 'checksum-mismatch'],
      ['a wrong md5', { maxBytes: 100, expected: [checksumOf('md5', 'x')] }, 'checksum-mismatch'],
      ['a wrong SHA-256', { maxBytes: 100, expected: [checksumOf('sha256', 'x')] }, 'checksum-mismatch'],
      [
        'a wrong digest beside right ones',
        {
          maxBytes: 100,
          expected: [checksumOf('md5', text), checksumOf('sha512', 'x'), checksumOf('sha256', text)],
        },
        'checksum-mismatch',
      ],
      [
        'two different digests of one kind',
        { maxBytes: 100, expected: [checksumOf('md5', text), checksumOf('md5', 'x')] },
        'checksum-mismatch',
      ],
    ];
    it.each(refusals)('refuses %s and keeps nothing', async (_, options, code) => {
      await expect(blobs.put([text], options)).rejects.toMatchObject({ code });
      await expectNothingKept();
    });

    it('takes exactly the limit and exactly the declared size', async () => {
      const { size } = await blobs.put([text], { maxBytes: 9, exactBytes: 9 });
      expect(size).toBe(9);
    });

    it('ends the reading at the first byte too many', async () => {
      const source = new WatchedSource([Buffer.alloc(5), Buffer.alloc(5), Buffer.alloc(5)]);
      await expect(blobs.put(source, { maxBytes: 9 })).rejects.toMatchObject({ code: 'limit-exceeded' });
      expect(source.given).toBe(2);
      expect(source.ended).toBe(true);
    });

    it('rethrows what the source throws and keeps nothing', async () => {
      for (const failure of [new Error('broken'), new SeraiError('upstream-truncated', 'cut')]) {
        async function* source(): AsyncGenerator<Uint8Array> {
          yield text;
          throw failure;
        }
        await expect(blobs.put(source(), { maxBytes: 100 })).rejects.toBe(failure);
        await expectNothingKept();
      }
    });

    it('shows nothing before it is done', async () => {
      const gate = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      async function* source(): AsyncGenerator<Uint8Array> {
        yield text;
        reached.resolve();
        await gate.promise;
      }
      const put = blobs.put(source(), { maxBytes: 100 });
      await reached.promise;
      const other = await store.again();
      expect(await listOf(other)).toEqual([]);
      expect(await other.size(sha256Of(text))).toBeUndefined();
      expect(await other.open(sha256Of(text))).toBeUndefined();
      gate.resolve();
      await put;
      expect(await listOf(other)).toEqual([[sha256Of(text), 9]]);
    });

    it('keeps the same bytes once, one put after the other', async () => {
      const first = await blobs.put([text], { maxBytes: 100 });
      expect(await blobs.put([text], { maxBytes: 100 })).toEqual(first);
      expect(await listOf(blobs)).toEqual([[first.id, 9]]);
      expect(await store.leftovers()).toEqual([]);
    });

    it('keeps the same bytes once, put at the same time', async () => {
      const other = await store.again();
      const gate = Promise.withResolvers<void>();
      let waiting = 0;
      async function* source(): AsyncGenerator<Uint8Array> {
        yield text;
        waiting += 1;
        if (waiting === 8) gate.resolve();
        await gate.promise;
      }
      const puts = Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? blobs : other).put(source(), { maxBytes: 100 }),
      );
      const ids = (await Promise.all(puts)).map((stored) => stored.id);
      expect(new Set(ids)).toEqual(new Set([sha256Of(text)]));
      expect(await listOf(blobs)).toEqual([[sha256Of(text), 9]]);
      expect(await bytesOf(blobs, sha256Of(text))).toEqual(new Uint8Array(text));
      expect(await store.leftovers()).toEqual([]);
    });

    it('leaves a blob as it was when the same bytes are refused later', async () => {
      const { id } = await blobs.put([text], { maxBytes: 100 });
      const options = { maxBytes: 100, expected: [checksumOf('md5', 'x')] };
      await expect(blobs.put([text], options)).rejects.toMatchObject({ code: 'checksum-mismatch' });
      expect(await bytesOf(blobs, id)).toEqual(new Uint8Array(text));
    });
  });
}

/** Counts what is taken from it and notices when it is ended early. */
class WatchedSource implements AsyncIterable<Uint8Array> {
  given = 0;
  ended = false;
  readonly #chunks: readonly Uint8Array[];

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = chunks;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (const chunk of this.#chunks) {
        this.given += 1;
        yield chunk;
      }
    } finally {
      this.ended = true;
    }
  }
}
