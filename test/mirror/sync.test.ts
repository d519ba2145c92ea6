import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import { serveGit } from '../support/git-http.ts';
import {
  GitUpstream,
  indexOf,
  manyPackages,
  opamPath,
  repositoryOf,
  writeFolder,
} from '../support/tree-builder.ts';
import { configOf, failureOf, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const NOTHING = { filesRead: 0, filesParsed: 0, bytesHashed: 0, piecesDeflated: 0 };

describe('over an HTTP index', () => {
  test('the first sync publishes, the next one is a 304 and looks at nothing', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(manyPackages(5));
    const mirror = await TestMirror.open({ default: upstream.url });
    expect(await mirror.sync()).toMatchObject({ kind: 'published', summary: { packages: 5, versions: 10 } });
    expect(await mirror.sync()).toEqual({ kind: 'not-modified' });
    await mirror.restart();
    expect(await mirror.sync()).toEqual({ kind: 'not-modified' });
    expect(upstream.requests('/index.tar.gz')).toBe(3);
    expect(upstream.notModified).toBe(2);
  });

  test('an upstream without validators is read whole, and nothing is done', async () => {
    const upstream = await startUpstream();
    const index = indexOf(manyPackages(5));
    upstream.set('/index.tar.gz', (_request, response) => response.end(index));
    const mirror = await TestMirror.open({ default: upstream.url });
    await mirror.publish();
    expect(await mirror.publish()).toMatchObject({ kind: 'unchanged', counts: NOTHING });
  });

  test('the validator does not count for another upstream', async () => {
    const [one, two] = [await startUpstream(), await startUpstream()];
    one.serveIndex(manyPackages(5));
    two.serveIndex(manyPackages(5));
    const mirror = await TestMirror.open({ default: one.url });
    await mirror.publish();
    await mirror.restart(configOf(mirror.config.data, { default: two.url }));
    expect((await mirror.publish()).kind).toBe('unchanged');
    expect(two.notModified).toBe(0);
    expect((await mirror.sync()).kind).toBe('not-modified');
  });

  test('nor when its snapshot is no longer the present one', async () => {
    const [one, two] = [await startUpstream(), await startUpstream()];
    one.serveIndex(repositoryOf('a.1'));
    two.serveIndex(repositoryOf('b.1'));
    const mirror = await TestMirror.open({ default: one.url });
    const { snapshot } = await mirror.publish();
    const state = await mirror.mirror.catalogue.syncState('default');
    await mirror.restart(configOf(mirror.config.data, { default: two.url }));
    await mirror.publish();
    await mirror.restart(configOf(mirror.config.data, { default: one.url }));
    // As if the sync of `two` had been killed before it wrote its state.
    if (state !== undefined) await mirror.mirror.catalogue.saveSyncState('default', state);
    expect((await mirror.publish()).snapshot.id).toBe(snapshot.id);
  });

  test('nor when the configuration would judge the same tree otherwise', async () => {
    const upstream = await startUpstream();
    const deep = `x: ${'['.repeat(20)}${']'.repeat(20)}\n`;
    upstream.serveIndex({ ...repositoryOf('a.1'), [opamPath('b.1')]: deep });
    const mirror = await TestMirror.open({ default: upstream.url }, { opam_depth: 10 });
    expect((await mirror.publish()).summary.held.map(({ version }) => version)).toEqual(['b.1']);
    await mirror.restart(configOf(mirror.config.data, { default: upstream.url }, { opam_depth: 30 }));
    expect((await mirror.publish()).summary).toMatchObject({ versions: 2, held: [] });
  });

  test('a validator that cannot be read costs one whole fetch and no more', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const mirror = await TestMirror.open({ default: upstream.url });
    await mirror.publish();
    await mirror.mirror.catalogue.saveSyncState('default', { attemptedAt: 1, validator: '{"upstream":1}' });
    expect((await mirror.sync()).kind).toBe('unchanged');
    expect((await mirror.sync()).kind).toBe('not-modified');
  });
});

describe('over git', () => {
  test('a path: published, unchanged, changed', async () => {
    const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
    await git.commit(repositoryOf('a.1'));
    const mirror = await TestMirror.open({ default: git.url });
    expect((await mirror.publish()).summary.versions).toBe(1);
    expect(await mirror.sync()).toEqual({ kind: 'not-modified' });
    const commit = await git.commit(repositoryOf('a.1', 'a.2'));
    await mirror.restart();
    expect(await mirror.publish()).toMatchObject({ snapshot: { commit }, counts: { filesParsed: 1 } });
  });

  test('smart HTTP', async () => {
    const folder = await temporaryFolder();
    const git = await GitUpstream.create(join(folder, 'upstream.git'));
    await git.commit(manyPackages(5));
    const server = await serveGit(folder);
    try {
      const mirror = await TestMirror.open({ default: `git+${server.origin}upstream.git` });
      expect((await mirror.publish()).summary.versions).toBe(10);
      expect(await mirror.sync()).toEqual({ kind: 'not-modified' });
      server.hooks.handle = (_request, response) => {
        response.writeHead(503).end();
        return true;
      };
      expect(await failureOf(mirror.sync())).toMatchObject({
        code: expect.stringMatching(/^(upstream|git)-/),
      });
      expect(Object.keys(await mirror.files())).toHaveLength(11);
    } finally {
      await server.close();
    }
  });
});

test('another git upstream at the same commit is looked at all the same, once', async () => {
  const folder = await temporaryFolder();
  const git = await GitUpstream.create(join(folder, 'one.git'));
  await git.commit({ ...repositoryOf('a.1'), repo: 'archive-mirrors: ["cache" "https://cache.example"]' });
  await cp(join(folder, 'one.git'), join(folder, 'two.git'), { recursive: true });
  const mirror = await TestMirror.open({ default: git.url });
  // Below a git repository there is no cache to be had.
  expect((await mirror.publish()).summary.archiveMirrors).toEqual(['https://cache.example']);
  await mirror.restart(configOf(mirror.config.data, { default: `git+file://${folder}/two.git` }));
  expect((await mirror.sync()).kind).toBe('unchanged');
  expect((await mirror.sync()).kind).toBe('not-modified');
});

describe('over file://', () => {
  test.each([['a folder that is not there', 'file:///nonexistent/serai']])(
    '%s is unreachable',
    async (_, upstream) => {
      const mirror = await TestMirror.open({ default: upstream });
      expect(await failureOf(mirror.sync())).toMatchObject({ code: 'upstream-unreachable' });
    },
  );

  test('a folder is read each time, and what did not change is not looked at', async () => {
    const folder = join(await temporaryFolder(), 'upstream');
    await writeFolder(folder, manyPackages(5));
    const mirror = await TestMirror.open({ default: `file://${folder}` });
    await mirror.publish();
    expect(await mirror.publish()).toMatchObject({ kind: 'unchanged', counts: NOTHING });
  });
});

describe('a sync that fails', () => {
  test('is remembered with code and message; what was published stays; recovery clears it', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const mirror = await TestMirror.open({ default: upstream.url });
    await mirror.publish();
    const good = await mirror.mirror.catalogue.syncState('default');
    const index = await mirror.index();
    mirror.clock.advance(1000);
    upstream.fail('/index.tar.gz', 500);
    const failure = await failureOf(mirror.sync());
    expect(failure.code).toBe('upstream-status');
    const state = await mirror.mirror.catalogue.syncState('default');
    expect(state).toEqual({ ...good, attemptedAt: mirror.clock.now(), failure });
    await mirror.restart();
    expect(await mirror.index()).toEqual(index);
    mirror.clock.advance(1000);
    upstream.serveIndex(repositoryOf('a.1'));
    expect(await mirror.sync()).toEqual({ kind: 'not-modified' });
    const { failure: cleared, succeededAt } = (await mirror.mirror.catalogue.syncState('default')) ?? {};
    expect([cleared, succeededAt]).toEqual([undefined, mirror.clock.now()]);
  });

  test('is told as it is also when the store cannot be written to', async () => {
    const upstream = await startUpstream();
    upstream.fail('/index.tar.gz', 500);
    const mirror = await TestMirror.open({ default: upstream.url });
    const catalogue = new Proxy(mirror.mirror.catalogue, {
      get: (target, name) => {
        if (name === 'saveSyncState') return () => Promise.reject(new Error('disk full'));
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const sync = new RepositorySync({ ...mirror.mirror, catalogue, repository: 'default' });
    expect(await failureOf(sync.run(() => undefined))).toMatchObject({ code: 'upstream-status' });
  });

  test('because it was told to stop is no failure of the upstream', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const mirror = await TestMirror.open({ default: upstream.url });
    const stop = new AbortController();
    const sync = new RepositorySync({ ...mirror.mirror, repository: 'default' });
    const stages: string[] = [];
    const running = sync.run((stage) => {
      stages.push(stage);
      if (stage === 'verifying') stop.abort();
    }, stop.signal);
    expect(await failureOf(running)).toMatchObject({ code: 'aborted' });
    expect(stages).toEqual(['fetching', 'verifying']);
    expect(await mirror.mirror.catalogue.syncState('default')).toBeUndefined();
    expect(await mirror.mirror.catalogue.currentSnapshot('default')).toBeUndefined();
  });

  test('for a repository that is not configured says so', async () => {
    const mirror = await TestMirror.open({ default: 'http://127.0.0.1:1' });
    expect(await failureOf(Promise.resolve().then(() => mirror.sync('other')))).toMatchObject({
      code: 'usage',
    });
  });

  test('because the data folder is gone tells of the store', async () => {
    const mirror = await TestMirror.open({ default: 'http://127.0.0.1:1' });
    await rm(mirror.config.data, { recursive: true });
    expect((await failureOf(mirror.sync())).code).toMatch(/^(store-failed|upstream-unreachable)$/);
  });
});
