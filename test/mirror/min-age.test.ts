/** `min_age`: what this mirror saw only just now is not served yet (issue 4, point 5; HOSTILE 7). */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../support/guard-trees.ts';
import { type Files, opamPath, REPO, repositoryOf, version } from '../support/tree-builder.ts';
import {
  failureOf,
  type Settings,
  settingsOf,
  startUpstream,
  TestMirror,
  temporaryFolder,
} from './test-mirror.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

type Given = Omit<Settings, 'upstream'>;

async function begin(settings: Given, more: object = {}, files: Files = repositoryOf('p.1')) {
  const upstream = await startUpstream();
  upstream.serveIndex(files);
  const mirror = await TestMirror.with({ min_age: '3d', ...settings, upstream: upstream.url }, more);
  const first = await mirror.publish();
  const served = async (): Promise<string[]> =>
    Object.keys(await mirror.files()).flatMap((path) => path.split('/')[2] ?? []);
  const offer = async (...ids: readonly string[]) => {
    upstream.serveIndex(repositoryOf(...ids));
    return mirror.publish();
  };
  return { upstream, mirror, first, served, offer };
}

describe('a new version', () => {
  test('waits to the millisecond, in the index and for its archive', async () => {
    const { upstream, mirror, served, offer } = await begin({});
    upstream.serveIndex({ ...repositoryOf('p.1'), ...version('p.2', { checksums: [sha256('a')] }) });
    const { summary } = await mirror.publish();
    expect(summary).toMatchObject({
      held: [
        {
          version: 'p.2',
          rule: 'min-age',
          reason:
            'it was first seen 2026-01-01T00:00:00Z, and min_age keeps it back until 2026-01-04T00:00:00Z',
        },
      ],
      changesAt: mirror.clock.now() + 3 * DAY,
    });
    expect(await served()).toEqual(['p.1']);
    expect(await mirror.lists(sha256('a'))).toBe(false);
    mirror.clock.advance(3 * DAY - 1);
    expect((await mirror.sync()).kind).toBe('not-modified');
    mirror.clock.advance(1);
    expect(await mirror.sync()).toMatchObject({ kind: 'published', counts: { filesParsed: 0 } });
    expect(await served()).toEqual(['p.1', 'p.2']);
    expect(await mirror.lists(sha256('a'))).toBe(true);
    expect(upstream.notModified).toBe(2);
    expect(await mirror.told()).toEqual(['held p.2 min-age', 'unheld p.2 min-age']);
    await offer('p.1', 'p.2', 'p.3');
    expect(await served()).toEqual(['p.1', 'p.2']);
  });

  test('comes also while the upstream is down, and after a restart', async () => {
    const { upstream, mirror, served, offer } = await begin({});
    await offer('p.1', 'p.2');
    upstream.fail('/index.tar.gz', 503);
    mirror.clock.advance(3 * DAY - 1);
    await failureOf(mirror.sync());
    expect(await served()).toEqual(['p.1']);
    await mirror.restart();
    mirror.clock.advance(1);
    await failureOf(mirror.sync());
    expect(await served()).toEqual(['p.1', 'p.2']);
  });

  test('each waits on its own, and the next moment is told', async () => {
    const { mirror, served, offer } = await begin({});
    const start = mirror.clock.now();
    await offer('p.1', 'p.2');
    mirror.clock.advance(DAY);
    expect((await offer('p.1', 'p.2', 'p.3')).summary.changesAt).toBe(start + 3 * DAY);
    mirror.clock.advance(2 * DAY);
    expect((await mirror.publish()).summary.changesAt).toBe(start + 4 * DAY);
    expect(await served()).toEqual(['p.1', 'p.2']);
    mirror.clock.advance(DAY);
    expect((await mirror.publish()).summary.changesAt).toBeUndefined();
    expect(await served()).toEqual(['p.1', 'p.2', 'p.3']);
  });

  test('does not wait anew because its files changed, nor because it went and came back', async () => {
    const { upstream, mirror, served, offer } = await begin({ keep_removed: 0 });
    await offer('p.1', 'p.2');
    mirror.clock.advance(DAY);
    await offer('p.1');
    mirror.clock.advance(DAY);
    upstream.serveIndex({ ...repositoryOf('p.1'), ...version('p.2', { more: 'depends: "ocaml"' }) });
    await mirror.publish();
    expect(await served()).toEqual(['p.1']);
    mirror.clock.advance(DAY);
    await mirror.sync();
    expect(await served()).toEqual(['p.1', 'p.2']);
  });

  test('that the guard held might have been anything by then: released, it waits from that moment', async () => {
    const { mirror, served, offer } = await begin({}, {}, repositoryOf('p.1.0'));
    await offer('p.1.0', 'p.1.00');
    mirror.clock.advance(10 * DAY);
    await mirror.release('p.1.00');
    expect((await mirror.publish()).summary.held).toMatchObject([{ version: 'p.1.00', rule: 'min-age' }]);
    mirror.clock.advance(3 * DAY);
    await mirror.sync();
    expect(await served()).toEqual(['p.1.0', 'p.1.00']);
  });

  test('what it declares about its date changes nothing', async () => {
    const { upstream, mirror, served } = await begin({});
    upstream.serveIndex({ ...repositoryOf('p.1'), ...version('p.2', { more: 'x-date: "2001-01-01"' }) });
    await mirror.publish();
    expect(await served()).toEqual(['p.1']);
  });
});

describe('the versions of the very first tree', () => {
  test('are served at once by default', async () => {
    const { first, served } = await begin({});
    expect(first.summary).toMatchObject({ held: [] });
    expect(first.summary.changesAt).toBeUndefined();
    expect(await served()).toEqual(['p.1']);
  });

  test('wait as well with min_age_baseline = "wait"', async () => {
    const { mirror, first, served } = await begin({ min_age_baseline: 'wait' });
    expect(first.summary.held).toMatchObject([{ version: 'p.1', rule: 'min-age' }]);
    expect(await served()).toEqual([]);
    mirror.clock.advance(3 * DAY);
    await mirror.sync();
    expect(await served()).toEqual(['p.1']);
  });

  test('are those of the mirror, not of the upstream: after one is there, no other is the first', async () => {
    const { mirror, served } = await begin({});
    const other = await startUpstream();
    other.serveIndex(repositoryOf('p.1', 'z.1'));
    await mirror.restart(settingsOf(mirror.config.data, { upstream: other.url, min_age: '3d' }));
    await mirror.publish();
    expect(await served()).toEqual(['p.1']);
  });

  test('min_age that is set later counts from when this mirror saw a version, as it always kept', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('p.1'));
    const mirror = await TestMirror.with({ upstream: upstream.url });
    await mirror.publish();
    upstream.serveIndex(repositoryOf('p.1', 'p.2'));
    await mirror.publish();
    mirror.clock.advance(2 * DAY);
    upstream.serveIndex(repositoryOf('p.1', 'p.2', 'p.3'));
    await mirror.publish();
    mirror.clock.advance(DAY);
    await mirror.restart(settingsOf(mirror.config.data, { upstream: upstream.url, min_age: '3d' }));
    const { summary } = await mirror.publish();
    expect(summary.held).toMatchObject([{ version: 'p.3', rule: 'min-age' }]);
  });
});

describe('what does not wait', () => {
  test.each([
    [['p'], ['p.2']],
    [['p{>= "2"}'], ['p.2']],
    [['p{> "2"}'], []],
    [['q*'], ['q.1']],
    [['*'], ['p.2', 'q.1']],
  ])('with min_age_exempt = %j: %j', async (exempt, others) => {
    const { served, offer } = await begin({ min_age_exempt: exempt });
    await offer('p.1', 'p.2', 'q.1');
    expect(await served()).toEqual(['p.1', ...others]);
  });

  test('a version that a person released', async () => {
    const { mirror, served, offer } = await begin({});
    await offer('p.1', 'p.2', 'p.3');
    await mirror.release('p.2');
    await mirror.rederive();
    expect(await served()).toEqual(['p.1', 'p.2']);
  });

  test('a version that an advisory names as a fix, as soon as the advisory is there', async () => {
    const folder = join(await temporaryFolder(), 'advisories');
    await mkdir(folder);
    const { mirror, served, offer } = await begin({}, { advisories: { source: folder, interval: '1h' } });
    await offer('p.1', 'p.2', 'p.3');
    expect(await served()).toEqual(['p.1']);
    const ranges = [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '2' }] }];
    const affected = [{ package: { ecosystem: 'opam', name: 'p' }, ranges }];
    await writeFile(join(folder, 'OSEC-2026-01.json'), JSON.stringify({ id: 'OSEC-2026-01', affected }));
    mirror.clock.advance(HOUR);
    const { summary } = await mirror.publish();
    expect(await served()).toEqual(['p.1', 'p.2']);
    expect(summary.warned).toMatchObject([{ version: 'p.1', rule: 'advisory' }]);
    expect(summary.held).toMatchObject([{ version: 'p.3', rule: 'min-age' }]);
  });
});

describe('a clock that jumps', () => {
  test('back: what waits does not come earlier, and what is served does not come back into waiting', async () => {
    const { mirror, served, offer } = await begin({});
    await offer('p.1', 'p.2');
    mirror.clock.advance(-30 * DAY);
    await mirror.sync();
    expect(await served()).toEqual(['p.1']);
    await offer('p.1', 'p.2', 'p.3');
    expect(await served()).toEqual(['p.1']);
    mirror.clock.advance(3 * DAY);
    await mirror.sync();
    expect(await served()).toEqual(['p.1', 'p.3']);
    mirror.clock.advance(30 * DAY);
    await mirror.sync();
    expect(await served()).toEqual(['p.1', 'p.2', 'p.3']);
  });
});

test('a change of min_age holds at once, also with the upstream down', async () => {
  const { upstream, mirror, served, offer } = await begin({});
  await offer('p.1', 'p.2');
  mirror.clock.advance(2 * DAY);
  upstream.fail('/index.tar.gz', 503);
  await mirror.restart(settingsOf(mirror.config.data, { upstream: upstream.url, min_age: '2d' }));
  await failureOf(mirror.sync());
  expect(await served()).toEqual(['p.1', 'p.2']);
  await mirror.restart(settingsOf(mirror.config.data, { upstream: upstream.url, min_age: '5d' }));
  await failureOf(mirror.sync());
  expect(await served()).toEqual(['p.1']);
});

test('a version that cannot be read is first seen when it can', async () => {
  const { upstream, mirror, served } = await begin({});
  upstream.serveIndex({ ...repositoryOf('p.1'), [opamPath('p.2')]: '(' });
  await mirror.publish();
  mirror.clock.advance(10 * DAY);
  upstream.serveIndex({ ...REPO, ...version('p.1'), ...version('p.2') });
  await mirror.publish();
  expect(await served()).toEqual(['p.1']);
  mirror.clock.advance(3 * DAY);
  await mirror.sync();
  expect(await served()).toEqual(['p.1', 'p.2']);
});
