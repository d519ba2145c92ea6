import { chmod, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { StoredPieces } from '../../src/mirror/index/stored-pieces.ts';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import type { Blobs } from '../../src/store/blobs.ts';
import { manyPackages } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

/** The same blobs, which say how often each was looked at, and how often it was opened for its bytes. */
function counted(blobs: Blobs): { blobs: Blobs; looks: Map<string, number>; reads: Map<string, number> } {
  const looks = new Map<string, number>();
  const reads = new Map<string, number>();
  const count = (counts: Map<string, number>, id: string): unknown =>
    counts.set(id, (counts.get(id) ?? 0) + 1);
  const counting: Pick<Blobs, 'open' | 'digest'> = {
    open(id) {
      count(reads, id);
      return blobs.open(id);
    },
    digest(id, kinds) {
      count(looks, id);
      return blobs.digest(id, kinds);
    },
  };
  return {
    blobs: new Proxy(blobs, {
      get(target, name) {
        if (name === 'open' || name === 'digest') return counting[name];
        const found: unknown = Reflect.get(target, name, target);
        return typeof found === 'function' ? found.bind(target) : found;
      },
    }),
    looks,
    reads,
  };
}

test('a publication looks at each blob of pieces once and reads it once, however many of its steps need it', async () => {
  const upstream = await startUpstream();
  const files = manyPackages(40);
  upstream.serveIndex(files);
  const mirror = await TestMirror.open({ default: upstream.url });
  const { snapshot } = await mirror.publish();
  const [first] = (await mirror.mirror.catalogue.pieces(snapshot.pieces)).values();
  upstream.serveIndex({ ...files, 'packages/p7/p7.1/opam': `${files['packages/p7/p7.1/opam']}# changed\n` });
  const { blobs, looks, reads } = counted(mirror.mirror.blobs);
  const sync = new RepositorySync({ ...mirror.mirror, blobs, repository: 'default' });
  expect(await sync.run(() => undefined)).toMatchObject({ kind: 'published' });
  expect(looks.get(first?.blob ?? '')).toBe(1);
  expect(reads.get(first?.blob ?? '')).toBe(1);
  expect(Math.max(...looks.values(), ...reads.values())).toBe(1);
});

test('a sync that finds nothing new keeps no bytes', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(manyPackages(10));
  const mirror = await TestMirror.open({ default: upstream.url });
  await mirror.publish();
  const { blobs, reads } = counted(mirror.mirror.blobs);
  const sync = new RepositorySync({ ...mirror.mirror, blobs, repository: 'default' });
  expect(await sync.run(() => undefined)).toEqual({ kind: 'not-modified' });
  expect(reads.size).toBe(0);
});

test.each([
  ['is kept', undefined, true],
  ['is too much to keep', 1, false],
])('what damages a blob after it was read, which %s', async (_, keptBytes, isKept) => {
  const upstream = await startUpstream();
  upstream.serveIndex(manyPackages(10));
  const mirror = await TestMirror.open({ default: upstream.url });
  const { snapshot } = await mirror.publish();
  const stored = new StoredPieces(mirror.mirror, keptBytes);
  const found = await stored.find(snapshot.pieces);
  expect(found.size).toBe(new Set(snapshot.pieces).size);
  const blob = found.get(snapshot.pieces[0] ?? '')?.stored.blob;
  if (blob === undefined) throw new Error('nothing was published');
  const before = Buffer.from(await stored.whole(blob));
  for (const { path } of await mirror.blobs()) {
    await chmod(path, 0o644);
    await writeFile(path, 'x', { flag: 'a' });
  }
  const again = stored.whole(blob);
  if (isKept) expect(await again).toEqual(before);
  else await expect(again).rejects.toMatchObject({ code: 'store-corrupt' });
  await expect(new StoredPieces(mirror.mirror).whole(blob)).rejects.toMatchObject({ code: 'store-corrupt' });
});
