/** Pages for people and probes, what is answered before the first publication, and draining. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { openMirror } from '../../src/mirror/mirror.ts';
import { createMirrorServer } from '../../src/proxy/server.ts';
import { heldBeforeLastByte, status } from '../support/archive-upstream.ts';
import { mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { ask, requestText } from '../support/raw-client.ts';
import { TestClock } from '../support/test-clock.ts';

const BYTES = sampleBytes(3000);
const SCRIPT = '<script>alert(1)</script>';

describe('before the first publication', () => {
  test('/healthz is 200, /readyz is 503 with the reason, the index is 503 with Retry-After', async () => {
    const fixture = await mirrorOf().forTest({ sync: false });
    fixture.upstream.set('/default/index.tar.gz', status(500));
    await expect(fixture.sync()).rejects.toMatchObject({ code: 'upstream-status' });

    const health = await fixture.get('/healthz');
    expect([health.status, health.body.toString()]).toEqual([200, 'ok\n']);

    const ready = await fixture.get('/readyz');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body.toString())).toMatchObject({
      ready: false,
      repositories: [{ name: 'default', ready: false, failure: { code: 'upstream-status' } }],
    });

    for (const path of ['/index.tar.gz', '/default/repo']) {
      const index = await fixture.get(path);
      expect(index.status).toBe(503);
      expect(index.headers['retry-after']).toMatch(/^[1-9][0-9]*$/);
      expect(index.headers['cache-control']).toBe('no-store');
    }
    expect((await fixture.get(`/cache/sha256/00/${'0'.repeat(64)}`)).status).toBe(404);
    expect((await fixture.get('/')).body.toString()).toContain('upstream-status');
  });

  test('one of two repositories is ready: the mirror is not', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).in('other').forTest();
    expect((await fixture.get('/readyz')).status).toBe(503);
    expect((await fixture.get('/index.tar.gz')).status).toBe(200);
    expect((await fixture.get('/other/index.tar.gz')).status).toBe(503);
  });
});

describe('after a publication', () => {
  test('/readyz is 200, and stays so when a later sync fails, which it tells', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    expect((await fixture.get('/readyz')).status).toBe(200);
    fixture.upstream.set('/default/index.tar.gz', status(500));
    await expect(fixture.sync()).rejects.toThrow();
    const ready = await fixture.get('/readyz');
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.body.toString())).toMatchObject({
      ready: true,
      repositories: [{ ready: true, versions: 1, failure: { code: 'upstream-status' } }],
    });
    expect((await fixture.get('/index.tar.gz')).status).toBe(200);
  });

  test('a repository that is taken out of the configuration is not answered for any more', async () => {
    const fixture = await mirrorOf().in('other').package('hello.1', { archive: BYTES }).forTest();
    const path = fixture.path('hello.1', 'sha256', '/other');
    expect((await fixture.get(path)).status).toBe(200);
    const { other: _gone, ...repository } = fixture.mirror.config.repository;
    const mirror = await openMirror({ ...fixture.mirror.config, repository }, new TestClock());
    const { server } = createMirrorServer(mirror, () => undefined);
    try {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const snapshot = (await mirror.catalogue.currentSnapshot('other'))?.id;
      for (const asked of [path, '/other/index.tar.gz', '/other/repo', `/other@${snapshot}/index.tar.gz`])
        expect((await ask(port, 'GET', asked)).status).toBe(404);
    } finally {
      server.closeAllConnections();
      server.close();
      await mirror.close();
    }
  });
});

describe('the page', () => {
  test('escapes what an upstream has a hand in', async () => {
    const fixture = await mirrorOf().forTest({ sync: false });
    fixture.file('default', `packages/${SCRIPT}/opam`, 'opam-version: "2.0"\n');
    await expect(fixture.sync()).rejects.toThrow();
    const failure = (await fixture.mirror.catalogue.syncState('default'))?.failure?.message;
    expect(failure).toContain('<script>');
    const page = await fixture.get('/');
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toContain('text/html');
    expect(page.body.toString()).not.toContain('<script');
    expect(page.body.toString()).toContain('&lt;script&gt;');
  });

  test('could run no script and be kept by no cache', async () => {
    const fixture = await mirrorOf().forTest();
    for (const path of ['/', '/healthz', '/readyz']) {
      const { headers } = await fixture.get(path);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['content-security-policy']).toContain("default-src 'none'");
    }
  });

  test('shows no password of an upstream', async () => {
    const fixture = await mirrorOf().forTest({ sync: false });
    const settings = fixture.mirror.config.repository.default;
    if (settings?.upstream !== undefined)
      settings.upstream = settings.upstream.replace('//', '//user:hunter2@');
    fixture.upstream.set('/default/index.tar.gz', status(401));
    await expect(fixture.sync()).rejects.toThrow();
    for (const path of ['/', '/readyz'])
      expect((await fixture.get(path)).body.toString()).not.toContain('hunter2');
  });

  test('that fails is a 500 which tells nothing, and is reported', async () => {
    const fixture = await mirrorOf().forTest();
    // So that the server itself has no reason to look at the catalogue.
    await fixture.get('/healthz');
    for (const path of ['/', '/readyz']) {
      vi.spyOn(fixture.mirror.catalogue, 'currentSnapshot').mockRejectedValueOnce(new TypeError('secret'));
      const response = await fixture.get(path);
      expect(response.status).toBe(500);
      expect(response.body.toString()).toBe('an error of the mirror; its log tells more\n');
    }
    expect(fixture.reported).toHaveLength(2);
    expect((await fixture.get('/healthz')).status).toBe(200);
  });
});

describe('draining', () => {
  test('an answer under way ends, new connections are refused, kept-alive ones are closed', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const { port } = fixture;
    const idle = await fixture.connect();
    expect((await idle.get('/healthz')).headers.connection).toBe('keep-alive');
    const busy = await fixture.connect();
    busy.send(requestText('GET', fixture.path('hello.1')));
    await fixture.upstream.asked('/archives/hello.1');

    let drained = false;
    const draining = fixture.running.drain().then(() => {
      drained = true;
    });
    await idle.ended();
    const [refused]: NodeJS.ErrnoException[] = await once(connect(port, '127.0.0.1'), 'error').catch(
      (error) => [error],
    );
    expect(refused?.code).toBe('ECONNREFUSED');
    expect(drained).toBe(false);

    held.release();
    expect((await busy.response()).body.equals(BYTES)).toBe(true);
    await Promise.all([busy.ended(), draining]);
  });

  test('a request that comes on an open connection meanwhile is answered, and told to close', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const client = await fixture.connect();
    const text = requestText('GET', '/index.tar.gz');
    // Its first half: a connection that is in the middle of a request is not idle.
    client.send(requestText('GET', '/healthz') + text.slice(0, 10));
    expect((await client.response()).status).toBe(200);
    const draining = fixture.running.drain();
    client.send(text.slice(10));
    const response = await client.response();
    expect(response.status).toBe(200);
    expect(response.headers.connection).toBe('close');
    await Promise.all([client.ended(), draining]);
  });
});
