/** A store of blobs as the conformance suite gets it, and ways to look into one. */
import { expect } from 'vitest';
import type { Sha256 } from '../../src/hashes.ts';
import type { BlobHandle, Blobs } from '../../src/store/blobs.ts';

/** An empty store, made anew for each test. */
export interface BlobsUnderTest {
  readonly blobs: Blobs;
  /** The same store once more, as another process opens it. */
  again(): Promise<Blobs>;
  /** What the store keeps of puts that are not done, by any name. */
  leftovers(): Promise<readonly string[]>;
  /** Puts other bytes of the same length in a blob's place, as a failing disk does. */
  damage(id: Sha256, bytes: Uint8Array): Promise<void>;
  remove(): Promise<void>;
}

/** Opens a blob that must be there, and closes it after. */
export async function using(
  blobs: Blobs,
  id: Sha256,
  action: (handle: BlobHandle) => Promise<void>,
): Promise<void> {
  const handle = await blobs.open(id);
  if (handle === undefined) throw new Error(`no blob ${id}`);
  expect(handle.id).toBe(id);
  try {
    await action(handle);
  } finally {
    await handle.close();
  }
}

export async function bytesOf(blobs: Blobs, id: Sha256): Promise<Uint8Array> {
  let bytes = new Uint8Array();
  await using(blobs, id, async (handle) => {
    bytes = new Uint8Array(handle.size);
    expect(await handle.read(bytes, 0)).toBe(handle.size);
  });
  return bytes;
}

export async function listOf(blobs: Blobs): Promise<[Sha256, number][]> {
  const listed: [Sha256, number][] = [];
  for await (const { id, size } of blobs.list()) listed.push([id, size]);
  return listed;
}
