/** HOSTILE 24 and 25: a store whose bytes spoil, and a disk that refuses. */
import { chmod, open, readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { status } from '../support/archive-upstream.ts';
import { hexOf, type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { requestText } from '../support/raw-client.ts';
import { TestClock } from '../support/test-clock.ts';

const SMALL = sampleBytes(30_000);
const LARGE = sampleBytes(1024 * 1024 + 700_000, 2);
/** More than the sockets between client and server take unread. */
const HUGE = sampleBytes(24 * 1024 * 1024, 3);
const DAY = 86_400_000;

function fileOf(fixture: MirrorFixture, content: Uint8Array): string {
  const hex = hexOf('sha256', content);
  return join(fixture.folder, 'data', 'blobs', 'sha256', hex.slice(0, 2), hex);
}

/** Flips one bit where the blob lies. */
async function flip(fixture: MirrorFixture, content: Uint8Array, at: number): Promise<void> {
  await chmod(fileOf(fixture, content), 0o644);
  const file = await open(fileOf(fixture, content), 'r+');
  await file.write(Buffer.from([(content[at] ?? 0) ^ 1]), 0, 1, at);
  await file.close();
}

async function quarantined(fixture: MirrorFixture): Promise<number> {
  return (await readdir(join(fixture.folder, 'data', 'blobs', 'quarantine'))).length;
}

async function events(fixture: MirrorFixture): Promise<readonly unknown[]> {
  const logged = await fixture.mirror.catalogue.events(0, 100);
  return logged
    .filter(({ kind }) => kind === 'blob-quarantined')
    .map(({ detail }) => (JSON.parse(detail) as { blob: string }).blob);
}

/** A mirror that has the archive, and nothing of it in memory. */
async function mirrorWith(content: Uint8Array, clock = new TestClock()): Promise<MirrorFixture> {
  const fixture = await mirrorOf({ clock, limits: { hot_blobs: 1 } })
    .package('hello.1', { archive: content })
    .forTest();
  expect((await fixture.get(fixture.path('hello.1'))).body.equals(content)).toBe(true);
  await fixture.mirror.archives.settled();
  // What was sent lately is not measured again at each request.
  clock.advance(DAY);
  return fixture;
}

describe('a flipped bit', () => {
  test.each([
    ['first', 0],
    ['last', SMALL.length - 1],
    ['some', 12_345],
  ])('in the %s byte of a small blob is never sent', async (_place, at) => {
    const fixture = await mirrorWith(SMALL);
    await flip(fixture, SMALL, at);
    const response = await fixture.get(fixture.path('hello.1'));
    expect(response.status).toBe(200);
    expect(response.body.equals(SMALL)).toBe(true);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(2);
    expect(await quarantined(fixture)).toBe(1);
    expect(await events(fixture)).toEqual([hexOf('sha256', SMALL)]);
  });

  test.each([
    ['first', 0],
    ['last', LARGE.length - 1],
  ])('in the %s byte of a large blob is noticed before the last byte goes out', async (_place, at) => {
    const fixture = await mirrorWith(LARGE);
    await flip(fixture, LARGE, at);
    const cut = await fixture.get(fixture.path('hello.1'));
    expect(cut.status).toBe(200);
    expect(cut.whole).toBe(false);
    expect(cut.body.length).toBeLessThan(LARGE.length);
    await expect.poll(() => events(fixture)).toEqual([hexOf('sha256', LARGE)]);
    expect(await quarantined(fixture)).toBe(1);

    const again = await fixture.get(fixture.path('hello.1'));
    expect(again.body.equals(LARGE)).toBe(true);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(2);
  });

  test.each(['bytes=0-99', 'bytes=-100', 'bytes=5-', 'bytes=0-'])(
    'in a large blob is not sent with %s, which is answered from a new download',
    async (range) => {
      const fixture = await mirrorWith(LARGE);
      await flip(fixture, LARGE, LARGE.length - 50);
      const response = await fixture.get(fixture.path('hello.1'), { Range: range });
      expect(response.status).toBe(206);
      const [, start = '', end = ''] =
        /^bytes ([0-9]+)-([0-9]+)\//.exec(response.headers['content-range'] ?? '') ?? [];
      expect(response.body.equals(LARGE.subarray(Number(start), Number(end) + 1))).toBe(true);
      expect(fixture.upstream.requests('/archives/hello.1')).toBe(2);
      expect(await events(fixture)).toHaveLength(1);
    },
  );

  test('with the upstream gone is a 404, and nothing wrong is sent', async () => {
    for (const [content, range] of [[SMALL], [LARGE, 'bytes=0-9']] as const) {
      const fixture = await mirrorWith(content);
      await flip(fixture, content, 100);
      fixture.upstream.set('/archives/hello.1', status(503));
      const response = await fixture.get(
        fixture.path('hello.1'),
        range === undefined ? {} : { Range: range },
      );
      expect(response.status).toBe(404);
    }
  });

  test('met by 20 clients at once is put aside once, and fetched anew once', async () => {
    for (const content of [SMALL, LARGE]) {
      const fixture = await mirrorWith(content);
      await flip(fixture, content, content.length - 1);
      const path = fixture.path('hello.1');
      for (const answer of await Promise.all(Array.from({ length: 20 }, () => fixture.get(path))))
        if (answer.whole) expect(answer.body.equals(content)).toBe(true);
      // Until the damaged bytes are measured and put aside, an answer may begin with them; it never ends.
      const next = async (): Promise<Buffer | undefined> => {
        const { whole, body } = await fixture.get(path);
        return whole ? body : undefined;
      };
      await expect.poll(next).toEqual(content);
      expect(await quarantined(fixture)).toBe(1);
      expect(fixture.upstream.requests('/archives/hello.1')).toBe(2);
    }
  });

  test('noticed late by a slow reader does not take away what was fetched anew', async () => {
    const fixture = await mirrorWith(HUGE);
    await flip(fixture, HUGE, HUGE.length - 1);
    const slow = await fixture.connect();
    slow.send(requestText('GET', fixture.path('hello.1')));
    await slow.head();
    // Another one has the damage noticed, and the archive fetched anew.
    expect((await fixture.get(fixture.path('hello.1'), { Range: 'bytes=0-0' })).status).toBe(206);
    fixture.upstream.set('/archives/hello.1', status(503));
    expect((await slow.rest()).length).toBeLessThan(HUGE.length);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(HUGE)).toBe(true);
    expect(await quarantined(fixture)).toBe(1);
  });
});

describe('a blob file', () => {
  test.each([
    ['cut short', (path: string) => truncate(path, 1_500_000)],
    ['cut to a small one', (path: string) => truncate(path, 1000)],
    ['emptied', (path: string) => truncate(path, 0)],
  ])('that was %s is never passed off as the archive', async (_how, spoil) => {
    const fixture = await mirrorWith(LARGE);
    await chmod(fileOf(fixture, LARGE), 0o644);
    await spoil(fileOf(fixture, LARGE));
    const first = await fixture.get(fixture.path('hello.1'));
    if (first.whole) expect(first.body.equals(LARGE)).toBe(true);
    await expect.poll(() => events(fixture)).toHaveLength(1);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(LARGE)).toBe(true);
  });

  test.each([
    ['small', SMALL],
    ['large', LARGE],
  ])('that is gone is fetched anew: %s', async (_size, content) => {
    const fixture = await mirrorWith(content);
    await rm(fileOf(fixture, content));
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(content)).toBe(true);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(2);
  });
});

describe('when our own ground fails while a miss is fetched', () => {
  const FULL = new SeraiError('store-failed', 'cannot write /srv/secret/place: the disk is full');

  const TOLD = /^(the|an error of the) mirror.*its log tells more\n$/;

  test('blobs.put: a clear 404 without our paths, a report, and the next one works', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    vi.spyOn(fixture.mirror.blobs, 'put').mockRejectedValueOnce(FULL);
    const refused = await fixture.get(fixture.path('hello.1'));
    expect(refused.status).toBe(404);
    expect(refused.body.toString()).toMatch(TOLD);
    expect(fixture.reported).toEqual([FULL]);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
  });

  test('blobs.open, of what is kept: the same, as a 500', async () => {
    const fixture = await mirrorWith(SMALL);
    vi.spyOn(fixture.mirror.blobs, 'open').mockRejectedValueOnce(FULL);
    const refused = await fixture.get(fixture.path('hello.1'));
    expect(refused.status).toBe(500);
    expect(refused.body.toString()).toMatch(TOLD);
    expect(fixture.reported).toEqual([FULL]);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
  });

  test.each(['related', 'blobsWith'] as const)('catalogue.%s: the same', async (method) => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    vi.spyOn(fixture.mirror.catalogue, method).mockRejectedValueOnce(FULL);
    const refused = await fixture.get(fixture.path('hello.1'));
    expect([404, 500]).toContain(refused.status);
    expect(refused.body.toString()).not.toContain('/srv');
    expect(fixture.reported).toEqual([FULL]);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
  });

  test('catalogue.recordBlob: what was verified is sent, a report, and the next one works', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    vi.spyOn(fixture.mirror.catalogue, 'recordBlob').mockRejectedValueOnce(FULL);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
    await fixture.mirror.archives.settled();
    expect(fixture.reported).toEqual([FULL]);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
  });

  test('a defect is a 500 that tells nothing, and is reported', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    vi.spyOn(fixture.mirror.archives, 'listed').mockRejectedValueOnce(new TypeError('x is not a function'));
    const refused = await fixture.get(fixture.path('hello.1'));
    expect(refused.status).toBe(500);
    expect(refused.headers['cache-control']).toBe('no-store');
    expect(refused.body.toString()).toBe('an error of the mirror; its log tells more\n');
    expect(fixture.reported.map(({ code }) => code)).toEqual(['internal']);
    expect((await fixture.get(fixture.path('hello.1'))).status).toBe(200);
  });

  test('a past snapshot that cannot be read back is reported, and others are served', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    const past = fixture.mirror.served.current('default')?.snapshot.id;
    fixture.package('default', 'hello.2', { archive: SMALL });
    await fixture.sync();
    vi.spyOn(fixture.mirror.served, 'past').mockRejectedValueOnce(FULL);
    expect((await fixture.get(`/default@${past}/index.tar.gz`)).status).toBe(500);
    expect(fixture.reported).toEqual([FULL]);
    expect((await fixture.get(`/default@${past}/index.tar.gz`)).status).toBe(200);
    expect((await fixture.get('/index.tar.gz')).status).toBe(200);
  });

  test('a disk that fails in the middle of a large blob ends the connection', async () => {
    const fixture = await mirrorWith(LARGE);
    const { blobs } = fixture.mirror;
    const real = blobs.open.bind(blobs);
    vi.spyOn(blobs, 'open').mockImplementationOnce(async (id) => {
      const handle = await real(id);
      if (handle === undefined) return undefined;
      return {
        id,
        size: handle.size,
        read: (buffer, position) => (position === 0 ? handle.read(buffer, position) : Promise.reject(FULL)),
        close: () => handle.close(),
      };
    });
    const client = await fixture.connect();
    client.send(requestText('GET', fixture.path('hello.1')));
    expect((await client.rest()).length).toBeLessThan(LARGE.length);
    // The client may learn of it before the log does.
    await expect.poll(() => fixture.reported).toEqual([FULL]);
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(LARGE)).toBe(true);
  });
});
