import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SyncThread } from '../../src/mirror/sync/sync-thread.ts';
import { indexOf, manyPackages, repositoryOf } from '../support/tree-builder.ts';
import { configOf, failureOf, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

async function startThread(upstreams: Readonly<Record<string, string>>, script?: URL): Promise<SyncThread> {
  const config = configOf(join(await temporaryFolder(), 'data'), upstreams);
  const thread = new SyncThread(config, script);
  onTestFinished(() => thread.stop());
  return thread;
}

/**
 * Without `fetch`: its WebAssembly in this thread beside undici's in the workers' makes V8 end the process once
 * in a hundred runs (nodejs/node#64500).
 */
async function ask(url: string): Promise<void> {
  const [response] = await once(get(url, { agent: false }), 'response');
  response.resume();
  await once(response, 'close');
}

describe('a sync in the thread', () => {
  test('leaves this thread free to answer', async () => {
    const upstream = await startUpstream();
    const index = indexOf(manyPackages(1500));
    const served = Promise.withResolvers<void>();
    upstream.set('/index.tar.gz', (_request, response) => response.end(index, () => served.resolve()));
    const thread = await startThread({ default: upstream.url });
    let done = false;
    const syncing = thread.sync('default').finally(() => {
      done = true;
    });
    await served.promise;
    let turns = 0;
    let answered = 0;
    const asking = (async () => {
      while (!done) {
        await ask(`${upstream.url}/nothing`);
        answered += 1;
      }
    })();
    while (!done) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      turns += 1;
    }
    await asking;
    expect(await syncing).toMatchObject({ kind: 'published', counts: { filesParsed: 3000 } });
    expect(turns).toBeGreaterThan(100);
    expect(answered).toBeGreaterThan(10);
  });

  test('costs this thread next to nothing: processor time is counted, not time', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(manyPackages(1500));
    const thread = await startThread({ default: upstream.url });
    const [ownBefore, allBefore] = [process.threadCpuUsage(), process.cpuUsage()];
    await thread.sync('default');
    const [own, all] = [process.threadCpuUsage(ownBefore), process.cpuUsage(allBefore)];
    expect(own.user + own.system).toBeLessThan((all.user + all.system) / 2);
  });

  test.skipIf(process.platform !== 'linux' || getPriority(process.pid) > 14)(
    'gives way to this thread',
    async () => {
      const upstream = await startUpstream();
      upstream.serveIndex(repositoryOf('a.1'));
      const thread = await startThread({ default: upstream.url });
      const niceness = (task: string): number => {
        const stat = readFileSync(`/proc/self/task/${task}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
      };
      const before = readdirSync('/proc/self/task');
      await thread.sync('default');
      const own = /[0-9]+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? '';
      expect(niceness(own)).toBe(getPriority(process.pid));
      const fresh = readdirSync('/proc/self/task').filter((task) => !before.includes(task));
      expect(fresh.map(niceness)).toContain(19);
      // What collects garbage, that of the sync above all and this thread's too, gives way a little.
      const collectors = readdirSync('/proc/self/task').filter(
        (task) => readFileSync(`/proc/self/task/${task}/comm`, 'latin1') === 'V8Worker\n',
      );
      expect(collectors.length).toBeGreaterThan(0);
      expect(collectors.map(niceness)).toEqual(collectors.map(() => getPriority(process.pid) + 5));
    },
  );

  test('is seen by a mirror of this thread, and knows what it did when the next one comes', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const mirror = await TestMirror.open({ default: upstream.url });
    const thread = new SyncThread(mirror.config);
    onTestFinished(() => thread.stop());
    const first = await thread.sync('default');
    expect(first).toMatchObject({ kind: 'published', summary: { versions: 1 } });
    expect(await mirror.index()).toHaveLength(
      (await mirror.mirror.catalogue.currentSnapshot('default'))?.size ?? 0,
    );
    upstream.serveIndex(repositoryOf('a.1', 'a.2'));
    expect(await thread.sync('default')).toMatchObject({ kind: 'published', counts: { filesParsed: 1 } });
    expect(await thread.sync('default')).toEqual({ kind: 'not-modified' });
  });

  test('fails with code and message', async () => {
    const thread = await startThread({ default: 'http://127.0.0.1:1' });
    const failure = await failureOf(thread.sync('default'));
    expect(failure).toMatchObject({
      code: 'upstream-unreachable',
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });

  test('of a repository that is not configured fails, and does not wait for ever', async () => {
    const thread = await startThread({ default: 'http://127.0.0.1:1' });
    expect(await failureOf(thread.sync('other'))).toMatchObject({ code: 'usage' });
  });

  test('that is asked for twice is done twice, and both are answered', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const thread = await startThread({ default: upstream.url });
    const reports = await Promise.all([thread.sync('default'), thread.sync('default')]);
    expect(reports.map(({ kind }) => kind).sort()).toEqual(['not-modified', 'published']);
  });

  test('of one repository does not wait for that of another', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    upstream.set('/slow/index.tar.gz', () => undefined);
    const thread = await startThread({ slow: `${upstream.url}/slow`, default: upstream.url });
    const slow = failureOf(thread.sync('slow'));
    await upstream.asked('/slow/index.tar.gz');
    expect((await thread.sync('default')).kind).toBe('published');
    await thread.stop();
    expect(await slow).toMatchObject({ code: 'aborted' });
  });
});

describe('stop', () => {
  test('ends what is under way, with the connection to the upstream', async () => {
    const upstream = await startUpstream();
    const hungUp = Promise.withResolvers<void>();
    upstream.set('/index.tar.gz', (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('some');
      response.once('close', () => hungUp.resolve());
    });
    const thread = await startThread({ default: upstream.url });
    const syncing = failureOf(thread.sync('default'));
    await upstream.asked('/index.tar.gz');
    await thread.stop();
    expect(await syncing).toMatchObject({ code: 'aborted' });
    await hungUp.promise;
  });

  test('may come at once, twice, and before any sync; afterwards nothing is taken on', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const thread = await startThread({ default: upstream.url });
    const syncing = failureOf(thread.sync('default'));
    await Promise.all([thread.stop(), thread.stop()]);
    expect(await syncing).toMatchObject({ code: 'aborted' });
    expect(await failureOf(thread.sync('default'))).toMatchObject({ code: 'aborted' });
    const unused = await startThread({ default: upstream.url });
    await unused.stop();
    expect(await failureOf(unused.sync('default'))).toMatchObject({ code: 'aborted' });
  });
});

describe('a worker that dies', () => {
  const script = new URL('./dying-worker.ts', import.meta.url);

  test.each([
    ['throws', 'internal'],
    ['exits', 'aborted'],
  ])('%s: what it was asked fails, and the next sync has a new one', async (repository, code) => {
    const thread = await startThread({}, script);
    const others = failureOf(thread.sync('never answers'));
    expect(await failureOf(thread.sync(repository))).toMatchObject({ code });
    expect(await others).toMatchObject({ code });
    expect(await thread.sync('default')).toEqual({ kind: 'not-modified' });
  });
});

test('a store that cannot be opened is told of, and tried again with the next sync', async () => {
  const folder = await temporaryFolder();
  const upstream = await startUpstream();
  upstream.serveIndex(repositoryOf('a.1'));
  const data = join(folder, 'data');
  await writeFile(data, 'a file in its place');
  const thread = new SyncThread(configOf(data, { default: upstream.url }));
  onTestFinished(() => thread.stop());
  expect(await failureOf(thread.sync('default'))).toMatchObject({ code: 'store-failed' });
  await rm(data);
  expect((await thread.sync('default')).kind).toBe('published');
});
