/** Versions left out of an index that was published: what has none of them stays byte for byte. */
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readListing } from '../../src/mirror/index/file-facts.ts';
import { readIndex } from '../../src/mirror/index/index-file.ts';
import { withoutVersions } from '../../src/mirror/index/reduced-index.ts';
import { packageIdOfPath, showPackageId } from '../../src/opam/package-id.ts';
import { contents, read } from '../support/tar-reading.ts';
import { manyPackages } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

async function published(count: number) {
  const upstream = await startUpstream();
  upstream.serveIndex(manyPackages(count));
  const opened = await TestMirror.open({ default: upstream.url });
  const { snapshot } = await opened.publish();
  const { mirror } = opened;
  const byKey = await mirror.catalogue.pieces(snapshot.pieces);
  const pieces = snapshot.pieces.flatMap((key) => byKey.get(key) ?? []);
  const parts = await readIndex(pieces, mirror.blobs);
  const files = await contents(await read(Buffer.concat(parts)));
  const versions = Object.keys(files).flatMap((path) => {
    const place = packageIdOfPath(path);
    return place?.file === 'opam' ? [showPackageId(place.id)] : [];
  });
  return { mirror, pieces, parts, files, versions };
}

test('of an index that has none of them nothing is made anew', async () => {
  const { mirror, pieces, parts } = await published(10);
  expect(await withoutVersions(pieces, parts, () => false, mirror)).toBe(parts);
});

test('the other files stay as they were, in their order, and only pieces that had one are made anew', async () => {
  const { mirror, pieces, parts, files, versions } = await published(40);
  expect(pieces.length).toBeGreaterThan(5);
  await fc.assert(
    fc.asyncProperty(fc.subarray(versions), async (chosen) => {
      const left = new Set(chosen);
      const isLeft = (path: string): boolean => {
        const place = packageIdOfPath(path);
        return place !== undefined && left.has(showPackageId(place.id));
      };
      const reduced = await withoutVersions(pieces, parts, (id) => left.has(showPackageId(id)), mirror);
      const bytes = Buffer.concat(reduced);
      expect(Object.entries(await contents(await read(bytes)))).toEqual(
        Object.entries(files).filter(([path]) => !isLeft(path)),
      );
      const listings = await mirror.catalogue.listings(pieces.map(({ key }) => key));
      const untouched = pieces.flatMap(({ key }, index) =>
        readListing(listings.get(key) ?? '').some(({ path }) => isLeft(path)) ? [] : [index],
      );
      const kept = new Set(reduced);
      for (const index of untouched) expect(kept.has(parts[index + 1] ?? Buffer.alloc(0))).toBe(true);
      const again = await withoutVersions(pieces, parts, (id) => left.has(showPackageId(id)), mirror);
      expect(Buffer.concat(again).equals(bytes)).toBe(true);
      expect(gunzipSync(bytes).length % 512).toBe(0);
    }),
    { numRuns: 15 },
  );
});
