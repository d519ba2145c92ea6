/** What a served index names. */
import { createHash } from 'node:crypto';
import { crc32, inflateRawSync } from 'node:zlib';
import { expect } from 'vitest';
import type { MirrorFixture } from './mirror-fixture.ts';
import type { RawResponse } from './raw-client.ts';
import { contents, read } from './tar-reading.ts';

/** The index's versions in the order of the tar. The body has to be one gzip member with an ETag of its own bytes. */
export async function versionsIn({ status, body, headers }: RawResponse): Promise<string[]> {
  expect(status).toBe(200);
  expect(headers.etag).toBe(`"${createHash('sha256').update(body).digest('hex')}"`);
  const raw = inflateRawSync(body.subarray(10));
  expect([body.readUInt32LE(body.length - 8), body.readUInt32LE(body.length - 4)]).toEqual([
    crc32(raw),
    raw.length,
  ]);
  return Object.keys(await contents(await read(body))).flatMap((path) => path.split('/')[2] ?? []);
}

/** Of the present snapshot of `default`. */
export function presentId(fixture: MirrorFixture): string {
  return fixture.mirror.served.current('default')?.snapshot.id ?? '';
}
