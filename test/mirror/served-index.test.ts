import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { Sha256 } from '../../src/hashes.ts';
import { repositoryStates } from '../../src/mirror/report/repository-state.ts';
import { ServedIndexes } from '../../src/mirror/served-index.ts';
import type { Blobs } from '../../src/store/blobs.ts';
import type { Catalogue } from '../../src/store/catalogue.ts';
import { manyPackages, opamPath, repositoryOf } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

async function published(...histories: readonly (readonly string[])[]) {
  const upstream = await startUpstream();
  const mirror = await TestMirror.open({ default: upstream.url });
  const ids: Sha256[] = [];
  for (const versions of histories) {
    upstream.serveIndex(repositoryOf(...versions));
    ids.push((await mirror.publish()).snapshot.id);
  }
  return { upstream, mirror, ids };
}

/** The served indexes of another process that counts the blobs it opens. */
function counting(mirror: TestMirror): { served: ServedIndexes; opened: () => number } {
  let opened = 0;
  const blobs: Blobs = Object.create(mirror.mirror.blobs, {
    open: {
      value: (id: Sha256) => {
        opened += 1;
        return mirror.mirror.blobs.open(id);
      },
    },
  });
  const { config, catalogue } = mirror.mirror;
  const served = new ServedIndexes({ repositories: ['default'], config, catalogue, blobs });
  return { served, opened: () => opened };
}

test('nothing is served before there is something', async () => {
  const mirror = await TestMirror.open({ default: 'http://127.0.0.1:1' });
  const { served } = mirror.mirror;
  expect(await served.refresh('default')).toBe(false);
  expect([served.current('default'), served.broken('default')]).toEqual([undefined, undefined]);
  expect([served.has('default'), served.has('other')]).toEqual([true, false]);
});

test('what another process published is taken up once', async () => {
  const { mirror } = await published(['a.1']);
  const { served, opened } = counting(mirror);
  expect(await served.refresh('default')).toBe(true);
  const reads = opened();
  expect(await served.refresh('default')).toBe(false);
  expect(opened()).toBe(reads);
  expect(served.current('default')?.summary.versions).toBe(1);
});

test('what was published again with other words is taken up, too', async () => {
  const { mirror } = await published(['a.1']);
  const { served } = counting(mirror);
  await served.refresh('default');
  for (const { path } of await mirror.blobs()) await rm(path);
  mirror.clock.advance(1000);
  await mirror.publish();
  expect(await served.refresh('default')).toBe(true);
  expect(served.current('default')?.snapshot.publishedAt).toBe(mirror.clock.now());
});

describe('a past snapshot', () => {
  test('is read once, however many ask at the same time', async () => {
    const { mirror, ids } = await published(['a.1'], ['a.1', 'b.1']);
    const { served, opened } = counting(mirror);
    const [past = ids[0]] = ids;
    if (past === undefined) throw new Error('nothing was published');
    const answers = await Promise.all(Array.from({ length: 50 }, () => served.past('default', past)));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]?.snapshot.id).toBe(past);
    const reads = opened();
    expect(reads).toBeLessThanOrEqual(3);
    expect(await served.past('default', past)).toBe(answers[0]);
    expect(opened()).toBe(reads);
  });

  test('that cannot be read is asked for anew the next time', async () => {
    const { mirror, ids } = await published(['a.1'], ['b.1']);
    const [past] = ids;
    if (past === undefined) throw new Error('nothing was published');
    for (const { path } of await mirror.blobs()) await rm(path);
    await mirror.restart();
    const { served } = mirror.mirror;
    await expect(served.past('default', past)).rejects.toMatchObject({ code: 'store-corrupt' });
    await expect(served.past('default', past)).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('of another repository, or of nobody, is not there', async () => {
    const { mirror, ids } = await published(['a.1']);
    const [id] = ids;
    if (id === undefined) throw new Error('nothing was published');
    expect(await mirror.mirror.served.past('other', id)).toBeUndefined();
    expect(await mirror.mirror.served.past('default', 'f'.repeat(64) as Sha256)).toBeUndefined();
  });
});

describe('the state of a repository', () => {
  test('tells what is published, when, and what is held', async () => {
    const { mirror, upstream } = await published(['a.1']);
    upstream.serveIndex({ ...repositoryOf('a.1'), [opamPath('b.1')]: '(' });
    await mirror.publish();
    const [state] = await repositoryStates(mirror.mirror);
    expect(state).toMatchObject({ name: 'default', ready: false, packages: 1, versions: 1, archives: 1 });
    expect(state?.held?.map(({ version }) => version)).toEqual(['b.1']);
    await mirror.index();
    expect((await repositoryStates(mirror.mirror))[0]).toMatchObject({ ready: true });
  });

  test('tells of the last failure, and of a snapshot that cannot be read back before that', async () => {
    const { mirror, upstream } = await published(['a.1']);
    upstream.fail('/index.tar.gz', 500);
    await mirror.sync().catch(() => undefined);
    expect((await repositoryStates(mirror.mirror))[0]?.failure).toMatchObject({ code: 'upstream-status' });
    for (const { path } of await mirror.blobs()) await rm(path);
    await mirror.restart();
    await mirror.mirror.served.refresh('default');
    expect((await repositoryStates(mirror.mirror))[0]).toMatchObject({
      ready: false,
      failure: { code: 'store-corrupt' },
    });
  });

  test('shows no password', async () => {
    const mirror = await TestMirror.open({ default: 'http://ada:secret@127.0.0.1:1/path' });
    expect(JSON.stringify(await repositoryStates(mirror.mirror))).not.toContain('secret');
    expect((await repositoryStates(mirror.mirror))[0]?.upstream).toBe('http://127.0.0.1:1/path');
  });
});

test('the index in memory is the one that was published, byte for byte', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(manyPackages(40));
  const mirror = await TestMirror.open({ default: upstream.url });
  const { snapshot } = await mirror.publish();
  const index = await mirror.index();
  expect([index.length, mirror.mirror.served.current('default')?.snapshot.sha256]).toEqual([
    snapshot.size,
    snapshot.sha256,
  ]);
  expect(mirror.mirror.served.current('default')?.repo.toString('latin1')).toBe(snapshot.repo);
});

describe('a publication that is taken up', () => {
  test('is one open and as many reads as it has MiB where its pieces lie together, and asks for no facts', async () => {
    const { mirror } = await published(['a.1', 'b.1', 'c.1']);
    const { config, catalogue, blobs } = mirror.mirror;
    let reads = 0;
    const counted: Blobs = Object.create(blobs, {
      open: {
        value: async (id: Sha256) => {
          const handle = await blobs.open(id);
          return (
            handle && {
              ...{ id, size: handle.size, close: () => handle.close() },
              read: (buffer: Uint8Array, position: number) => {
                reads += 1;
                return handle.read(buffer, position);
              },
            }
          );
        },
      },
    });
    const asked: string[] = [];
    const watched: Catalogue = new Proxy(catalogue, {
      get: (target, name: keyof Catalogue) => {
        asked.push(name);
        return target[name].bind(target);
      },
    });
    const served = new ServedIndexes({
      repositories: ['default'],
      config,
      catalogue: watched,
      blobs: counted,
    });
    expect(await served.refresh('default')).toBe(true);
    expect(asked).toEqual(['currentHead', 'places']);
    expect(reads).toBe(1);
    await served.look();
    expect(asked.slice(2)).toEqual(['currentHead']);
    expect(reads).toBe(1);
  });
});
