/** HOSTILE 21: clients that take too much, or read too slowly, are bounded. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { openBlobs } from '../support/open-blobs.ts';
import { type RawConnection, requestText } from '../support/raw-client.ts';

const SMALL = sampleBytes(3000);
const LARGE = sampleBytes(1024 * 1024 + 300_000, 2);
/** More than the sockets between client and server take unread. */
const HUGE = sampleBytes(24 * 1024 * 1024, 3);

/** Connections that the server has open. */
function connections(fixture: MirrorFixture): Promise<number> {
  return new Promise((resolve, reject) =>
    fixture.running.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}

/** A connection, and the server's end of it. */
async function bothEnds(fixture: MirrorFixture): Promise<{ client: RawConnection; server: Socket }> {
  const connected = once(fixture.running.server, 'connection');
  const client = await fixture.connect();
  const [server]: Socket[] = await connected;
  if (server === undefined) throw new Error('the server took no connection');
  return { client, server };
}

/** Also after an error, which `once` would throw. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

describe('clients that take too much', () => {
  test('a flood of headers is 431, and the connection ends', async () => {
    const fixture = await mirrorOf().forTest();
    const { client } = await bothEnds(fixture);
    client.send(`GET / HTTP/1.1\r\nHost: x\r\n${'X: yyyyyyyyyyyyyyyy\r\n'.repeat(2000)}`);
    expect((await client.response()).status).toBe(431);
    await client.ended();
  });

  test('one header without an end is 431', async () => {
    const fixture = await mirrorOf().forTest();
    const { client } = await bothEnds(fixture);
    client.send(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}`);
    expect((await client.response()).status).toBe(431);
    await client.ended();
  });

  test.each([
    ['nothing at all', ''],
    ['half a request line', 'GET /ind'],
    ['headers without an end', 'GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n'],
    ['a body without an end', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx'],
  ])('one that sends %s is cut off', async (_name, text) => {
    const fixture = await mirrorOf({ limits: { client_headers_timeout: '50ms' } }).forTest();
    const { client, server } = await bothEnds(fixture);
    client.send(text);
    await Promise.all([closeOf(server), client.ended()]);
    expect(await connections(fixture)).toBe(0);
  });

  test('connections beyond client_connections are closed, and taken again when others leave', async () => {
    const fixture = await mirrorOf({ limits: { client_connections: 3 } }).forTest();
    const ends = [await bothEnds(fixture), await bothEnds(fixture), await bothEnds(fixture)];
    const dropped = once(fixture.running.server, 'drop');
    const extra = await fixture.connect();
    extra.send(requestText('GET', '/healthz'));
    await Promise.all([dropped, extra.ended()]);
    for (const { client } of ends) expect((await client.get('/healthz')).status).toBe(200);
    const [first] = ends;
    if (first !== undefined) {
      first.client.close();
      await closeOf(first.server);
    }
    expect((await fixture.get('/healthz')).status).toBe(200);
    for (const { client } of ends) client.close();
  });

  test('requests sent ahead are answered one at a time, in their order', async () => {
    const fixture = await mirrorOf()
      .package('small.1', { archive: SMALL })
      .package('large.1', { archive: LARGE })
      .forTest();
    const { client } = await bothEnds(fixture);
    const paths = ['/healthz', fixture.path('large.1'), fixture.path('small.1'), '/nothing', '/repo'];
    client.send(paths.map((path) => requestText('GET', path)).join(''));
    const lengths: number[] = [];
    for (const _path of paths) lengths.push((await client.response()).body.length);
    const alone = await Promise.all(paths.map((path) => fixture.get(path)));
    expect(lengths).toEqual(alone.map(({ body }) => body.length));
    client.close();
  });

  test('a second miss on a connection does not begin before the first is answered', async () => {
    const fixture = await mirrorOf()
      .package('a.1', { archive: SMALL })
      .package('b.1', { archive: LARGE })
      .forTest();
    const { promise: release, resolve } = Promise.withResolvers<void>();
    fixture.upstream.set(
      '/archives/a.1',
      (_request, response) => void release.then(() => response.end(SMALL)),
    );
    const { client } = await bothEnds(fixture);
    client.send(requestText('GET', fixture.path('a.1')) + requestText('GET', fixture.path('b.1')));
    await fixture.upstream.asked('/archives/a.1');
    expect((await fixture.get('/healthz')).status).toBe(200);
    expect(fixture.upstream.requests('/archives/b.1')).toBe(0);
    resolve();
    expect((await client.response()).body.equals(SMALL)).toBe(true);
    expect((await client.response()).body.equals(LARGE)).toBe(true);
    client.close();
  });

  test('one that sends hundreds of requests ahead is cut off', async () => {
    const fixture = await mirrorOf().package('large.1', { archive: LARGE }).forTest();
    const { client, server } = await bothEnds(fixture);
    const closed = closeOf(server);
    client.send(requestText('GET', fixture.path('large.1')).repeat(500));
    await Promise.all([closed, client.ended()]);
    await expect.poll(() => openBlobs(fixture.folder)).toBe(0);
  });
});

describe('clients that read slowly, or not at all', () => {
  test('one that takes nothing for client_stall_timeout is cut off, and its file is closed', async () => {
    const fixture = await mirrorOf({ limits: { client_stall_timeout: '200ms' } })
      .package('huge.1', { archive: HUGE })
      .forTest();
    expect((await fixture.get(fixture.path('huge.1'))).whole).toBe(true);
    const { client, server } = await bothEnds(fixture);
    const closed = closeOf(server);
    client.send(requestText('GET', fixture.path('huge.1')));
    await client.head();
    await closed;
    expect((await client.rest()).length).toBeLessThan(HUGE.length);
    await expect.poll(() => openBlobs(fixture.folder)).toBe(0);
    expect(fixture.reported).toEqual([]);
  });

  test('one that waits for a miss is not taken for one that stalls', async () => {
    const fixture = await mirrorOf({ limits: { client_stall_timeout: '50ms' } })
      .package('hello.1', { archive: SMALL })
      .forTest();
    const { promise: release, resolve } = Promise.withResolvers<void>();
    fixture.upstream.set(
      '/archives/hello.1',
      (_request, response) => void release.then(() => response.end(SMALL)),
    );
    const { client, server } = await bothEnds(fixture);
    const silent = once(server, 'timeout');
    client.send(requestText('GET', fixture.path('hello.1')));
    await Promise.all([silent, fixture.upstream.asked('/archives/hello.1')]);
    resolve();
    expect((await client.response()).body.equals(SMALL)).toBe(true);
    client.close();
  });

  test('one that leaves in the middle of a large blob leaves no file, listener or connection behind', async () => {
    const fixture = await mirrorOf().package('huge.1', { archive: HUGE }).forTest();
    for (const verified of [false, true]) {
      const ends = await Promise.all(Array.from({ length: 10 }, () => fixture.connect()));
      for (const client of ends) client.send(requestText('GET', fixture.path('huge.1')));
      await Promise.all(ends.map((client) => client.head()));
      if (process.platform === 'linux') expect(await openBlobs(fixture.folder)).toBeGreaterThan(0);
      for (const client of ends) client.close();
      await expect.poll(() => openBlobs(fixture.folder)).toBe(0);
      await expect.poll(() => connections(fixture)).toBe(0);
      if (!verified) expect((await fixture.get(fixture.path('huge.1'))).whole).toBe(true);
    }
    expect(fixture.reported).toEqual([]);
  });

  test('one that closes its sending half is let go of', async () => {
    const fixture = await mirrorOf().package('huge.1', { archive: HUGE }).forTest();
    expect((await fixture.get(fixture.path('huge.1'))).whole).toBe(true);
    const { client, server } = await bothEnds(fixture);
    const closed = closeOf(server);
    client.send(requestText('GET', fixture.path('huge.1')));
    client.socket.end();
    await client.ended();
    client.close();
    await closed;
    await expect.poll(() => openBlobs(fixture.folder)).toBe(0);
    expect(fixture.reported).toEqual([]);
  });

  test('a hundred requests on one connection leave as many listeners as one', async () => {
    const fixture = await mirrorOf()
      .package('small.1', { archive: SMALL })
      .package('large.1', { archive: LARGE })
      .forTest();
    const paths = [fixture.path('small.1'), fixture.path('large.1'), '/index.tar.gz', '/healthz', '/nothing'];
    const { client, server } = await bothEnds(fixture);
    const listeners = (): number =>
      server.eventNames().reduce((count, name) => count + server.listenerCount(name), 0);
    for (const path of paths) await client.get(path);
    const before = listeners();
    for (let round = 0; round < 20; round++) for (const path of paths) await client.get(path);
    expect(listeners()).toBeLessThanOrEqual(before);
    client.close();
  });
});
