import { execFileSync } from 'node:child_process';
import { crc32, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  combineCrc32,
  type DeflatedPiece,
  Deflations,
  deflatePiece,
  GZIP_HEADER,
  gzipTrailer,
} from '../../src/mirror/index/gzip.ts';
import { sampleBytes } from '../support/mirror-fixture.ts';

async function gzipOf(raws: readonly Uint8Array[], tail: Uint8Array): Promise<Buffer> {
  const pieces = await Promise.all(raws.map((raw) => deflatePiece(Buffer.from(raw))));
  const deflated = pieces.map((piece) => piece.deflated);
  return Buffer.concat([GZIP_HEADER, ...deflated, gzipTrailer(pieces, Buffer.from(tail))]);
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 0, max: 70_000 }).map((length) => Buffer.alloc(length, 'opam-version: "2.0"\n')),
  fc.integer({ min: 0, max: 70_000 }).map((length) => sampleBytes(length)),
);

test('property: the CRC of two parts combined is the CRC of the whole', () => {
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      const whole = crc32(Buffer.concat([first, second]));
      expect(combineCrc32(crc32(first), crc32(second), second.length)).toBe(whole);
    }),
  );
});

test('CRCs combine over lengths that no memory holds', () => {
  // Of 2^power zero bytes.
  const zeros = [crc32(Buffer.alloc(1))];
  for (let power = 1; power <= 34; power++) {
    const half = zeros[power - 1] ?? 0;
    zeros.push(combineCrc32(half, half, 2 ** (power - 1)));
  }
  expect(zeros[20]).toBe(crc32(Buffer.alloc(2 ** 20)));
  const whole = combineCrc32(crc32('first'), zeros[34] ?? 0, 2 ** 34);
  const half = combineCrc32(crc32('first'), zeros[33] ?? 0, 2 ** 33);
  expect(combineCrc32(half, zeros[33] ?? 0, 2 ** 33)).toBe(whole);
});

test('property: pieces put together are the gzip of the whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 6 }), bytes, async (raws, tail) => {
      expect(gunzipSync(await gzipOf(raws, tail))).toEqual(Buffer.concat([...raws, tail]));
    }),
    { numRuns: 50 },
  );
});

test('the length counts modulo 2^32, as RFC 1952 wants it', () => {
  const trailer = gzipTrailer([{ rawLength: 2 ** 32 + 5, crc32: 1 }], Buffer.alloc(2));
  expect(trailer.readUInt32LE(trailer.length - 4)).toBe(7);
});

test('it is one plain member, without a name, a time or anything of the machine', async () => {
  const gzip = await gzipOf(
    [Buffer.from('one'), Buffer.from('two'), sampleBytes(50_000)],
    Buffer.alloc(1024),
  );
  expect([...gzip.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  const script = [
    'import sys, zlib',
    'data = sys.stdin.buffer.read()',
    'member = zlib.decompressobj(wbits=31)',
    'raw = member.decompress(data) + member.flush()',
    'assert member.eof and member.unused_data == b"", "there is more than one member"',
    'sys.stdout.write(str(len(raw)))',
  ].join('\n');
  expect(execFileSync('python3', ['-c', script], { input: gzip, encoding: 'utf8' })).toBe('51030');
});

test('gzip itself finds nothing wrong with it', async () => {
  const raws = Array.from({ length: 20 }, (_, index) => sampleBytes(index * 997, index + 1));
  const gzip = await gzipOf(raws, Buffer.alloc(1024));
  execFileSync('gzip', ['-t'], { input: gzip });
  expect(execFileSync('gzip', ['-dc'], { input: gzip })).toEqual(
    Buffer.concat([...raws, Buffer.alloc(1024)]),
  );
});

test('deflations run beside one another, end together, and tell of a failure', async () => {
  const deflations = new Deflations();
  const done = new Map<number, DeflatedPiece>();
  for (let index = 0; index < 40; index++)
    await deflations.add(sampleBytes(5000, index + 1), (piece) => done.set(index, piece));
  await deflations.end();
  expect([...done.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index));

  const failing = new Deflations();
  // What no Buffer is makes zlib itself throw.
  const nothing = null as unknown as Buffer;
  await expect(failing.add(nothing, () => undefined).then(() => failing.end())).rejects.toThrow();
});
