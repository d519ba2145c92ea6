import { chmod, rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readPieces, wholeBlobs } from '../../src/mirror/index/piece-bytes.ts';
import type { Piece } from '../../src/store/catalogue.ts';
import { manyPackages } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

async function published(): Promise<{ mirror: TestMirror; pieces: Piece[] }> {
  const upstream = await startUpstream();
  upstream.serveIndex(manyPackages(10));
  const mirror = await TestMirror.open({ default: upstream.url });
  const { snapshot } = await mirror.publish();
  return { mirror, pieces: [...(await mirror.mirror.catalogue.pieces(snapshot.pieces)).values()] };
}

test('pieces come back in the order asked, each with its own bytes', async () => {
  const { mirror, pieces } = await published();
  const bytes = await readPieces(wholeBlobs(mirror.mirror.blobs), pieces);
  expect(bytes.map(({ length }) => length)).toEqual(pieces.map(({ length }) => length));
  expect(await readPieces(wholeBlobs(mirror.mirror.blobs), pieces.toReversed())).toEqual(bytes.toReversed());
});

test('a small part of a blob does not keep the whole of it in memory, and most of it is not copied', async () => {
  const { mirror, pieces } = await published();
  const [first] = pieces;
  if (first === undefined) throw new Error('nothing was published');
  const whole = (await mirror.mirror.blobs.size(first.blob)) ?? 0;
  const ofOne = pieces.filter(({ blob }) => blob === first.blob);
  const [small] = await readPieces(wholeBlobs(mirror.mirror.blobs), [first]);
  expect(2 * first.length).toBeLessThan(whole);
  expect(small?.buffer.byteLength).not.toBe(whole);
  const all = await readPieces(wholeBlobs(mirror.mirror.blobs), ofOne);
  expect(new Set(all.map(({ buffer }) => buffer)).size).toBe(1);
  expect(all[0]?.buffer.byteLength).toBe(whole);
});

test('a blob is looked at whole: damage anywhere in it is told before a piece of it is used', async () => {
  const { mirror, pieces } = await published();
  const [first] = pieces;
  if (first === undefined) throw new Error('nothing was published');
  for (const { path } of await mirror.blobs()) {
    await chmod(path, 0o644);
    await writeFile(path, 'x', { flag: 'a' });
  }
  await expect(readPieces(wholeBlobs(mirror.mirror.blobs), [first])).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining(`blob ${first.blob} is damaged`),
  });
  for (const { path } of await mirror.blobs()) await rm(path);
  await expect(readPieces(wholeBlobs(mirror.mirror.blobs), [first])).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining(`blob ${first.blob} is gone`),
  });
});
