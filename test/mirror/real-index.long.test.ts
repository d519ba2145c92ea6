/** The whole real repository (OPAM-CLIENT.md, "The real repository") through the pipeline. */
import { expect, onTestFinished, test } from 'vitest';
import { SyncThread } from '../../src/mirror/sync/sync-thread.ts';
import { hasRealData, realFiles } from '../support/real-data.ts';
import type { Files } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

const INDEX = 'full-index.tar.gz';

async function realRepository(): Promise<Files> {
  const files = await realFiles(INDEX);
  return Object.fromEntries(files.map(({ path, bytes }) => [path.replace(/^\.\//, ''), bytes]));
}

test.skipIf(!hasRealData(INDEX))(
  'the real index: all of it is published, nothing is held, and a change costs what it touches',
  async () => {
    const files = await realRepository();
    const upstream = await startUpstream();
    upstream.serveIndex(files);
    const mirror = await TestMirror.open({ default: upstream.url });
    const first = await mirror.publish();
    expect(first.summary).toMatchObject({ packages: 4596, versions: 18_793, held: [] });
    expect(first.summary.archives).toBeGreaterThan(11_000);
    const served = await mirror.files();
    expect(Object.keys(served)).toEqual(Object.keys(files).sort());
    for (const [path, content] of Object.entries(files))
      if (path !== 'repo') expect(served[path] === Buffer.from(content).toString('latin1'), path).toBe(true);

    expect(await mirror.sync()).toEqual({ kind: 'not-modified' });
    expect(upstream.notModified).toBe(1);

    const paths = Object.keys(files).filter((path) => path.endsWith('/opam'));
    const path = paths[paths.length >> 1] ?? '';
    const more = Buffer.from('x-changed: 1\n');
    const changed = { ...files, [path]: Buffer.concat([Buffer.from(files[path] ?? ''), more]) };
    upstream.serveIndex(changed);
    await mirror.restart();
    const second = await mirror.publish();
    expect(second.counts).toMatchObject({ filesParsed: 1, piecesDeflated: 1 });
    expect(await mirror.blobs()).toHaveLength(2);

    upstream.serveIndex(files);
    const third = await mirror.publish();
    expect(third.snapshot).toMatchObject({ id: first.snapshot.id, sha256: first.snapshot.sha256 });
    expect(third.counts).toMatchObject({ filesParsed: 1, piecesDeflated: 0 });
  },
  300_000,
);

test.skipIf(!hasRealData(INDEX))(
  'the real index: it is published in the worker thread',
  async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(await realRepository());
    const mirror = await TestMirror.open({ default: upstream.url });
    const thread = new SyncThread(mirror.config);
    onTestFinished(() => thread.stop());
    expect(await thread.sync('default')).toMatchObject({ kind: 'published', summary: { versions: 18_793 } });
    expect(await thread.sync('default')).toEqual({ kind: 'not-modified' });
  },
  300_000,
);
