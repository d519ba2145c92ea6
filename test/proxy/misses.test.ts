/** HOSTILE 14 and 22, over real connections: archives that are fetched while clients wait for them. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Sha256 } from '../../src/hashes.ts';
import { bytes, heldBeforeLastByte, inTurn, status, truncated } from '../support/archive-upstream.ts';
import { cachePath, hexOf, type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { requestText } from '../support/raw-client.ts';
import { TestClock } from '../support/test-clock.ts';

const BYTES = sampleBytes(50_000);
const OTHER = sampleBytes(50_000, 2);
const KINDS = ['md5', 'sha256', 'sha512'] as const;
const SECOND = 1000;

/** All blobs in the store but the index's own, and what lies beside them. */
async function kept(fixture: MirrorFixture): Promise<readonly Sha256[]> {
  const { blobs, catalogue } = fixture.mirror;
  const found: Sha256[] = [];
  for await (const { id } of blobs.list()) found.push(id);
  const current = await catalogue.currentSnapshot('default');
  const pieces = await catalogue.pieces(current?.pieces ?? []);
  const own = new Set([...pieces.values()].map((piece) => piece.blob));
  expect(await readdir(join(fixture.folder, 'data', 'blobs', 'tmp'))).toEqual([]);
  return found.filter((id) => !own.has(id));
}

async function expectNothingKept(fixture: MirrorFixture, body: Uint8Array): Promise<void> {
  expect(await kept(fixture)).toEqual([]);
  for (const kind of KINDS)
    expect(await fixture.mirror.catalogue.blobsWith({ kind, hex: hexOf(kind, body) })).toEqual([]);
}

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

describe('sources are tried in turn', () => {
  const SOURCES = ['/first', '/second', '/third'];

  test.each([
    ['wrong bytes', bytes(OTHER)],
    ['bytes cut short', truncated(BYTES)],
    ['a 404', status(404)],
    ['a redirect to nowhere', status(302, { location: 'ftp://elsewhere.invalid/' })],
    ['bytes without an end', bytes(Buffer.concat([BYTES, BYTES]))],
  ])('after %s from the first, the second', async (_name, answer) => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES, sources: SOURCES }).forTest();
    fixture.upstream.set('/first', answer);
    fixture.upstream.set('/second', bytes(BYTES));
    const response = await fixture.get(fixture.path('hello.1'));
    expect(response.status).toBe(200);
    expect(response.body.equals(BYTES)).toBe(true);
    expect(SOURCES.map((path) => fixture.upstream.requests(path))).toEqual([1, 1, 0]);
    expect(await kept(fixture)).toHaveLength(1);
  });

  test('wrong from all is a 404 that names each source, and nothing is kept', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES, sources: SOURCES }).forTest();
    for (const path of SOURCES) fixture.upstream.set(path, bytes(OTHER));
    const response = await fixture.get(fixture.path('hello.1'));
    expect(response.status).toBe(404);
    const text = response.body.toString();
    for (const path of SOURCES) expect(text).toContain(`${fixture.upstream.address}${path}: `);
    expect(text).toContain(`sha256=${hexOf('sha256', BYTES)}`);
    await expectNothingKept(fixture, OTHER);
  });

  test('the upstream’s own cache first, the configured fallback last', async () => {
    const fallback = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const fixture = await mirrorOf({
      repository: { default: { archive_fallbacks: [`${fallback.address}/cache`] } },
    }).forTest({ sync: false });
    fixture.package('default', 'hello.1', { archive: BYTES });
    fixture.file('default', 'repo', 'opam-version: "2.0"\narchive-mirrors: "cache"\n');
    await fixture.sync();
    fixture.upstream.set('/archives/hello.1', status(404));
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(BYTES)).toBe(true);
    expect(fixture.upstream.requests(fixture.path('hello.1', 'sha256', '/default'))).toBe(1);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
    expect(fallback.upstream.requests('/archives/hello.1')).toBe(1);
  });

  test('a password in a source is not told to clients', async () => {
    const fixture = await mirrorOf().forTest({ sync: false });
    const secret = `${fixture.upstream.address.replace('//', '//user:hunter2@')}/secret`;
    fixture.package('default', 'hello.1', { archive: BYTES, sources: [secret] });
    await fixture.sync();
    const response = await fixture.get(fixture.path('hello.1'));
    expect(response.status).toBe(404);
    expect(response.body.toString()).not.toContain('hunter2');
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
    const fixture = await mirrorOf()
      .package('old.1', { archive: BYTES, checksums: ['md5'] })
      .forTest();
    expect((await fixture.get(fixture.path('old.1', 'md5'))).body.equals(BYTES)).toBe(true);
    // The bytes are in the store, and yet no snapshot lists this hash.
    expect((await fixture.get(fixture.path('old.1', 'sha256'))).status).toBe(404);
  });
});

describe('sets of checksums that share a hash', () => {
  const TRUE = { archive: BYTES, checksums: ['md5', 'sha256'], sources: ['/true'] };
  const LIE = {
    checksums: [`md5=${hexOf('md5', BYTES)}`, `sha512=${hexOf('sha512', OTHER)}`],
    sources: ['/lie'],
  };
  const LIE_PATH = cachePath('sha512', hexOf('sha512', OTHER));

  test.each([
    ['before', ['a-lie.1', 'b-true.1']],
    ['after', ['b-lie.1', 'a-true.1']],
  ])('where one that comes %s is a lie, the other is served', async (_order, [lie = '', truth = '']) => {
    const fixture = await mirrorOf().package(lie, LIE).package(truth, TRUE).forTest();
    fixture.upstream.set('/true', bytes(BYTES));
    fixture.upstream.set('/lie', bytes(BYTES));
    expect((await fixture.get(fixture.path(truth, 'md5'))).body.equals(BYTES)).toBe(true);
    expect((await fixture.get(fixture.path(truth, 'sha256'))).status).toBe(200);
    expect((await fixture.get(LIE_PATH)).status).toBe(404);
  });

  test('a lie whose source stalls keeps nobody waiting but those who ask for it', async () => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock }).package('a-lie.1', LIE).package('b-true.1', TRUE).forTest();
    fixture.upstream.set('/true', bytes(BYTES));
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/lie', held.answer);
    const lie = fixture.get(LIE_PATH);
    await fixture.upstream.asked('/lie');
    expect((await fixture.get(fixture.path('b-true.1', 'sha256'))).status).toBe(200);
    expect((await fixture.get(fixture.path('b-true.1', 'md5'))).status).toBe(200);
    held.release();
    expect((await lie).status).toBe(404);
  });

  test('asked for by the shared hash while the lie stalls, the truth is fetched beside it', async () => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock }).package('a-lie.1', LIE).package('b-true.1', TRUE).forTest();
    fixture.upstream.set('/true', bytes(BYTES));
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/lie', held.answer);
    const shared = fixture.get(fixture.path('b-true.1', 'md5'));
    // The client's patience, and the lie's head start.
    await Promise.all([fixture.upstream.asked('/lie'), clock.asleep(2)]);
    expect(fixture.upstream.requests('/true')).toBe(0);
    clock.advance(2 * SECOND);
    expect((await shared).body.equals(BYTES)).toBe(true);
    held.release();
  });

  test('the same bytes under another set are not fetched twice', async () => {
    const fixture = await mirrorOf()
      .package('one.1', { archive: BYTES, checksums: ['md5', 'sha512'], sources: ['/one'] })
      .package('two.1', { archive: BYTES, checksums: ['sha256', 'md5'], sources: ['/two'] })
      .forTest();
    fixture.upstream.set('/one', bytes(BYTES));
    expect((await fixture.get(fixture.path('one.1', 'sha512'))).status).toBe(200);
    expect((await fixture.get(fixture.path('two.1', 'sha256'))).status).toBe(200);
    expect(fixture.upstream.requests('/two')).toBe(0);
  });
});

describe('a repository answers for what it lists itself', () => {
  test('another one’s hash is not found, cached or not', async () => {
    const fixture = await mirrorOf()
      .package('mine.1', { archive: BYTES })
      .in('other')
      .package('theirs.1', { archive: OTHER })
      .forTest();
    for (let round = 0; round < 2; round++) {
      expect((await fixture.get(fixture.path('theirs.1', 'sha256', '/default'))).status).toBe(404);
      expect((await fixture.get(fixture.path('theirs.1'))).status).toBe(404);
      expect((await fixture.get(fixture.path('mine.1', 'sha256', '/other'))).status).toBe(404);
      expect((await fixture.get(fixture.path('theirs.1', 'sha256', '/other'))).status).toBe(200);
      expect((await fixture.get(fixture.path('mine.1'))).status).toBe(200);
    }
  });

  test('one repository’s failure, and the sources it names, are none of another’s', async () => {
    const fixture = await mirrorOf()
      .package('hello.1', { archive: BYTES, sources: ['/public'] })
      .in('private')
      .package('hello.1', { archive: BYTES, sources: ['/private'] })
      .forTest();
    fixture.upstream.set('/public', bytes(BYTES));
    const refused = await fixture.get(fixture.path('hello.1', 'sha256', '/private'));
    expect(refused.status).toBe(404);
    expect((await fixture.get(fixture.path('hello.1'))).status).toBe(200);
    expect(refused.body.toString()).not.toContain('/public');
  });

  test('an archive that a past snapshot listed stays', async () => {
    const fixture = await mirrorOf()
      .package('keep.1', { archive: OTHER })
      .package('old.1', { archive: BYTES })
      .forTest();
    const past = fixture.mirror.served.current('default')?.snapshot.id;
    fixture.remove('default', 'packages/old/old.1/opam');
    await fixture.sync();
    expect(fixture.mirror.served.current('default')?.snapshot.id).not.toBe(past);
    for (const prefix of ['', '/default', `/default@${past}`])
      expect((await fixture.get(fixture.path('old.1', 'sha256', prefix))).status).toBe(200);
    expect((await fixture.get(`/default@${past}/index.tar.gz`)).status).toBe(200);
  });

  test('a hash that nobody lists asks nobody', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const hex = createHash('sha256').update('unlisted').digest('hex');
    const response = await fixture.get(cachePath('sha256', hex));
    expect(response.status).toBe(404);
    expect(response.body.toString()).toBe(`no snapshot of default lists sha256=${hex}\n`);
  });
});
