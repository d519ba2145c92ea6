/** HOSTILE 22, over real connections: archives that are fetched while clients wait for them. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { bytes, heldBeforeLastByte, inTurn, status, truncated } from '../support/archive-upstream.ts';
import { expectNothingKept, holdRecords, kept } from '../support/kept-archives.ts';
import { cachePath, hexOf, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { requestText } from '../support/raw-client.ts';
import { TestClock } from '../support/test-clock.ts';

const BYTES = sampleBytes(50_000);
const OTHER = sampleBytes(50_000, 2);
const KINDS = ['md5', 'sha256', 'sha512'] as const;
const SECOND = 1000;

describe('many ask for one archive', () => {
  test('500 at once, by each of its hashes and paths, make one request upstream', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES, checksums: KINDS }).forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const paths = ['', '/default'].flatMap((prefix) =>
      KINDS.map((kind) => fixture.path('hello.1', kind, prefix)),
    );
    const connections = await Promise.all(Array.from({ length: 500 }, () => fixture.connect()));
    let heard = 0;
    const { promise: allHeard, resolve } = Promise.withResolvers<void>();
    fixture.running.server.on('request', () => {
      heard += 1;
      if (heard === connections.length) resolve();
    });
    const answers = connections.map((connection, index) => connection.get(paths[index % paths.length] ?? ''));
    await Promise.all([allHeard, fixture.upstream.asked('/archives/hello.1')]);
    held.release();
    for (const answer of await Promise.all(answers)) {
      expect(answer.status).toBe(200);
      expect(answer.body.equals(BYTES)).toBe(true);
    }
    for (const connection of connections) connection.close();
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
    expect(await kept(fixture)).toHaveLength(1);
  });

  test('the first one leaves, and the others still get it from the same request', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const connected = once(fixture.running.server, 'connection');
    const first = await fixture.connect();
    const [serverSide]: Socket[] = await connected;
    first.send(requestText('GET', fixture.path('hello.1')));
    await fixture.upstream.asked('/archives/hello.1');
    first.close();
    if (serverSide !== undefined) await once(serverSide, 'close');
    const second = fixture.get(fixture.path('hello.1'));
    held.release();
    expect((await second).body.equals(BYTES)).toBe(true);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
  });

  test('all leave, and the archive is there for the next one', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const first = await fixture.connect();
    first.send(requestText('GET', fixture.path('hello.1')));
    await fixture.upstream.asked('/archives/hello.1');
    first.close();
    held.release();
    await fixture.mirror.archives.settled();
    fixture.upstream.set('/archives/hello.1', status(500));
    expect((await fixture.get(fixture.path('hello.1'))).status).toBe(200);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
  });

  test.each([
    ['small', BYTES],
    ['large', sampleBytes(1_500_000, 3)],
  ])(
    'what is verified is sent while it is still being kept, from one download: %s',
    async (_size, content) => {
      const fixture = await mirrorOf().package('hello.1', { archive: content }).forTest();
      const keep = holdRecords(fixture);
      const path = fixture.path('hello.1');
      for (const answer of await Promise.all([fixture.get(path), fixture.get(path)]))
        expect(answer.body.equals(content)).toBe(true);
      expect((await fixture.get(path)).body.equals(content)).toBe(true);
      keep();
      await fixture.mirror.archives.settled();
      expect((await fixture.get(path)).body.equals(content)).toBe(true);
      expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
    },
  );

  test('a failure is shared too: 50 at once make one request', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    fixture.upstream.set('/archives/hello.1', truncated(BYTES));
    const answers = await Promise.all(Array.from({ length: 50 }, () => fixture.get(fixture.path('hello.1'))));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([404]));
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
  });
});

describe('a failure is remembered, briefly', () => {
  test.each([
    ['a status', status(500)],
    ['a connection cut before the end', truncated(BYTES)],
    ['wrong bytes', bytes(OTHER)],
    ['nothing', bytes('')],
    ['HTML', bytes('<html>sign in</html>', { 'content-type': 'text/html' })],
  ])('%s', async (_name, failure) => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock, limits: { failure_memory: '30s' } })
      .package('hello.1', { archive: BYTES })
      .forTest();
    fixture.upstream.set('/archives/hello.1', inTurn(failure, bytes(BYTES)));
    const path = fixture.path('hello.1');

    const first = await fixture.get(path);
    expect(first.status).toBe(404);
    expect(first.headers['cache-control']).toBe('no-store');
    expect(first.body.toString()).toContain(`${fixture.upstream.address}/archives/hello.1: `);
    await expectNothingKept(fixture, BYTES);

    clock.advance(30 * SECOND - 1);
    const second = await fixture.get(path);
    expect(second.body).toEqual(first.body);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);

    clock.advance(1);
    expect((await fixture.get(path)).body.equals(BYTES)).toBe(true);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(2);
  });
});

describe('a client waits no longer than miss_wait', () => {
  test('it gets a 404, and the download goes on for the next one', async () => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock, limits: { miss_wait: '10m' } })
      .package('hello.1', { archive: BYTES })
      .forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const waiting = fixture.get(fixture.path('hello.1'));
    await Promise.all([fixture.upstream.asked('/archives/hello.1'), clock.asleep()]);
    clock.advance(600 * SECOND);
    const late = await waiting;
    expect(late.status).toBe(404);
    expect(late.body.toString()).toContain('still being fetched');
    held.release();
    await fixture.mirror.archives.settled();
    expect((await fixture.get(fixture.path('hello.1'))).status).toBe(200);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
    expect(clock.sleepers).toBe(0);
  });
});

describe('every listed hash is verified before the first byte of a 200', () => {
  test.each([
    ['sha512', [`sha256=${hexOf('sha256', BYTES)}`, `sha512=${hexOf('sha512', OTHER)}`]],
    ['sha256', [`sha256=${hexOf('sha256', OTHER)}`, `sha512=${hexOf('sha512', BYTES)}`]],
    ['md5', [`sha256=${hexOf('sha256', BYTES)}`, `md5=${hexOf('md5', OTHER)}`]],
    ['second sha256', [`sha256=${hexOf('sha256', BYTES)}`, `sha256=${hexOf('sha256', OTHER)}`]],
  ])('bytes of which only the %s is wrong are refused under each of the hashes', async (_kind, checksums) => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES, checksums }).forTest();
    for (const checksum of checksums) {
      const [kind = '', hex = ''] = checksum.split('=');
      const response = await fixture.get(cachePath(kind as 'md5', hex));
      expect(response.status).toBe(404);
    }
    expect(await kept(fixture)).toEqual([]);
  });

  test('an upstream that holds its last byte back holds the head back too', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const client = await fixture.connect();
    client.send(requestText('GET', fixture.path('hello.1')));
    await fixture.upstream.asked('/archives/hello.1');
    const answer = client.response();
    let came = false;
    void answer.then(() => {
      came = true;
    });
    // Answers on other connections, asked for after all of that: it is not merely on its way.
    for (let round = 0; round < 3; round++) expect((await fixture.get('/healthz')).status).toBe(200);
    expect(came).toBe(false);
    expect(client.socket.bytesRead).toBe(0);
    held.release();
    expect((await answer).body.equals(BYTES)).toBe(true);
    client.close();
  });

  test('md5 alone is enough where nothing else is listed', async () => {
    const fixture = await mirrorOf({ repository: { default: { weak_hashes: 'allow' } } })
      .package('old.1', { archive: BYTES, checksums: ['md5'] })
      .forTest();
    expect((await fixture.get(fixture.path('old.1', 'md5'))).body.equals(BYTES)).toBe(true);
    // The bytes are in the store, and yet no snapshot lists this hash.
    expect((await fixture.get(fixture.path('old.1', 'sha256'))).status).toBe(404);
  });
});

describe('what a miss has measured', () => {
  const LARGE = sampleBytes(1024 * 1024 + 300_000, 3);

  test.each([[{}], [{ Range: 'bytes=5-9' }]])('is not measured again to be sent: %j', async (headers) => {
    const fixture = await mirrorOf().package('large.1', { archive: LARGE }).forTest();
    const digest = vi.spyOn(fixture.mirror.blobs, 'digest');
    const [start, end] = 'Range' in headers ? [5, 10] : [0, LARGE.length];
    const { body } = await fixture.get(fixture.path('large.1'), headers);
    expect(body.equals(LARGE.subarray(start, end))).toBe(true);
    const part = await fixture.get(fixture.path('large.1'), { Range: 'bytes=0-0' });
    expect(part.status).toBe(206);
    expect(digest).not.toHaveBeenCalled();
  });

  test('is not what a file holds that lay there before', async () => {
    const fixture = await mirrorOf().package('large.1', { archive: LARGE }).forTest();
    const hex = hexOf('sha256', LARGE);
    const spoilt = Buffer.from(LARGE);
    spoilt[7] = (spoilt[7] ?? 0) ^ 1;
    await writeFile(join(fixture.folder, 'data', 'blobs', 'sha256', hex.slice(0, 2), hex), spoilt);
    const { status, body } = await fixture.get(fixture.path('large.1'), { Range: 'bytes=5-9' });
    expect(status).toBe(206);
    expect(body.equals(LARGE.subarray(5, 10))).toBe(true);
    expect(fixture.upstream.requests('/archives/large.1')).toBe(2);
  });
});
