/**
 * HOSTILE 6, 18 and 27: what is denied is denied for the index and for the archive, in memory or not, under every
 * spelling, from the next request on, and in every snapshot; and all of it can be undone.
 */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { HASH_KINDS, type HashKind, parseSha256, type Sha256 } from '../../src/hashes.ts';
import { heldBeforeLastByte } from '../support/archive-upstream.ts';
import { mirrorOf, type RepositorySettings, sampleBytes } from '../support/mirror-fixture.ts';
import { presentId, versionsIn } from '../support/served-versions.ts';
import { contents, read } from '../support/tar-reading.ts';

const SMALL = sampleBytes(30_000);
const LARGE = sampleBytes(1024 * 1024 + 300_000, 2);
const KINDS: readonly HashKind[] = HASH_KINDS;

/** What upstream removes goes at once. */
const FORGETFUL: Readonly<Record<string, RepositorySettings>> = { '*': { keep_removed: 0 } };

describe('a denial by another process', () => {
  test.each([
    ['small', SMALL],
    ['large', LARGE],
  ])(
    'holds for the next request on the same connection, index and hot archive: %s',
    async (_size, archive) => {
      const fixture = await mirrorOf()
        .package('bad.1', { archive, checksums: KINDS })
        .package('good.1', { archive: sampleBytes(100, 7) })
        .forTest();
      const other = await fixture.other();
      const client = await fixture.connect();
      onTestFinished(() => client.close());
      const paths = KINDS.flatMap((kind) =>
        ['', '/default'].map((prefix) => fixture.path('bad.1', kind, prefix)),
      );
      for (let round = 0; round < 2; round++)
        for (const path of paths) expect((await client.get(path)).body.equals(archive)).toBe(true);
      expect(await versionsIn(await client.get('/index.tar.gz'))).toEqual(['bad.1', 'good.1']);

      await other.deny('bad');
      expect((await client.get(paths[0] ?? '')).status).toBe(404);
      for (const path of paths) expect((await client.get(path)).status).toBe(404);
      expect(await versionsIn(await client.get('/index.tar.gz'))).toEqual(['good.1']);
      expect((await client.get(fixture.path('good.1'))).status).toBe(200);

      await other.undeny('bad');
      expect(await versionsIn(await client.get('/index.tar.gz'))).toEqual(['bad.1', 'good.1']);
      for (const path of paths) expect((await client.get(path)).body.equals(archive)).toBe(true);
    },
  );

  test('holds for the file repo, whose stamp names the snapshot', async () => {
    const fixture = await mirrorOf().package('bad.1').package('good.1').forTest();
    const before = (await fixture.get('/repo')).body.toString();
    await (await fixture.other()).deny('bad');
    const after = (await fixture.get('/default/repo')).body.toString();
    expect([before.includes(presentId(fixture)), after.includes(presentId(fixture))]).toEqual([false, true]);
  });

  test('holds for conditions, ranges and HEAD', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).forTest();
    const path = fixture.path('bad.1');
    const { etag = '' } = (await fixture.get(path)).headers;
    const asked = [{ 'If-None-Match': etag }, { 'If-None-Match': '*' }, { Range: 'bytes=0-9' }, {}];
    const statuses = async () =>
      Promise.all(asked.flatMap((headers) => [fixture.get(path, headers), fixture.head(path, headers)])).then(
        (answers) => answers.map(({ status }) => status),
      );
    expect(await statuses()).toEqual([304, 304, 304, 304, 206, 200, 200, 200]);
    await (await fixture.other()).deny('bad');
    expect(new Set(await statuses())).toEqual(new Set([404]));
  });

  test('holds for archives while the new index is still read back, and no archive waits for that', async () => {
    const fixture = await mirrorOf()
      .package('bad.1', { archive: SMALL })
      .package('good.1', { archive: sampleBytes(100, 7) })
      .forTest();
    const paths = [fixture.path('bad.1'), fixture.path('good.1')];
    for (const path of paths) await fixture.get(path);
    const { catalogue } = fixture.mirror;
    const places = catalogue.places.bind(catalogue);
    const held = Promise.withResolvers<void>();
    const reading = vi.spyOn(catalogue, 'places').mockImplementation(async (...snapshot) => {
      await held.promise;
      return places(...snapshot);
    });
    await (await fixture.other()).deny('bad');
    const index = fixture.get('/index.tar.gz');
    await vi.waitFor(() => expect(reading).toHaveBeenCalledTimes(1));
    const answers = await Promise.all(paths.map((path) => fixture.get(path)));
    expect(answers.map(({ status }) => status)).toEqual([404, 200]);
    held.resolve();
    expect(await versionsIn(await index)).toEqual(['good.1']);
    expect(reading).toHaveBeenCalledTimes(1);
  });

  test('while the archive is fetched: 404, for those who wait and the next', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).forTest();
    const other = await fixture.other();
    const held = heldBeforeLastByte(SMALL);
    fixture.upstream.set('/archives/bad.1', held.answer);
    const waiting = [
      fixture.get(fixture.path('bad.1')),
      fixture.get(fixture.path('bad.1', 'sha256', '/default')),
    ];
    await fixture.upstream.asked('/archives/bad.1');
    await other.deny('bad');
    held.release();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([404, 404]);
    expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
  });

  test('while the archive is looked up, whose bytes are in memory: 404', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).forTest();
    await fixture.get(fixture.path('bad.1'));
    fixture.running.forget();
    const other = await fixture.other();
    const { archives } = fixture.mirror;
    const find = archives.find.bind(archives);
    vi.spyOn(archives, 'find').mockImplementationOnce(async (listed) => {
      const found = await find(listed);
      await other.deny('bad');
      return found;
    });
    expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
  });

  test('while the archive is looked up, whose bytes are on the disk: 404', async () => {
    const fixture = await mirrorOf({ limits: { hot_blobs: 1 } })
      .package('bad.1', { archive: SMALL })
      .forTest();
    await fixture.get(fixture.path('bad.1'));
    await fixture.mirror.archives.settled();
    fixture.running.forget();
    const other = await fixture.other();
    const { blobs } = fixture.mirror;
    const open = blobs.open.bind(blobs);
    // The archive was looked up, and not yet sent.
    vi.spyOn(blobs, 'open').mockImplementationOnce(async (id) => {
      await other.deny('bad');
      return open(id);
    });
    expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
  });

  test('while a past index is put together: it is made anew', async () => {
    const fixture = await mirrorOf().package('bad.1').package('good.1').forTest();
    const past = presentId(fixture);
    fixture.package('default', 'more.1');
    await fixture.sync();
    const other = await fixture.other();
    const { blobs } = fixture.mirror;
    const open = blobs.open.bind(blobs);
    vi.spyOn(blobs, 'open').mockImplementationOnce(async (id) => {
      await other.deny('bad');
      return open(id);
    });
    expect(await versionsIn(await fixture.get(`/default@${past}/index.tar.gz`))).toEqual(['good.1']);
  });
});

test('the configuration denies as a person does', async () => {
  const fixture = await mirrorOf({ repository: { '*': { deny: ['bad'] } } })
    .package('bad.1', { archive: SMALL })
    .package('good.1', { archive: LARGE })
    .forTest();
  expect(await versionsIn(await fixture.get('/index.tar.gz'))).toEqual(['good.1']);
  expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
  expect((await fixture.get(fixture.path('good.1'))).status).toBe(200);
});

test.each([
  ['md5 alone', ['md5']],
  ['no checksum', []],
] as const)('hashes that were added to an archive with %s are denied with it', async (_name, checksums) => {
  const fixture = await mirrorOf({ repository: { default: { missing_hashes: 'strengthen' } } })
    .package('bad.1', { archive: SMALL, checksums })
    .package('good.1')
    .forTest();
  const other = await fixture.other();
  const statuses = () =>
    Promise.all((['sha256', 'sha512'] as const).map((kind) => fixture.get(fixture.path('bad.1', kind)))).then(
      (answers) => answers.map(({ status }) => status),
    );
  expect(await statuses()).toEqual([200, 200]);
  await other.deny('bad');
  expect(await statuses()).toEqual([404, 404]);
  await other.undeny('bad');
  expect(await statuses()).toEqual([200, 200]);
});

describe('looking at the store', () => {
  test('is done once for all who wait, not at all while nobody wrote, and forgets nothing without news', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    const other = await fixture.other();
    await fixture.get(fixture.path('hello.1'));
    const look = vi.spyOn(fixture.mirror.served, 'look');
    const listed = vi.spyOn(fixture.mirror.catalogue, 'listed');
    for (let round = 0; round < 3; round++) await fixture.get(fixture.path('hello.1'));
    expect(look).toHaveBeenCalledTimes(0);
    await other.mirror.catalogue.saveSyncState('default', { attemptedAt: 1 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => fixture.get(fixture.path('hello.1'))));
    expect(answers.every(({ body }) => body.equals(SMALL))).toBe(true);
    expect(look.mock.calls.length).toBeLessThanOrEqual(2);
    expect(listed).not.toHaveBeenCalled();
  });

  test.each(['version', 'currentHead'] as const)(
    'when %s fails: 503 for the index and 404 for archives, with the reason, and pages as ever',
    async (method) => {
      const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
      const other = await fixture.other();
      await fixture.get(fixture.path('hello.1'));
      await other.mirror.catalogue.saveSyncState('default', { attemptedAt: 1 });
      const broken = vi.spyOn(fixture.mirror.catalogue, method).mockImplementation(() => {
        throw new Error('the disk is on fire');
      });
      const past = `/default@${presentId(fixture)}/index.tar.gz`;
      for (const [path, status] of [
        ['/index.tar.gz', 503],
        ['/repo', 503],
        [past, 503],
        [fixture.path('hello.1'), 404],
        ['/healthz', 200],
      ] as const) {
        const answer = await fixture.get(path);
        expect([path, answer.status]).toEqual([path, status]);
        if (status !== 200) expect(answer.body.toString()).toMatch(/cannot read what was decided last/);
        expect((await fixture.head(path)).status).toBe(status);
      }
      expect(fixture.reported[0]?.message).toContain('on fire');
      broken.mockRestore();
      expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
      expect((await fixture.get('/index.tar.gz')).status).toBe(200);
    },
  );

  test('a new snapshot that cannot be read back: nothing older is served in its place', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).package('good.1').forTest();
    await fixture.get(fixture.path('bad.1'));
    const other = await fixture.other();
    await other.deny('bad');
    const places = vi.spyOn(fixture.mirror.catalogue, 'places').mockResolvedValue([]);
    const answer = await fixture.get('/index.tar.gz');
    expect([answer.status, answer.body.toString()]).toEqual([
      503,
      expect.stringContaining('cannot be read back'),
    ]);
    expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
    places.mockRestore();
    await fixture.mirror.served.refresh('default');
    expect(await versionsIn(await fixture.get('/index.tar.gz'))).toEqual(['good.1']);
  });
});

describe('a past snapshot', () => {
  async function withPast() {
    const fixture = await mirrorOf({ repository: FORGETFUL })
      .package('a.1', { archive: sampleBytes(100, 3) })
      .package('bad.1', { archive: SMALL, checksums: KINDS })
      .package('bad.2', { archive: sampleBytes(100, 4) })
      .package('gone.1', { archive: sampleBytes(100, 5), checksums: KINDS })
      .package('z.1', { archive: sampleBytes(100, 6) })
      .forTest();
    const past = `/default@${presentId(fixture)}`;
    fixture.remove('default', 'packages/gone/gone.1/opam');
    fixture.package('default', 'bad.1', { archive: SMALL, checksums: ['sha256'] });
    await fixture.sync();
    const index = () => fixture.get(`${past}/index.tar.gz`);
    return { fixture, past, index, other: await fixture.other() };
  }

  test('has no denied version, in the same order, and is whole again when the denial is undone', async () => {
    const { fixture, past, index, other } = await withPast();
    const whole = await index();
    const repo = await fixture.get(`${past}/repo`);
    expect(await versionsIn(whole)).toEqual(['a.1', 'bad.1', 'bad.2', 'gone.1', 'z.1']);
    expect(whole.headers['cache-control']).toBe('public, max-age=60, must-revalidate');

    await other.deny('bad{= "1"}');
    const less = await index();
    expect(await versionsIn(less)).toEqual(['a.1', 'bad.2', 'gone.1', 'z.1']);
    expect(less.headers['cache-control']).toBe('public, max-age=60, must-revalidate');
    expect((await fixture.get(`${past}/repo`)).body).toEqual(repo.body);
    // Whoever asks whether its copy still holds is told that it does not.
    for (const condition of [
      { 'If-None-Match': whole.headers.etag ?? '' },
      { 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' },
    ])
      expect((await fixture.get(`${past}/index.tar.gz`, condition)).body).toEqual(less.body);
    // Another process makes the same bytes of it.
    const id = presentIdOf(past);
    expect((await other.mirror.served.past('default', id))?.index.equals(less.body)).toBe(true);

    await other.undeny('bad{= "1"}');
    expect((await index()).body).toEqual(whole.body);
  });

  test('has no version that is not accepted any more and denied, nor its archives, under any prefix', async () => {
    const { fixture, past, index, other } = await withPast();
    const prefixes = ['', '/default', past];
    const paths = KINDS.flatMap((kind) => prefixes.map((prefix) => fixture.path('gone.1', kind, prefix)));
    const statuses = async () =>
      new Set((await Promise.all(paths.map((path) => fixture.get(path)))).map(({ status }) => status));
    expect(await statuses()).toEqual(new Set([200]));
    await other.deny('gone');
    expect(await versionsIn(await index())).toEqual(['a.1', 'bad.1', 'bad.2', 'z.1']);
    expect(await statuses()).toEqual(new Set([404]));
    await other.undeny('gone');
    expect(await versionsIn(await index())).toContain('gone.1');
    expect(await statuses()).toEqual(new Set([200]));
  });

  test('an archive that only an older form of a denied version declared is denied with it', async () => {
    const { fixture, past, other } = await withPast();
    const md5 = fixture.path('bad.1', 'md5', past);
    expect((await fixture.get(md5)).status).toBe(200);
    await other.deny('bad');
    expect((await fixture.get(md5)).status).toBe(404);
    await other.undeny('bad');
    expect((await fixture.get(md5)).status).toBe(200);
  });

  test('of which everything is denied has its file repo', async () => {
    const { index, other } = await withPast();
    await other.deny('*');
    const answer = await index();
    expect(Object.keys(await contents(await read(answer.body)))).toEqual(['repo']);
  });

  test('a list of what is allowed holds for it, too', async () => {
    const { fixture, past } = await withPast();
    const { config } = fixture.mirror;
    const settings = config.repository.default;
    if (settings === undefined) throw new Error('the fixture has a repository default');
    settings.allow = ['a', 'bad'];
    expect(await versionsIn(await fixture.get(`${past}/index.tar.gz`))).toEqual(['a.1', 'bad.1', 'bad.2']);
    expect((await fixture.get(fixture.path('gone.1'))).status).toBe(404);
  });
});

function presentIdOf(past: string): Sha256 {
  const id = parseSha256(past.slice(past.indexOf('@') + 1));
  if (id === undefined) throw new Error(`${past} names no snapshot`);
  return id;
}
