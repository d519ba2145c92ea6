import { chmod, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { StoredPieces } from '../../src/mirror/index/stored-pieces.ts';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import type { Blobs } from '../../src/store/blobs.ts';
import { manyPackages } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

/** The same blobs, which say how often each was read. */
function counted(blobs: Blobs): { blobs: Blobs; reads: Map<string, number> } {
  const reads = new Map<string, number>();
  const count = (id: string): unknown => reads.set(id, (reads.get(id) ?? 0) + 1);
  const counting: Pick<Blobs, 'open' | 'digest'> = {
    open(id) {
      count(id);
      return blobs.open(id);
    },
    digest(id, kinds) {
      count(id);
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
    reads,
  };
}

test('a publication reads each blob of pieces once, however many of its steps need bytes of it', async () => {
  const upstream = await startUpstream();
  const files = manyPackages(40);
  upstream.serveIndex(files);
  const mirror = await TestMirror.open({ default: upstream.url });
  const { snapshot } = await mirror.publish();
  const before = [...(await mirror.mirror.catalogue.pieces(snapshot.pieces)).values()];
  upstream.serveIndex({ ...files, 'packages/p7/p7.1/opam': `${files['packages/p7/p7.1/opam']}# changed\n` });
  const { blobs, reads } = counted(mirror.mirror.blobs);
  const sync = new RepositorySync({ ...mirror.mirror, blobs, repository: 'default' });
  expect(await sync.run(() => undefined)).toMatchObject({ kind: 'published' });
  const [first] = before;
  expect(reads.get(first?.blob ?? '')).toBe(1);
  expect(Math.max(...reads.values())).toBe(1);
});

test('what damages a blob once it was looked at changes nothing for those who looked', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(manyPackages(10));
  const mirror = await TestMirror.open({ default: upstream.url });
  const { snapshot } = await mirror.publish();
  const stored = new StoredPieces(mirror.mirror);
  const found = await stored.find(snapshot.pieces);
  expect(found.size).toBe(new Set(snapshot.pieces).size);
  const blob = found.get(snapshot.pieces[0] ?? '')?.stored.blob;
  if (blob === undefined) throw new Error('nothing was published');
  const before = Buffer.from(await stored.whole(blob));
  for (const { path } of await mirror.blobs()) {
    await chmod(path, 0o644);
    await writeFile(path, 'x', { flag: 'a' });
  }
  expect(await stored.whole(blob)).toEqual(before);
  await expect(new StoredPieces(mirror.mirror).whole(blob)).rejects.toMatchObject({ code: 'store-corrupt' });
});
