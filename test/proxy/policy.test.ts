/**
 * HOSTILE 6, 18 and 27: what is denied is denied for the index and for the archive, in memory or not, under every
 * spelling, from the next request on, and in every snapshot; and all of it can be undone.
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { HASH_KINDS, type HashKind } from '../../src/hashes.ts';
import { parsePackageId } from '../../src/opam/package-id.ts';
import { parsePackagePattern } from '../../src/verify/policy/package-pattern.ts';
import { heldBeforeLastByte } from '../support/archive-upstream.ts';
import {
  cachePath,
  hexOf,
  type MirrorFixture,
  mirrorOf,
  type OtherProcess,
  type RepositorySettings,
  sampleBytes,
} from '../support/mirror-fixture.ts';
import type { RawResponse } from '../support/raw-client.ts';
import { contents, read } from '../support/tar-reading.ts';

const SMALL = sampleBytes(30_000);
const LARGE = sampleBytes(1024 * 1024 + 300_000, 2);
const KINDS: readonly HashKind[] = HASH_KINDS;

/** What upstream removes goes at once. */
const FORGETFUL: Readonly<Record<string, RepositorySettings>> = { '*': { keep_removed: 0 } };

/** Versions in an index.tar.gz, in the order of the tar; the bytes have to be one gzip member. */
async function versionsIn({ status, body, headers }: RawResponse): Promise<string[]> {
  expect(status).toBe(200);
  expect(headers.etag).toBe(`"${createHash('sha256').update(body).digest('hex')}"`);
  const { bytesWritten } = gunzipSync(body, { info: true }) as unknown as {
    engine: { bytesWritten: number };
    bytesWritten?: number;
  } & Record<string, number>;
  expect(bytesWritten ?? body.length).toBe(body.length);
  return Object.keys(await contents(await read(body))).flatMap((path) => path.split('/')[2] ?? []);
}
