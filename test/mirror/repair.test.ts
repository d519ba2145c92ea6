/** What happens when the disk lost or changed what holds the index (HOSTILE 25). */
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { CountingUpstream } from '../support/counting-upstream.ts';
import { GitUpstream, manyPackages, repositoryOf, version } from '../support/tree-builder.ts';
import { failureOf, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const FILES = manyPackages(30);

type Damage = (path: string) => Promise<void>;

const DAMAGES: Readonly<Record<string, Damage>> = {
  lost: (path) => rm(path),
  'changed in one bit': async (path) => {
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await chmod(path, 0o644);
    await writeFile(path, bytes);
  },
  'cut short': async (path) => {
    const bytes = await readFile(path);
    await chmod(path, 0o644);
    await writeFile(path, bytes.subarray(0, -1));
  },
};

async function damageAll(mirror: TestMirror, damage: Damage): Promise<void> {
  for (const { path } of await mirror.blobs()) await damage(path);
}

async function published(): Promise<{ upstream: CountingUpstream; mirror: TestMirror; index: Buffer }> {
  const upstream = await startUpstream();
  upstream.serveIndex(FILES);
  const mirror = await TestMirror.open({ default: upstream.url });
  await mirror.publish();
  return { upstream, mirror, index: await mirror.index() };
}

describe.each(Object.entries(DAMAGES))('a blob that holds the index is %s', (_, damage) => {
  test('a restarted server notices, and the next sync makes it anew although the upstream has nothing new', async () => {
    const { mirror, index, upstream } = await published();
    await damageAll(mirror, damage);
    await mirror.restart();
    expect(await failureOf(mirror.index())).toMatchObject({ code: 'store-corrupt' });
    expect(mirror.mirror.served.current('default')).toBeUndefined();
    const { kind, counts } = await mirror.publish();
    expect(kind).toBe('published');
    expect(counts).toMatchObject({ filesParsed: 0 });
    expect(await mirror.index()).toEqual(index);
    expect(mirror.mirror.served.broken('default')).toBeUndefined();
    expect((await mirror.sync()).kind).toBe('not-modified');
    expect(upstream.notModified).toBe(1);
  });

  test('a server that goes on repairs it as well', async () => {
    const { mirror, index } = await published();
    await damageAll(mirror, damage);
    await mirror.sync();
    await mirror.restart();
    expect(await mirror.index()).toEqual(index);
  });

  test('over git, where the commit is the same', async () => {
    const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
    await git.commit(FILES);
    const mirror = await TestMirror.open({ default: git.url });
    await mirror.publish();
    const index = await mirror.index();
    await damageAll(mirror, damage);
    await mirror.restart();
    await mirror.publish();
    expect(await mirror.index()).toEqual(index);
    expect((await mirror.sync()).kind).toBe('not-modified');
  });

  test('it is not built into the next index', async () => {
    const { mirror, upstream } = await published();
    await damageAll(mirror, damage);
    const files = { ...FILES, ...version('new.1') };
    upstream.serveIndex(files);
    await mirror.publish();
    await mirror.restart();
    expect(Object.keys(await mirror.files())).toHaveLength(Object.keys(files).length);
    const fresh = await startUpstream();
    fresh.serveIndex(files);
    const other = await TestMirror.open({ default: fresh.url });
    await other.publish();
    expect(await mirror.index()).toEqual(await other.index());
  });

  test('while the upstream is away nothing wrong is served, and it heals when that is back', async () => {
    const { mirror, upstream, index } = await published();
    await damageAll(mirror, damage);
    await mirror.restart();
    upstream.fail('/index.tar.gz', 503);
    expect(await failureOf(mirror.sync())).toMatchObject({ code: 'upstream-status' });
    expect(await failureOf(mirror.index())).toMatchObject({ code: 'store-corrupt' });
    upstream.serveIndex(FILES);
    await mirror.publish();
    expect(await mirror.index()).toEqual(index);
  });

  test('what a past snapshot shares with the present one is repaired with it', async () => {
    const { mirror, upstream, index } = await published();
    const first = await mirror.mirror.catalogue.currentSnapshot('default');
    upstream.serveIndex({ ...FILES, repo: 'announce: "new"' });
    await mirror.publish();
    if (first === undefined) throw new Error('nothing was published');
    const [piece] = (await mirror.mirror.catalogue.pieces(first.pieces)).values();
    for (const { id, path } of await mirror.blobs()) if (id === piece?.blob) await damage(path);
    await mirror.restart();
    await mirror.publish();
    // The past `repo` file lay in the same blob, and no upstream has it any more.
    await expect(mirror.mirror.served.past('default', first.id)).rejects.toMatchObject({
      code: 'store-corrupt',
    });
    upstream.serveIndex(FILES);
    await mirror.publish();
    expect((await mirror.mirror.served.past('default', first.id))?.index).toEqual(index);
  });
});

test('a damaged blob is kept aside for a person to look at, and the log tells of it', async () => {
  const { mirror } = await published();
  await damageAll(mirror, DAMAGES['changed in one bit'] ?? rm);
  await mirror.sync();
  expect(await mirror.events()).toEqual(['published', 'blob-quarantined', 'published']);
});

test('facts that the catalogue cannot give back are found anew', async () => {
  const { mirror, upstream, index } = await published();
  await mirror.close();
  const database = new Database(join(mirror.config.data, 'catalogue.sqlite'));
  database.prepare("UPDATE piece_content SET facts = 'spoilt' WHERE piece % 2 = 0").run();
  database.close();
  await mirror.restart();
  upstream.serveIndex({ ...FILES, version: '2' });
  const { counts } = await mirror.publish();
  expect(counts.filesParsed).toBeGreaterThan(2);
  upstream.serveIndex(FILES);
  await mirror.publish();
  expect(await mirror.index()).toEqual(index);
  await mirror.restart();
  upstream.serveIndex({ ...FILES, version: '3' });
  expect((await mirror.publish()).counts.filesParsed).toBe(1);
});

test('two repositories that share the lost bytes are both repaired', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(FILES, '/one');
  upstream.serveIndex({ ...FILES, ...repositoryOf('more.1') }, '/two');
  const mirror = await TestMirror.open({ one: `${upstream.url}/one`, two: `${upstream.url}/two` });
  await mirror.publish('one');
  await mirror.publish('two');
  const indexes = [await mirror.index('one'), await mirror.index('two')];
  await damageAll(mirror, rm);
  await mirror.restart();
  await mirror.publish('one');
  await mirror.publish('two');
  expect([await mirror.index('one'), await mirror.index('two')]).toEqual(indexes);
});
