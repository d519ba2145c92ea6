/** HOSTILE 23: kill -9 of a real process at every step of a sync. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serveGit } from '../support/git-http.ts';
import { runScript, startScript } from '../support/store-processes.ts';
import { type Files, GitUpstream, indexOf, manyPackages, version } from '../support/tree-builder.ts';
import { startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const CHILD = 'child-sync';
const BEFORE = manyPackages(20);
const AFTER: Files = { ...BEFORE, ...version('p5.1', { more: 'x-new: 1' }), ...version('new.1'), repo: '' };

/** Steps at which the child kills itself, and whether the new snapshot is published by then. */
const STEPS: readonly (readonly [step: string, published: boolean])[] = [
  ['fetching', false],
  ['verifying', false],
  ['publishing', false],
  ['before the blob', false],
  ['in the middle of the blob', false],
  ['behind the blob', false],
  ['before the transaction', false],
  ['behind the transaction', true],
  ['before the state', true],
  ['behind the state', true],
];

let expectedIndex: Buffer | undefined;

/** What the new tree's index is, from a mirror of its own. */
async function expected(): Promise<Buffer> {
  if (expectedIndex === undefined) {
    const upstream = await startUpstream();
    upstream.serveIndex(AFTER);
    const mirror = await TestMirror.open({ default: upstream.url });
    await mirror.publish();
    expectedIndex = await mirror.index();
  }
  return expectedIndex;
}

describe.each([
  ['of an update', true],
  ['of the first sync', false],
])('killed in the middle %s', (_, update) => {
  test.each(STEPS)('%s', async (step, published) => {
    const upstream = await startUpstream();
    const mirror = await TestMirror.open({ default: upstream.url });
    if (update) {
      upstream.serveIndex(BEFORE);
      await mirror.publish();
    }
    const old = update ? await mirror.index() : undefined;
    await mirror.close();
    upstream.serveIndex(AFTER);
    const ending = await runScript(CHILD, mirror.config.data, upstream.url, step);
    expect(ending).toMatchObject({ signal: 'SIGKILL' });

    await mirror.restart();
    expect(await mirror.leftovers()).toEqual([]);
    if (published) expect(await mirror.index()).toEqual(await expected());
    else if (old !== undefined) expect(await mirror.index()).toEqual(old);
    else expect(await mirror.mirror.catalogue.currentSnapshot('default')).toBeUndefined();

    const again = await mirror.sync();
    expect(again.kind).toBe(
      published ? (step === 'behind the state' ? 'not-modified' : 'unchanged') : 'published',
    );
    expect(await mirror.index()).toEqual(await expected());
    const publications = (await mirror.events()).filter((kind) => kind === 'published');
    expect(publications).toHaveLength(update ? 2 : 1);
    // The same bytes put again are the same blob: nothing is kept twice.
    expect(await mirror.blobs()).toHaveLength(update ? 2 : 1);
  });
});

test('killed in the middle of a download of the index', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(BEFORE);
  const mirror = await TestMirror.open({ default: upstream.url });
  await mirror.publish();
  const old = await mirror.index();
  await mirror.close();
  const body = indexOf(AFTER);
  upstream.set('/index.tar.gz', (_request, response) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, body.length / 2));
  });
  const child = startScript(CHILD, mirror.config.data, upstream.url, 'none');
  onTestFinished(() => void child.process.kill('SIGKILL'));
  await upstream.asked('/index.tar.gz', 2);
  child.process.kill('SIGKILL');
  expect(await child.ended).toMatchObject({ signal: 'SIGKILL' });
  await mirror.restart();
  expect(await mirror.index()).toEqual(old);
  upstream.serveIndex(AFTER);
  expect((await mirror.sync()).kind).toBe('published');
  expect(await mirror.index()).toEqual(await expected());
});

test('killed in the middle of a git fetch', async () => {
  const folder = await temporaryFolder();
  const git = await GitUpstream.create(join(folder, 'upstream.git'));
  await git.commit(BEFORE);
  const server = await serveGit(folder);
  onTestFinished(() => server.close());
  const url = `git+${server.origin}upstream.git`;
  const mirror = await TestMirror.open({ default: url });
  await mirror.publish();
  const old = await mirror.index();
  await mirror.close();
  await git.commit(AFTER);
  const asked = Promise.withResolvers<void>();
  server.hooks.pack = { hangAfter: 600 };
  server.hooks.handle = () => {
    if (server.requests.at(-1)?.body.includes('command=fetch') === true) asked.resolve();
    return false;
  };
  const child = startScript(CHILD, mirror.config.data, url, 'none');
  onTestFinished(() => void child.process.kill('SIGKILL'));
  await asked.promise;
  child.process.kill('SIGKILL');
  await child.ended;
  delete server.hooks.pack;
  delete server.hooks.handle;
  await mirror.restart();
  expect(await mirror.index()).toEqual(old);
  expect((await mirror.sync()).kind).toBe('published');
  expect(await mirror.index()).toEqual(await expected());
  const packs = await readdir(join(mirror.config.data, 'git', 'default.git', 'objects', 'pack'));
  expect(packs.filter((name) => name.startsWith('tmp_'))).toEqual([]);
});
