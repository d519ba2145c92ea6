/** Archives with weak checksums, or none: their strong hashes are found once and pinned for ever (issue 4, point 4). */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseChecksum } from '../../src/opam/sources.ts';
import type { CountingUpstream } from '../support/counting-upstream.ts';
import { bytesOf as blobBytes } from '../support/store-blobs-reading.ts';
import { type Files, opamPath, REPO, repositoryOf, version } from '../support/tree-builder.ts';
import { failureOf, type Settings, settingsOf, startUpstream, TestMirror } from './test-mirror.ts';

const HOUR = 3_600_000;

function digest(kind: string, bytes: string): string {
  return `${kind}=${createHash(kind).update(bytes).digest('hex')}`;
}

/** The field as the mirror writes it for these bytes; `more` are the checksums that upstream gave. */
function checksumField(bytes: string, ...more: readonly string[]): RegExp {
  const all = [digest('sha256', bytes), digest('sha512', bytes), ...more];
  return new RegExp(`checksum: \\[\\s*${all.map((text) => `"${text}"`).join('\\s*')}\\s*\\]`);
}

interface Begun {
  readonly upstream: CountingUpstream;
  readonly mirror: TestMirror;
  /** An opam file as served. */
  opam(id: string): Promise<string | undefined>;
  offer(files: Files): Promise<void>;
}

async function begin(settings: Omit<Settings, 'upstream'>, files: (url: string) => Files): Promise<Begun> {
  const upstream = await startUpstream();
  const mirror = await TestMirror.with({ ...settings, upstream: upstream.url });
  upstream.serve('/p.tgz', Buffer.from('good'));
  upstream.serveIndex({ ...REPO, ...version('other.1'), ...files(upstream.url) });
  await mirror.sync();
  return {
    upstream,
    mirror,
    opam: async (id) => (await mirror.files())[opamPath(id)],
    offer: async (offered) => {
      upstream.serveIndex({ ...REPO, ...version('other.1'), ...offered });
      await mirror.sync();
    },
  };
}

/** One whose archive lies at `/p.tgz` of the upstream. */
function weak(id: string, url: string, checksums = [digest('md5', 'good')]): Files {
  return version(id, { sources: [`${url}/p.tgz`], checksums });
}

/** What a client gets who asks for this checksum. */
async function bytesOf(mirror: TestMirror, checksum: string): Promise<string> {
  const parsed = parseChecksum(checksum);
  if (parsed === undefined) throw new Error(`${checksum} is no checksum`);
  const { archives, blobs } = mirror.mirror;
  const { blob } = await archives.obtain('default', await archives.listed('default', parsed));
  return Buffer.from(await blobBytes(blobs, blob)).toString();
}

describe('md5 only', () => {
  test('is fetched once, and its sha256 and sha512 stand in the served file for ever', async () => {
    const { upstream, mirror, opam, offer } = await begin({}, (url) => weak('p.1', url));
    expect(await opam('p.1')).toMatch(checksumField('good', digest('md5', 'good')));
    expect(await mirror.told()).toEqual(['pinned']);
    const served = await opam('p.1');
    // The upstream's archive is another one from now on, or gone.
    upstream.serve('/p.tgz', Buffer.from('evil'));
    await mirror.restart();
    expect((await mirror.sync()).kind).toBe('not-modified');
    await offer({ ...weak('p.1', upstream.url), ...version('new.1') });
    expect(await opam('p.1')).toBe(served);
    expect(upstream.requests('/p.tgz')).toBe(1);
    expect(await mirror.told()).toEqual(['pinned']);
  });

  test('its md5 alone answers for nothing any more: no other bytes with the same md5 can take its place', async () => {
    const { mirror } = await begin({}, (url) => weak('p.1', url));
    const md5 = parseChecksum(digest('md5', 'good'));
    if (md5 === undefined) throw new Error('no md5');
    const kinds = async (): Promise<string[][]> =>
      (await mirror.mirror.archives.listed('default', md5)).map(({ checksums }) =>
        checksums.map(({ kind }) => kind).sort(),
      );
    expect(await kinds()).toEqual([['md5', 'sha256', 'sha512']]);
    await mirror.deny('p');
    await mirror.rederive();
    expect(await kinds()).toEqual([]);
    await mirror.undeny('p');
    await mirror.rederive();
    expect(await kinds()).toEqual([['md5', 'sha256', 'sha512']]);
  });

  test('another version with the same md5 is strengthened by the same pin, without a request', async () => {
    const { upstream, opam, offer } = await begin({}, (url) => weak('p.1', url));
    upstream.fail('/p.tgz', 404);
    await offer({ ...weak('p.1', upstream.url), ...weak('p.2', 'https://gone.example') });
    expect(await opam('p.2')).toMatch(checksumField('good', digest('md5', 'good')));
    expect(upstream.requests('/p.tgz')).toBe(1);
  });

  test('two versions that come together cost one request', async () => {
    const { upstream, mirror, opam } = await begin({}, (url) => ({
      ...weak('p.1', url),
      ...weak('p.2', url),
    }));
    expect(upstream.requests('/p.tgz')).toBe(1);
    expect(await mirror.told()).toEqual(['pinned']);
    expect(await opam('p.2')).toMatch(checksumField('good', digest('md5', 'good')));
  });

  test('bytes that are here already are not fetched again', async () => {
    const { upstream, opam, offer, mirror } = await begin({ weak_hashes: 'warn' }, (url) => weak('p.1', url));
    expect(await opam('p.1')).not.toContain('sha512');
    expect(await bytesOf(mirror, digest('md5', 'good'))).toBe('good');
    expect(upstream.requests('/p.tgz')).toBe(1);
    await mirror.restart(settingsOf(mirror.config.data, { upstream: upstream.url }));
    await offer(weak('p.1', upstream.url));
    expect(await opam('p.1')).toMatch(checksumField('good', digest('md5', 'good')));
    expect(upstream.requests('/p.tgz')).toBe(1);
  });

  test.each([
    ['wrong bytes', 'evil'],
    ['no answer', undefined],
  ])(
    '%s: served as it is with a warning, tried again ever less often, and pinned at last',
    async (_, bytes) => {
      const upstream = await startUpstream();
      if (bytes === undefined) upstream.fail('/p.tgz', 503);
      else upstream.serve('/p.tgz', Buffer.from(bytes));
      upstream.serveIndex({ ...repositoryOf('other.1'), ...weak('p.1', upstream.url) });
      const mirror = await TestMirror.with({ upstream: upstream.url });
      const { summary } = await mirror.publish();
      expect(summary.warned).toEqual([
        { version: 'p.1', rule: 'weak-hashes', reason: expect.stringContaining('could not be fetched yet') },
      ]);
      const asked: number[] = [];
      for (let hour = 0; hour < 12; hour++) {
        asked.push(upstream.requests('/p.tgz'));
        mirror.clock.advance(HOUR);
        await mirror.sync();
        await mirror.sync();
      }
      // After 1 hour, 2 more, 4 more.
      expect(asked).toEqual([1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4]);
      expect((await mirror.files())[opamPath('p.1')]).not.toContain('sha256');
      upstream.serve('/p.tgz', Buffer.from('good'));
      mirror.clock.advance(24 * HOUR);
      const outcome = await mirror.publish();
      expect(outcome).toMatchObject({ kind: 'published', summary: { warned: [] } });
      expect((await mirror.files())[opamPath('p.1')]).toContain(digest('sha256', 'good'));
    },
  );

  test('mirrors of the file are asked too', async () => {
    const { opam } = await begin({}, (url) =>
      version('p.1', { sources: [`${url}/gone.tgz`, `${url}/p.tgz`], checksums: [digest('md5', 'good')] }),
    );
    expect(await opam('p.1')).toContain(digest('sha512', 'good'));
  });

  test.each([
    ['allow', 0],
    ['warn', 1],
  ] as const)('weak_hashes = "%s" fetches nothing', async (action, warnings) => {
    const { upstream, mirror, opam } = await begin({ weak_hashes: action }, (url) => weak('p.1', url));
    expect(await opam('p.1')).toBe(weak('p.1', upstream.url)[opamPath('p.1')]);
    expect(upstream.requests('/p.tgz')).toBe(0);
    const snapshot = await mirror.mirror.catalogue.currentSnapshot('default');
    expect(JSON.parse(snapshot?.summary ?? '').warned).toHaveLength(warnings);
  });

  test('weak_hashes = "hold" does not serve it, until a person releases it', async () => {
    const { mirror, opam } = await begin({ weak_hashes: 'hold' }, (url) => weak('p.1', url));
    expect(await opam('p.1')).toBeUndefined();
    expect(await mirror.lists(digest('md5', 'good'))).toBe(false);
    await mirror.release('p.1');
    await mirror.rederive();
    expect(await opam('p.1')).toBeDefined();
    expect(await mirror.lists(digest('md5', 'good'))).toBe(true);
  });

  test('a denied one is served neither by its md5 nor by what was pinned', async () => {
    const { mirror } = await begin({}, (url) => weak('p.1', url));
    const all = ['md5', 'sha256', 'sha512'].map((kind) => digest(kind, 'good'));
    for (const checksum of all) expect(await mirror.lists(checksum)).toBe(true);
    await mirror.deny('p');
    await mirror.rederive();
    for (const checksum of all) expect(await mirror.lists(checksum)).toBe(false);
    await mirror.undeny('p');
    await mirror.rederive();
    for (const checksum of all) expect(await mirror.lists(checksum)).toBe(true);
  });
});

describe('what upstream adds to a pinned archive', () => {
  const md5 = digest('md5', 'good');

  test.each([
    ['the hash of the pinned bytes', [md5, digest('sha256', 'good')], undefined],
    [
      'a hash of other bytes, which an md5 cannot tell apart',
      [md5, digest('sha256', 'evil')],
      'archive-altered',
    ],
    [
      'one right and one of other bytes',
      [md5, digest('sha256', 'good'), digest('sha512', 'evil')],
      'archive-altered',
    ],
  ])('%s', async (_, checksums, rule) => {
    const { upstream, mirror, opam, offer } = await begin({}, (url) => weak('p.1', url));
    const pinned = await opam('p.1');
    await offer(weak('p.1', upstream.url, checksums));
    const { held } = await mirror.state();
    expect(held.map((change) => change.class)).toEqual(rule === undefined ? [] : [rule]);
    if (rule === undefined)
      expect(await opam('p.1')).toBe(weak('p.1', upstream.url, checksums)[opamPath('p.1')]);
    else expect(await opam('p.1')).toBe(pinned);
  });

  test('while it is gone and comes back: version-reborn', async () => {
    const { upstream, mirror, offer } = await begin({ keep_removed: 0 }, (url) => weak('p.1', url));
    await offer({});
    await offer(weak('p.1', upstream.url, [md5, digest('sha256', 'evil')]));
    expect((await mirror.state()).held).toMatchObject([{ class: 'version-reborn', served: 'none' }]);
    await offer(weak('p.1', upstream.url, [md5, digest('sha256', 'good')]));
    expect((await mirror.state()).held).toEqual([]);
  });

  test('where there was no checksum, the pin tells as well', async () => {
    const settings = { missing_hashes: 'strengthen' } as const;
    const { upstream, mirror, offer } = await begin(settings, (url) => weak('p.1', url, []));
    await offer(weak('p.1', upstream.url, [digest('sha256', 'evil')]));
    expect((await mirror.state()).held).toMatchObject([
      {
        class: 'archive-altered',
        before: `${digest('sha256', 'good')} (pinned)`,
        after: digest('sha256', 'evil'),
      },
    ]);
  });
});

describe('without any checksum', () => {
  const STRENGTHEN = { missing_hashes: 'strengthen' } as const;

  test('is let be by default', async () => {
    const { upstream, opam } = await begin({}, (url) => weak('p.1', url, []));
    expect(await opam('p.1')).toBe(weak('p.1', upstream.url, [])[opamPath('p.1')]);
    expect(upstream.requests('/p.tgz')).toBe(0);
  });

  test('missing_hashes = "strengthen": pinned, and clients get these bytes whatever the address holds later', async () => {
    const { upstream, mirror, opam, offer } = await begin(STRENGTHEN, (url) => weak('p.1', url, []));
    expect(await opam('p.1')).toMatch(checksumField('good'));
    upstream.serve('/p.tgz', Buffer.from('evil'));
    await mirror.restart();
    await offer({ ...weak('p.1', upstream.url, []), ...weak('p.2', upstream.url, []) });
    expect(await opam('p.1')).toMatch(checksumField('good'));
    expect(await opam('p.2')).toMatch(checksumField('good'));
    expect(upstream.requests('/p.tgz')).toBe(1);
    expect(await bytesOf(mirror, digest('sha256', 'good'))).toBe('good');
    expect(await mirror.lists(digest('sha256', 'evil'))).toBe(false);
    expect(upstream.requests('/p.tgz')).toBe(1);
    // Lost on the disk it is asked for again, and what is there now is not taken for it.
    for (const { id, path } of await mirror.blobs())
      if (`sha256=${id}` === digest('sha256', 'good')) await rm(path);
    await expect(bytesOf(mirror, digest('sha256', 'good'))).rejects.toMatchObject({
      code: 'checksum-mismatch',
    });
    expect(upstream.requests('/p.tgz')).toBe(2);
  });

  test('a denied one is not served by what was pinned, nor after a restart', async () => {
    const { mirror } = await begin(STRENGTHEN, (url) => weak('p.1', url, []));
    expect(await mirror.lists(digest('sha256', 'good'))).toBe(true);
    await mirror.deny('p');
    await mirror.rederive();
    expect(await mirror.lists(digest('sha256', 'good'))).toBe(false);
    await mirror.restart();
    await mirror.sync();
    expect(await mirror.lists(digest('sha256', 'good'))).toBe(false);
    await mirror.undeny('p');
    await mirror.rederive();
    expect(await mirror.lists(digest('sha256', 'good'))).toBe(true);
  });

  test.each([
    ['warn', 1, 0],
    ['hold', 0, 1],
  ] as const)('missing_hashes = "%s"', async (action, warned, held) => {
    const { mirror } = await begin({ missing_hashes: action }, (url) => weak('p.1', url, []));
    const snapshot = await mirror.mirror.catalogue.currentSnapshot('default');
    const summary = JSON.parse(snapshot?.summary ?? '');
    expect([summary.warned.length, summary.held.length]).toEqual([warned, held]);
  });

  test('what comes from version control cannot be pinned, and is not asked for', async () => {
    const { upstream, mirror } = await begin(STRENGTHEN, (url) =>
      version('p.1', { sources: [`git+${url}/p.git`], checksums: [] }),
    );
    const snapshot = await mirror.mirror.catalogue.currentSnapshot('default');
    expect(JSON.parse(snapshot?.summary ?? '').warned).toMatchObject([
      { version: 'p.1', rule: 'missing-hashes' },
    ]);
    expect(upstream.requestsInAll).toBe(1);
  });
});

describe('extra-sources', () => {
  test('are strengthened like the archive, each with its own bytes', async () => {
    const md5 = digest('md5', 'patch');
    const upstream = await startUpstream();
    upstream.serve('/p.tgz', Buffer.from('good'));
    upstream.serve('/p.patch', Buffer.from('patch'));
    const more = `extra-source "p.patch" {\n  src: "${upstream.url}/p.patch"\n  checksum: "${md5}"\n}`;
    const files = version('p.1', {
      sources: [`${upstream.url}/p.tgz`],
      checksums: [digest('md5', 'good')],
      more,
    });
    upstream.serveIndex({ ...REPO, ...files });
    const mirror = await TestMirror.with({ upstream: upstream.url });
    await mirror.sync();
    const served = (await mirror.files())[opamPath('p.1')];
    expect(served).toMatch(checksumField('good', digest('md5', 'good')));
    expect(served).toMatch(checksumField('patch', md5));
    expect(await mirror.told()).toEqual(['pinned', 'pinned']);
  });
});

test('killed between the pin and the publication: the next sync serves it, although upstream has nothing new', async () => {
  const { upstream, mirror, opam } = await begin({ weak_hashes: 'warn' }, (url) => weak('p.1', url));
  const md5 = digest('md5', 'good');
  const checksums = ['sha256', 'sha512'].map((kind) => ({
    kind: kind as 'sha256' | 'sha512',
    hex: digest(kind, 'good').slice(7),
  }));
  await mirror.restart(settingsOf(mirror.config.data, { upstream: upstream.url }));
  upstream.fail('/p.tgz', 404);
  await mirror.sync();
  await mirror.mirror.catalogue.savePin(
    'default',
    { key: md5, checksums, size: 4, at: 0 },
    { at: 0, repository: 'default', kind: 'pinned', detail: '{}' },
  );
  await mirror.restart();
  await mirror.publish();
  expect(await opam('p.1')).toContain(digest('sha256', 'good'));
});

test('a host that never answers ends neither the sync nor the turn of the others', async () => {
  const upstream = await startUpstream();
  const slow = Array.from({ length: 6 }, (_, index) => `slow.${index}`);
  for (const id of slow) upstream.set(`/${id}`, () => undefined);
  upstream.serve('/p.tgz', Buffer.from('good'));
  const late = weak('z.1', upstream.url);
  upstream.serveIndex({
    ...REPO,
    ...late,
    ...Object.assign(
      {},
      ...slow.map((id) =>
        version(id, {
          sources: [`${upstream.url}/${id}`],
          checksums: [digest('md5', id)],
        }),
      ),
    ),
  });
  const mirror = await TestMirror.with({ upstream: upstream.url });
  // Four at a time: the first four hang, and the last is not reached.
  const sync = mirror.sync();
  await Promise.all(slow.slice(0, 4).map((id) => upstream.asked(`/${id}`)));
  mirror.clock.advance(HOUR / 12);
  await sync;
  expect(slow.map((id) => upstream.requests(`/${id}`))).toEqual([1, 1, 1, 1, 0, 0]);
  const next = mirror.sync();
  await Promise.all(slow.slice(4).map((id) => upstream.asked(`/${id}`)));
  while (!(await mirror.told()).includes('pinned')) await setImmediate();
  mirror.clock.advance(HOUR / 12);
  await next;
  expect((await mirror.files())[opamPath('z.1')]).toContain(digest('sha256', 'good'));
  expect(slow.map((id) => upstream.requests(`/${id}`))).toEqual([1, 1, 1, 1, 1, 1]);
});

test('while the upstream of the index is down nothing is lost', async () => {
  const { upstream, mirror, opam } = await begin({}, (url) => weak('p.1', url));
  upstream.fail('/index.tar.gz', 503);
  await mirror.restart();
  await failureOf(mirror.sync());
  expect(await opam('p.1')).toMatch(checksumField('good', digest('md5', 'good')));
});
