/** Processes that share a store sync a repository one after the other. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import { acquireLock } from '../../src/store/lock.ts';
import { type Script, startScript } from '../support/store-processes.ts';
import { GitUpstream, manyPackages } from '../support/tree-builder.ts';
import { failureOf, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const FILES = manyPackages(10);

function startChild(mirror: TestMirror, upstream: string, step: string): Script {
  const child = startScript('child-sync', mirror.config.data, upstream, step);
  onTestFinished(() => void child.process.kill('SIGKILL'));
  return child;
}

/** Whether somebody holds the lock now. */
async function isHeld(mirror: TestMirror, repository = 'default'): Promise<boolean> {
  try {
    (await acquireLock(join(mirror.config.data, 'locks', `${repository}.sqlite`), 0, mirror.clock))();
    return false;
  } catch {
    return true;
  }
}

test('two processes sync at once: one publishes, the other finds it done', async () => {
  const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
  await git.commit(FILES);
  const mirror = await TestMirror.open({ default: git.url });
  const first = startChild(mirror, git.url, 'hold');
  await first.lines(1);
  expect(await isHeld(mirror)).toBe(true);
  const second = startChild(mirror, git.url, 'none');
  first.process.stdin.write('go on\n');
  expect(await first.ended).toMatchObject({ code: 0, output: 'holding\npublished\n' });
  expect(await second.ended).toMatchObject({ code: 0, output: 'not-modified\n' });
  expect(await mirror.events()).toEqual(['published']);
  expect(await isHeld(mirror)).toBe(false);
});

test('the lock of a process that was killed is free at once', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(FILES);
  const mirror = await TestMirror.open({ default: upstream.url });
  const child = startChild(mirror, upstream.url, 'hold');
  await child.lines(1);
  expect(await isHeld(mirror)).toBe(true);
  child.process.kill('SIGKILL');
  await child.ended;
  // The clock of this mirror stands still: waiting for the lock would have no end.
  expect((await mirror.sync()).kind).toBe('published');
});

test('another repository of the same store does not wait', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(FILES);
  const mirror = await TestMirror.open({ default: upstream.url, other: upstream.url });
  const child = startChild(mirror, upstream.url, 'hold');
  await child.lines(1);
  expect((await mirror.sync('other')).kind).toBe('published');
});

test('who waits for the lock can be told to stop, and gives up in the end', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(FILES);
  const mirror = await TestMirror.open({ default: upstream.url }, { index_timeout: '10s' });
  const child = startChild(mirror, upstream.url, 'hold');
  await child.lines(1);
  const sync = new RepositorySync({ ...mirror.mirror, repository: 'default' });

  const stop = new AbortController();
  const stopped = failureOf(sync.run(() => undefined, stop.signal));
  await mirror.clock.asleep();
  stop.abort();
  expect(await stopped).toMatchObject({ code: 'aborted' });

  const waited = failureOf(sync.run(() => undefined));
  await mirror.clock.asleep();
  mirror.clock.advance(10_000);
  expect(await waited).toMatchObject({
    code: 'store-failed',
    message: expect.stringContaining('another serai'),
  });
  expect(await mirror.mirror.catalogue.syncState('default')).toBeUndefined();
});
