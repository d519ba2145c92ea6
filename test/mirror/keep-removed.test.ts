/** Versions that the upstream removed are served for a while (issue 4, point 3), by the mirror's clock. */
import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../support/guard-trees.ts';
import { type Files, manyPackages, opamPath, REPO, repositoryOf, version } from '../support/tree-builder.ts';
import { failureOf, type Settings, settingsOf, startUpstream, TestMirror } from './test-mirror.ts';

const DAY = 86_400_000;

async function begin(settings: Omit<Settings, 'upstream'>, files: Files = repositoryOf('p.1', 'q.1')) {
  const upstream = await startUpstream();
  upstream.serveIndex(files);
  const mirror = await TestMirror.with({ ...settings, upstream: upstream.url });
  await mirror.publish();
  const has = async (id: string): Promise<boolean> => opamPath(id) in (await mirror.files());
  return { upstream, mirror, has };
}

describe('after the upstream removed a version', () => {
  test.each([
    ['by default', {}, 90],
    ['with keep_removed = "3d"', { keep_removed: '3d' }, 3],
  ])('%s it is served to the millisecond, and then no more', async (_, settings, days) => {
    const { upstream, mirror, has } = await begin(settings);
    upstream.serveIndex(repositoryOf('q.1'));
    const { summary } = await mirror.publish();
    expect(summary).toMatchObject({ versions: 2, removed: 1, changesAt: mirror.clock.now() + days * DAY });
    expect(await mirror.told()).toEqual(['changed p.1 version-removed']);
    mirror.clock.advance(days * DAY - 1);
    expect((await mirror.sync()).kind).toBe('not-modified');
    expect(await has('p.1')).toBe(true);
    mirror.clock.advance(1);
    expect(await mirror.sync()).toMatchObject({ kind: 'published', summary: { versions: 1, removed: 0 } });
    expect(await has('p.1')).toBe(false);
    expect(upstream.notModified).toBe(2);
    expect((await mirror.sync()).kind).toBe('not-modified');
    expect(await mirror.told()).toHaveLength(1);
  });

  test('its time ends also while the upstream is down', async () => {
    const { upstream, mirror, has } = await begin({ keep_removed: '3d' });
    upstream.serveIndex(repositoryOf('q.1'));
    await mirror.publish();
    upstream.fail('/index.tar.gz', 503);
    await mirror.restart();
    mirror.clock.advance(3 * DAY - 1);
    await failureOf(mirror.sync());
    expect(await has('p.1')).toBe(true);
    mirror.clock.advance(1);
    await failureOf(mirror.sync());
    expect(await has('p.1')).toBe(false);
  });

  test.each([
    ['0', 0, false],
    ['forever', 'forever', true],
  ] as const)('with keep_removed = %s', async (_, keep, isKept) => {
    const { upstream, mirror, has } = await begin({ keep_removed: keep });
    upstream.serveIndex(repositoryOf('q.1'));
    const { summary } = await mirror.publish();
    expect(summary.changesAt).toBeUndefined();
    mirror.clock.advance(100_000 * DAY);
    await mirror.sync();
    expect(await has('p.1')).toBe(isKept);
  });

  test('its time is not begun anew by what the upstream does elsewhere', async () => {
    const { upstream, mirror, has } = await begin({ keep_removed: '3d' });
    upstream.serveIndex(repositoryOf('q.1'));
    await mirror.publish();
    for (const id of ['q.2', 'q.3', 'q.4']) {
      mirror.clock.advance(DAY);
      upstream.serveIndex({ ...repositoryOf('q.1'), ...version(id) });
      await mirror.publish();
    }
    expect(await has('p.1')).toBe(false);
    expect((await mirror.state()).removed).toEqual({ 'q.2': expect.any(Number), 'q.3': expect.any(Number) });
  });

  test('a clock that jumps back neither ends nor lengthens its time', async () => {
    const { upstream, mirror, has } = await begin({ keep_removed: '3d' });
    upstream.serveIndex(repositoryOf('q.1'));
    await mirror.publish();
    mirror.clock.advance(-30 * DAY);
    upstream.serveIndex(repositoryOf('q.1', 'r.1'));
    await mirror.publish();
    expect(await has('p.1')).toBe(true);
    mirror.clock.advance(33 * DAY - 1);
    await mirror.sync();
    expect(await has('p.1')).toBe(true);
    mirror.clock.advance(1);
    await mirror.sync();
    expect(await has('p.1')).toBe(false);
  });

  test('another keep_removed holds at once, in both directions', async () => {
    const { upstream, mirror, has } = await begin({ keep_removed: '3d' });
    upstream.serveIndex(repositoryOf('q.1'));
    await mirror.publish();
    mirror.clock.advance(2 * DAY);
    const { data } = mirror.config;
    await mirror.restart(settingsOf(data, { upstream: upstream.url, keep_removed: '30d' }));
    await mirror.sync();
    mirror.clock.advance(2 * DAY);
    await mirror.sync();
    expect(await has('p.1')).toBe(true);
    await mirror.restart(settingsOf(data, { upstream: upstream.url, keep_removed: '1d' }));
    await mirror.sync();
    expect(await has('p.1')).toBe(false);
  });

  test('its archive is answered for as long, and afterwards for the snapshots that had it', async () => {
    const { upstream, mirror } = await begin(
      { keep_removed: '3d' },
      {
        ...repositoryOf('q.1'),
        ...version('p.1', { checksums: [sha256('a')] }),
      },
    );
    upstream.serveIndex(repositoryOf('q.1'));
    await mirror.publish();
    expect(await mirror.lists(sha256('a'))).toBe(true);
    mirror.clock.advance(3 * DAY);
    await mirror.sync();
    expect(await mirror.lists(sha256('a'))).toBe(true);
  });

  test('the share that must remain is of what the upstream offers, not of what is kept', async () => {
    const { upstream, mirror } = await begin({ minimum_remaining: 0.5 }, manyPackages(10));
    upstream.serveIndex(manyPackages(6));
    await mirror.publish();
    upstream.serveIndex(manyPackages(3));
    await mirror.publish();
    upstream.serveIndex(manyPackages(1));
    expect(await failureOf(mirror.sync())).toMatchObject({ code: 'snapshot-refused' });
    upstream.serveIndex(REPO);
    expect(await failureOf(mirror.sync())).toMatchObject({ code: 'repository-empty' });
    expect(Object.keys(await mirror.files())).toHaveLength(21);
  });
});

describe('a version that was removed comes back', () => {
  const A = version('p.1', { checksums: [sha256('a')] });
  const B = version('p.1', { checksums: [sha256('b')] });

  async function removed(settings: Omit<Settings, 'upstream'>, days: number) {
    const course = await begin(settings, { ...repositoryOf('q.1'), ...A });
    const offer = async (...files: readonly Files[]) => {
      course.upstream.serveIndex(Object.assign({}, repositoryOf('q.1'), ...files));
      return course.mirror.publish();
    };
    await offer();
    course.mirror.clock.advance(days * DAY);
    await course.mirror.sync();
    return { ...course, offer };
  }

  test.each([1, 5])('as it was, after %d days: it is served as any other', async (days) => {
    const { mirror, offer, has } = await removed({ keep_removed: '3d' }, days);
    expect((await offer(A)).summary).toMatchObject({ held: [], keptBack: [], removed: 0 });
    mirror.clock.advance(100 * DAY);
    await mirror.sync();
    expect(await has('p.1')).toBe(true);
    expect(await mirror.told()).toEqual(['changed p.1 version-removed']);
  });

  test('altered, within its time: kept back, and gone when its time is over, as if it were not back', async () => {
    const { mirror, offer, has } = await removed({ keep_removed: '3d' }, 1);
    const reborn = [{ version: 'p.1', rule: 'version-reborn', reason: expect.any(String) }];
    expect((await offer(B)).summary).toMatchObject({ held: [], keptBack: reborn, removed: 1 });
    expect((await mirror.files())[opamPath('p.1')]).toBe(A[opamPath('p.1')]);
    mirror.clock.advance(2 * DAY);
    expect(await mirror.publish()).toMatchObject({
      summary: { held: reborn, keptBack: [], removed: 0 },
    });
    expect(await has('p.1')).toBe(false);
    expect((await offer(B, version('q.2'))).summary).toMatchObject({ held: reborn, keptBack: [] });
    expect((await mirror.state()).held).toMatchObject([{ version: 'p.1', served: 'none' }]);
    expect((await mirror.told()).filter((line) => line.startsWith('held'))).toEqual([
      'held p.1 version-reborn',
    ]);
  });

  test('altered, after its time: held, and when a person releases it, served', async () => {
    const { mirror, offer } = await removed({ keep_removed: '3d' }, 5);
    await offer(version('q.2'));
    expect((await offer(B)).summary.held).toMatchObject([{ version: 'p.1', rule: 'version-reborn' }]);
    expect(await mirror.lists(sha256('b'))).toBe(false);
    await mirror.release('p.1');
    await mirror.publish();
    expect((await mirror.files())[opamPath('p.1')]).toBe(B[opamPath('p.1')]);
    expect(await mirror.lists(sha256('b'))).toBe(true);
  });

  test('with other commands and the same archive: no other project', async () => {
    const { mirror, offer } = await removed({ keep_removed: '3d' }, 1);
    const other = version('p.1', { checksums: [sha256('a')], more: 'build: ["make"]' });
    expect((await offer(other)).summary).toMatchObject({ held: [], keptBack: [] });
    expect((await mirror.files())[opamPath('p.1')]).toBe(other[opamPath('p.1')]);
  });

  test('with other commands, while its last good form stands: a change like any other', async () => {
    const { mirror, offer } = await removed({ keep_removed: '3d', policy: { 'build-changed': 'hold' } }, 1);
    const other = version('p.1', { checksums: [sha256('a')], more: 'build: ["make"]' });
    expect((await offer(other)).summary.keptBack).toMatchObject([{ version: 'p.1', rule: 'build-changed' }]);
    expect((await mirror.files())[opamPath('p.1')]).toBe(A[opamPath('p.1')]);
  });

  test('one that compares equal takes its place at once', async () => {
    const { offer, has } = await removed({ keep_removed: '3d' }, 1);
    const respelled = version('p.01', { checksums: [sha256('a')] });
    expect((await offer(respelled)).summary).toMatchObject({ held: [], removed: 0 });
    expect([await has('p.1'), await has('p.01')]).toEqual([false, true]);
  });

  test('one that compares equal, with another archive, does not', async () => {
    const { offer, has } = await removed({ keep_removed: '3d' }, 1);
    expect((await offer(version('p.01'))).summary).toMatchObject({
      held: [{ version: 'p.01', rule: 'version-reborn' }],
      removed: 1,
    });
    expect([await has('p.1'), await has('p.01')]).toEqual([true, false]);
  });

  test('then the removed one is the new one, which is held', async () => {
    const { offer, has } = await removed({ keep_removed: '3d' }, 1);
    const respelled = version('p.01', { checksums: [sha256('a')] });
    await offer(respelled);
    expect((await offer(respelled, A)).summary.held).toMatchObject([
      { version: 'p.1', rule: 'equal-version' },
    ]);
    expect([await has('p.1'), await has('p.01')]).toEqual([false, true]);
  });
});

describe('what is kept, and the store', () => {
  test('a kept version whose bytes the disk lost goes, and everything else goes on', async () => {
    const { upstream, mirror, has } = await begin({ keep_removed: '30d' }, manyPackages(40));
    upstream.serveIndex(manyPackages(39));
    await mirror.publish();
    for (const { path } of await mirror.blobs()) await rm(path);
    await mirror.restart();
    await mirror.publish();
    expect([await has('p38.2'), await has('p39.2')]).toEqual([true, false]);
    expect((await mirror.state()).removed).toEqual({});
  });

  test('a kept version that is denied goes with its archive, for ever when its time is over meanwhile', async () => {
    const { upstream, mirror, has } = await begin(
      { keep_removed: '3d' },
      { ...repositoryOf('q.1'), ...version('p.1', { checksums: [sha256('a')] }) },
    );
    upstream.serveIndex(repositoryOf('q.1'));
    await mirror.publish();
    await mirror.deny('p');
    await mirror.rederive();
    expect([await has('p.1'), await mirror.lists(sha256('a'))]).toEqual([false, false]);
    mirror.clock.advance(3 * DAY);
    await mirror.sync();
    await mirror.undeny('p');
    await mirror.rederive();
    expect([await has('p.1'), await mirror.lists(sha256('a'))]).toEqual([false, false]);
  });

  test('an archive that a denied version shares with another goes when that other goes', async () => {
    const shared = [sha256('a')];
    const { upstream, mirror } = await begin(
      { keep_removed: '3d', deny: ['p'] },
      {
        ...repositoryOf('q.1'),
        ...version('p.1', { checksums: shared }),
        ...version('r.1', { checksums: shared }),
      },
    );
    expect(await mirror.lists(sha256('a'))).toBe(true);
    upstream.serveIndex({ ...repositoryOf('q.1'), ...version('p.1', { checksums: shared }) });
    await mirror.publish();
    expect(await mirror.lists(sha256('a'))).toBe(true);
    mirror.clock.advance(3 * DAY);
    await mirror.sync();
    expect(await mirror.lists(sha256('a'))).toBe(false);
  });
});
