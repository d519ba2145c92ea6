import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { type PrefetchOptions, type PrefetchReport, prefetch } from '../../src/mirror/archives/prefetch.ts';
import { openMirror } from '../../src/mirror/mirror.ts';
import type { Blobs } from '../../src/store/blobs.ts';
import type { CountingUpstream } from '../support/counting-upstream.ts';
import { checksumOf, type Files, REPO, version } from '../support/tree-builder.ts';
import { transactionsIn } from '../support/write-ahead-log.ts';
import { failureOf, type Limits, startUpstream, TestMirror } from './test-mirror.ts';

interface Standing {
  readonly upstream: CountingUpstream;
  readonly mirror: TestMirror;
  run(options?: Partial<PrefetchOptions>): Promise<PrefetchReport>;
}

const contentOf = (id: string): string => `archive of ${id}`;

/** A mirror that has published these versions, whose archives the upstream has. */
async function published(ids: readonly string[], more: Files = {}, limits: Limits = {}): Promise<Standing> {
  const upstream = await startUpstream();
  const files = ids.map((id) => {
    upstream.serve(`/${id}`, Buffer.from(contentOf(id)));
    return version(id, { sources: [`${upstream.url}/${id}`], checksums: [checksumOf(contentOf(id))] });
  });
  upstream.serveIndex(Object.assign({ ...REPO, ...more }, ...files));
  const mirror = await TestMirror.open({ default: upstream.url }, limits);
  await mirror.publish();
  const run = (options: Partial<PrefetchOptions> = {}): Promise<PrefetchReport> =>
    prefetch({ ...mirror.mirror, repository: 'default', progress: () => undefined, ...options });
  return { upstream, mirror, run };
}

const IDS = Array.from({ length: 12 }, (_, index) => `p${index}.1`);

test('fetches every archive once, and tells how far it is', async () => {
  const { run, upstream, mirror } = await published(IDS);
  const told: string[] = [];
  const report = await run({ progress: (done, total) => told.push(`${done}/${total}`) });
  expect(report).toEqual({ total: 12, present: 0, fetched: 12, failed: [] });
  expect(told).toEqual(Array.from({ length: 13 }, (_, done) => `${done}/12`));
  for (const id of IDS) expect(upstream.requests(`/${id}`)).toBe(1);
  expect(await mirror.leftovers()).toEqual([]);
});

test('what is there already costs no request, also after a restart', async () => {
  const { run, upstream, mirror } = await published(IDS);
  await run();
  const before = upstream.requestsInAll;
  expect(await run()).toEqual({ total: 12, present: 12, fetched: 0, failed: [] });
  await mirror.restart();
  expect(await run({ ...mirror.mirror })).toEqual({ total: 12, present: 12, fetched: 0, failed: [] });
  expect(upstream.requestsInAll).toBe(before);
});

test('an archive that several versions declare, in whatever words, is fetched once', async () => {
  const shared = createHash('sha256').update('shared').digest('hex');
  const { upstream, mirror } = await published(['a.1']);
  upstream.serve('/shared', Buffer.from('shared'));
  const sources = [`${upstream.url}/shared`];
  upstream.serveIndex({
    ...REPO,
    ...version('b.1', { sources, checksums: [`sha256=${shared}`] }),
    ...version('c.1', { sources, checksums: [`sha256=${shared}`, `sha256=${shared}`] }),
    ...version('d.1', { sources, checksums: [`SHA256=${shared.toUpperCase()}`] }),
  });
  await mirror.publish();
  const report = await prefetch({
    ...mirror.mirror,
    repository: 'default',

    progress: () => undefined,
  });
  expect(report).toEqual({ total: 1, present: 0, fetched: 1, failed: [] });
  expect(upstream.requests('/shared')).toBe(1);
});

test('a repository that was not published has nothing to fetch', async () => {
  const mirror = await TestMirror.open({ default: 'http://127.0.0.1:1' });
  const report = await prefetch({
    ...mirror.mirror,
    repository: 'default',

    progress: () => undefined,
  });
  expect(report).toEqual({ total: 0, present: 0, fetched: 0, failed: [] });
});

describe('what cannot be had', () => {
  test('is told of with address, code and reason, and keeps nothing else back', async () => {
    const { run, upstream, mirror } = await published(['good.1', 'wrong.1']);
    upstream.serve('/wrong.1', Buffer.from('other bytes'));
    const report = await run();
    expect(report).toMatchObject({ total: 2, fetched: 1 });
    expect(report.failed).toEqual([
      {
        archive: `${upstream.url}/wrong.1`,
        code: 'checksum-mismatch',
        reason: expect.stringContaining('wrong.1'),
      },
    ]);
    // Wrong bytes are wrong the next time too.
    expect(upstream.requests('/wrong.1')).toBe(1);
    expect(await mirror.leftovers()).toEqual([]);
  });

  test('is tried three times with doubled waits, where that may help', async () => {
    const { run, upstream, mirror } = await published(['a.1']);
    upstream.fail('/a.1', 503);
    const running = run();
    await mirror.clock.asleep();
    expect(upstream.requests('/a.1')).toBe(1);
    mirror.clock.advance(999);
    expect(mirror.clock.sleepers).toBe(1);
    mirror.clock.advance(1);
    await mirror.clock.asleep();
    expect(upstream.requests('/a.1')).toBe(2);
    mirror.clock.advance(1999);
    expect(mirror.clock.sleepers).toBe(1);
    mirror.clock.advance(1);
    const { failed } = await running;
    expect(upstream.requests('/a.1')).toBe(3);
    expect(failed).toEqual([
      { archive: `${upstream.url}/a.1`, code: 'upstream-status', reason: expect.any(String) },
    ]);
  });

  test('is fetched when a later try succeeds', async () => {
    const { run, upstream, mirror } = await published(['a.1']);
    upstream.fail('/a.1', 503);
    const running = run();
    await mirror.clock.asleep();
    upstream.serve('/a.1', Buffer.from(contentOf('a.1')));
    mirror.clock.advance(1000);
    expect(await running).toMatchObject({ fetched: 1, failed: [] });
  });
});

describe('told to stop', () => {
  test('it ends at once with what it has, and the next run goes on from there', async () => {
    const { run, upstream, mirror } = await published(IDS, {}, { downloads: 4, downloads_per_host: 4 });
    const held: ServerResponse[] = [];
    for (const id of IDS.slice(4)) upstream.set(`/${id}`, (_request, response) => held.push(response));
    const stop = new AbortController();
    let done = 0;
    const running = run({
      signal: stop.signal,
      progress: (count) => {
        done = count;
      },
    });
    while (held.length < 4 || done < 4) await new Promise<void>((resolve) => setImmediate(resolve));
    stop.abort();
    expect(await running).toEqual({ total: 12, present: 0, fetched: 4, failed: [] });
    expect(done).toBe(4);
    await mirror.restart();
    expect(await mirror.leftovers()).toEqual([]);
    for (const id of IDS) upstream.serve(`/${id}`, Buffer.from(contentOf(id)));
    expect(await run({ ...mirror.mirror })).toEqual({ total: 12, present: 4, fetched: 8, failed: [] });
  });

  test('while it waits for another try, it ends without an error', async () => {
    const { run, upstream, mirror } = await published(['a.1']);
    upstream.fail('/a.1', 503);
    const stop = new AbortController();
    const running = run({ signal: stop.signal });
    await mirror.clock.asleep();
    stop.abort();
    expect(await running).toEqual({ total: 1, present: 0, fetched: 0, failed: [] });
  });

  test('before the start, it fetches nothing', async () => {
    const { run, upstream } = await published(['a.1']);
    const stop = new AbortController();
    stop.abort();
    expect(await run({ signal: stop.signal })).toEqual({ total: 1, present: 0, fetched: 0, failed: [] });
    expect(upstream.requests('/a.1')).toBe(0);
  });
});

test('no host is asked for more at once than it may be', async () => {
  const { run, upstream } = await published(IDS, {}, { downloads: 8, downloads_per_host: 3 });
  let open: ServerResponse[] = [];
  for (const id of IDS)
    upstream.set(`/${id}`, (_request, response) => {
      open.push(response);
      response.setHeader('x-id', id);
      // All that may come at once are here: let them go together.
      if (open.length < 3) return;
      for (const waiting of open) waiting.end(contentOf(String(waiting.getHeader('x-id'))));
      open = [];
    });
  expect(await run()).toMatchObject({ fetched: 12 });
  expect(upstream.mostAtOnce).toBe(3);
});

test('a disk that fails ends it: no other archive would escape', async () => {
  const many = Array.from({ length: 100 }, (_, index) => `p${index}.1`);
  const { run, upstream, mirror } = await published(many);
  const full = new SeraiError('store-failed', 'the disk is full');
  const { blobs } = mirror.mirror;
  const put: Blobs['put'] = () => Promise.reject(full);
  blobs.put = put;
  expect(await failureOf(run())).toEqual({
    code: 'store-failed',
    message: 'the disk is full',
  });
  expect(upstream.requestsInAll).toBeLessThan(1 + many.length);
});

test('a disk that fails ends what is under way too, a host that does not answer included', async () => {
  const { run, upstream, mirror } = await published(['a.1', 'z.1']);
  upstream.set('/a.1', () => {});
  const { blobs } = mirror.mirror;
  const put = blobs.put.bind(blobs);
  let puts = 0;
  blobs.put = (...parts) => {
    puts += 1;
    return puts === 1 ? put(...parts) : Promise.reject(new SeraiError('store-failed', 'the disk is full'));
  };
  expect(await failureOf(run())).toMatchObject({ code: 'store-failed' });
  await mirror.mirror.fetcher.close();
});

test('a slow host keeps its own archives waiting, and no other’s', async () => {
  const slow = await startUpstream();
  const { upstream, mirror } = await published(['z.1']);
  const held: ServerResponse[] = [];
  const files: Files[] = [];
  // More than are under way at once, and first in every order.
  const slowIds = Array.from({ length: 80 }, (_, index) => `a${index}.1`);
  for (const id of slowIds) {
    slow.set(`/${id}`, (_request, response) => {
      response.setHeader('x-id', id);
      held.push(response);
    });
    files.push(version(id, { sources: [`${slow.url}/${id}`], checksums: [checksumOf(contentOf(id))] }));
  }
  for (const id of IDS) {
    upstream.serve(`/${id}`, Buffer.from(contentOf(id)));
    files.push(version(id, { sources: [`${upstream.url}/${id}`], checksums: [checksumOf(contentOf(id))] }));
  }
  upstream.serveIndex(Object.assign({ ...REPO }, ...files));
  await mirror.publish();
  const quick = Promise.withResolvers<void>();
  const running = prefetch({
    ...mirror.mirror,
    repository: 'default',
    progress: (done) => {
      if (done === IDS.length) quick.resolve();
    },
  });
  await quick.promise;
  expect(slow.mostAtOnce).toBeLessThanOrEqual(6);
  for (const id of slowIds) slow.serve(`/${id}`, Buffer.from(contentOf(id)));
  for (const response of held) response.end(contentOf(String(response.getHeader('x-id'))));
  expect(await running).toEqual({ total: 92, present: 0, fetched: 92, failed: [] });
});

describe('what it costs', () => {
  const many = Array.from({ length: 60 }, (_, index) => `p${index}.1`);

  test('a request and a record of each, few connections and transactions, and the repository read once', async () => {
    const { run, upstream, mirror } = await published(many);
    const { catalogue, blobs } = mirror.mirror;
    const repository = ['currentSnapshot', 'currentHead', 'contents', 'listing'] as const;
    const archive = ['recordBlob', 'related'] as const;
    const spies = [...repository, ...archive, 'listed' as const].map((name) => vi.spyOn(catalogue, name));
    const sizes = vi.spyOn(blobs, 'size');
    const publications = vi.spyOn(catalogue, 'currentPublication');
    const [connections, requests] = [upstream.connections, upstream.requestsInAll];
    const file = join(mirror.config.data, 'catalogue.sqlite');
    const transactions = await transactionsIn(file);
    expect(await run()).toMatchObject({ fetched: 60 });
    expect(upstream.requestsInAll - requests).toBe(60);
    expect(upstream.connections - connections).toBeLessThanOrEqual(6);
    // Once for the archives, once for the caches of them all.
    expect(spies.map((spy) => spy.mock.calls.length)).toEqual([1, 1, 1, 1, 60, 60, 0]);
    // Once in a turn of the event loop, and not twice for each archive.
    expect(publications.mock.calls.length).toBeLessThan(60);
    // One look at each: what was not there before is measured on its way in, and not again to be sent.
    expect(sizes).toHaveBeenCalledTimes(60);
    // Three for each before they were grouped. How many there are depends on how quick the disk is.
    expect((await transactionsIn(file)) - transactions).toBeLessThan(60);
  });

  test('with patience they are kept together, in one transaction', async () => {
    const { run, mirror } = await published(many);
    const patient = await openMirror(mirror.config, mirror.clock, { patience: 60_000 });
    const file = join(mirror.config.data, 'catalogue.sqlite');
    const transactions = await transactionsIn(file);
    expect(await run({ ...patient })).toMatchObject({ fetched: 60 });
    expect((await transactionsIn(file)) - transactions).toBe(1);
    await patient.close();
  });

  test('of what is there already: one look at each blob, and not one transaction', async () => {
    const { run, upstream, mirror } = await published(many);
    await run();
    const { catalogue, blobs } = mirror.mirror;
    const spies = (['recordBlob', 'related', 'listed', 'blobsWith'] as const).map((name) =>
      vi.spyOn(catalogue, name),
    );
    const sizes = vi.spyOn(blobs, 'size');
    const file = join(mirror.config.data, 'catalogue.sqlite');
    const before = [upstream.requestsInAll, await transactionsIn(file)];
    expect(await run()).toMatchObject({ present: 60 });
    expect([upstream.requestsInAll, await transactionsIn(file)]).toEqual(before);
    expect(spies.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 0]);
    expect(sizes).toHaveBeenCalledTimes(60);
  });
});
