/** What a mirror of the fixture has kept of archives, and when. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { HASH_KINDS, type Sha256 } from '../../src/hashes.ts';
import { hexOf, type MirrorFixture } from './mirror-fixture.ts';

/** All blobs in the store but the index's own, and what lies beside them. */
export async function kept(fixture: MirrorFixture): Promise<readonly Sha256[]> {
  const { blobs, catalogue } = fixture.mirror;
  const found: Sha256[] = [];
  for await (const { id } of blobs.list()) found.push(id);
  const current = await catalogue.currentSnapshot('default');
  const pieces = await catalogue.pieces(current?.pieces ?? []);
  const own = new Set([...pieces.values()].map((piece) => piece.blob));
  expect(await readdir(join(fixture.folder, 'data', 'blobs', 'tmp'))).toEqual([]);
  return found.filter((id) => !own.has(id));
}

export async function expectNothingKept(fixture: MirrorFixture, body: Uint8Array): Promise<void> {
  expect(await kept(fixture)).toEqual([]);
  for (const kind of HASH_KINDS)
    expect(await fixture.mirror.catalogue.blobsWith({ kind, hex: hexOf(kind, body) })).toEqual([]);
}

/** From now on verified archives stay on their way to the disk, until the result is called. */
export function holdRecords({ mirror: { catalogue } }: MirrorFixture): () => void {
  const recordBlob = catalogue.recordBlob.bind(catalogue);
  const { promise: recorded, resolve } = Promise.withResolvers<void>();
  vi.spyOn(catalogue, 'recordBlob').mockImplementation(async (...values) => {
    await recorded;
    await recordBlob(...values);
  });
  return resolve;
}
