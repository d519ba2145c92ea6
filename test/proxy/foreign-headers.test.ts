/** HOSTILE 13: headers of upstreams go no further, and what a client says of hosts changes no answer. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytes } from '../support/archive-upstream.ts';
import { type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { type RawHeaders, requestText } from '../support/raw-client.ts';

const SMALL = sampleBytes(3000);

describe('nothing of what upstream says beside the bytes goes on', () => {
  const EVIL = {
    'Set-Cookie': 'session=1',
    'Content-Type': 'text/html',
    'Cache-Control': 'private, max-age=0',
    ETag: '"evil"',
    'Last-Modified': 'Fri, 01 Jan 1999 00:00:00 GMT',
    Location: 'http://evil.example/',
    Server: 'evil',
    'X-Evil': 'evil',
    'Access-Control-Allow-Origin': '*',
    Link: '<http://evil.example/>; rel=preload',
    'Strict-Transport-Security': 'max-age=1',
  };

  test('an archive, missed and hit, and the index have our headers only', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest({ sync: false });
    fixture.upstream.set('/archives/hello.1', bytes(SMALL, EVIL));
    await fixture.sync();
    for (const path of [fixture.path('hello.1'), fixture.path('hello.1'), '/index.tar.gz', '/repo']) {
      const { status, headers } = await fixture.get(path);
      expect(status).toBe(200);
      expect(Object.keys(headers).sort()).toEqual([
        'accept-ranges',
        'cache-control',
        'connection',
        'content-length',
        'content-type',
        'date',
        'etag',
        'last-modified',
        'x-content-type-options',
      ]);
      expect(JSON.stringify(headers)).not.toContain('evil');
      expect(headers['content-type']).not.toBe('text/html');
    }
  });
});

describe('what a client says of hosts and paths changes no answer', () => {
  let fixture: MirrorFixture;

  beforeAll(async () => {
    fixture = await mirrorOf().package('hello.1', { archive: SMALL }).start();
  });
  afterAll(() => fixture.close());

  test.each<[string, RawHeaders]>([
    ['another Host', { Host: 'evil.example' }],
    ['a Host with a port', { Host: 'evil.example:1' }],
    ['a Host that is none', { Host: '<script>evil</script>' }],
    ['a Host with a path', { Host: 'evil.example/evil?' }],
    ['a Host with userinfo', { Host: 'me@evil.example' }],
    ['an empty Host', { Host: '' }],
    ['a very long Host', { Host: 'evil.'.repeat(2000) }],
    ['X-Forwarded-Host', { 'X-Forwarded-Host': 'evil.example' }],
    ['X-Forwarded-Proto', { 'X-Forwarded-Proto': 'evil' }],
    ['X-Forwarded-For', { 'X-Forwarded-For': '127.0.0.1, evil' }],
    ['X-Forwarded-Prefix', { 'X-Forwarded-Prefix': '/evil' }],
    ['Forwarded', { Forwarded: 'for=127.0.0.1;host=evil.example;proto=https' }],
    ['X-Original-URL', { 'X-Original-URL': '/evil' }],
    ['X-Rewrite-URL', { 'X-Rewrite-URL': '/evil' }],
    ['X-HTTP-Method-Override', { 'X-HTTP-Method-Override': 'DELETE' }],
    ['Via', { Via: '1.1 evil' }],
    ['Origin', { Origin: 'http://evil.example' }],
    ['Referer', { Referer: 'http://evil.example' }],
    ['Cookie', { Cookie: 'a=evil' }],
    ['Accept', { Accept: 'evil/*' }],
    ['Accept-Language', { 'Accept-Language': 'evil' }],
    ['Cache-Control', { 'Cache-Control': 'no-cache, evil' }],
    ['Pragma', { Pragma: 'no-cache' }],
    ['Expect', { Expect: '100-continue' }],
    ['a body', { 'Content-Length': '0' }],
  ])('%s', async (_name, headers) => {
    const paths = ['/index.tar.gz', '/repo', fixture.path('hello.1'), '/', '/healthz', '/readyz', '/nothing'];
    for (const path of paths) {
      const plain = await fixture.get(path);
      const connection = await fixture.connect();
      connection.send(requestText('GET', path, { Connection: 'close', ...headers }));
      let response = await connection.response();
      if (response.status === 100) response = await connection.response();
      connection.close();
      expect(response.status).toBe(plain.status);
      expect(response.body).toEqual(plain.body);
      expect({ ...response.headers, date: '' }).toEqual({ ...plain.headers, date: '' });
    }
  });

  test('HTTP/1.0 without a Host is answered; HTTP/1.1 without one is no request', async () => {
    for (const path of ['/index.tar.gz', '/healthz', fixture.path('hello.1')]) {
      const old = await fixture.connect();
      old.send(`GET ${path} HTTP/1.0\r\n\r\n`);
      expect((await old.response()).status).toBe(200);
      old.close();
      const bare = await fixture.connect();
      bare.send(`GET ${path} HTTP/1.1\r\n\r\n`);
      expect((await bare.response()).status).toBe(400);
      bare.close();
    }
  });

  test.each([
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n'],
    ['a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n'],
    ['an unknown coding', 'Transfer-Encoding: evil\r\n'],
    ['a folded header', 'X: a\r\n b\r\n'],
    ['a space before the colon', 'Content-Length : 4\r\n'],
    ['a bare carriage return', 'X: a\rY: b\r\n'],
  ])('a request that two servers could read differently is refused: %s', async (_name, lines) => {
    const connection = await fixture.connect();
    connection.send(
      `GET /healthz HTTP/1.1\r\nHost: x\r\n${lines}\r\n0\r\n\r\nGET /repo HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    const heard = (await connection.rest()).toString('latin1');
    expect(heard.match(/HTTP\/1\.1 [0-9]{3}/g)).toEqual(['HTTP/1.1 400']);
  });
});
