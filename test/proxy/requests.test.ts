/** HOSTILE 19, over a real server: HEAD is GET without a body, conditions, ranges, methods. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { type RawResponse, requestText } from '../support/raw-client.ts';

const SMALL = sampleBytes(3000);
const LARGE = sampleBytes(1024 * 1024 + 300_000, 2);
const EMPTY = Buffer.alloc(0);

/** When the test's clock publishes. */
const PUBLISHED = 'Thu, 01 Jan 2026 00:00:00 GMT';

/** Past snapshots have no date: what is denied changes them without a new one (HOSTILE 27; RFC 9110, 13.1.3). */
function withoutDates(name: string, condition: string): boolean {
  return name.startsWith('a past') && /^(its date|If-Unmodified-Since, earlier)$/.test(condition);
}

let fixture: MirrorFixture;
let snapshot: string;

beforeAll(async () => {
  fixture = await mirrorOf()
    .package('small.1', { archive: SMALL })
    .package('large.1', { archive: LARGE })
    .package('empty.1', { archive: EMPTY })
    .package('gone.1', { checksums: [`sha256=${'0'.repeat(64)}`] })
    .in('unpublished')
    .start();
  snapshot = fixture.mirror.served.current('default')?.snapshot.id ?? '';
});

afterAll(() => fixture.close());

/** What is served, by a name for people. */
const SERVED: readonly (readonly [string, () => string])[] = [
  ['the index', () => '/index.tar.gz'],
  ['the repo file', () => '/repo'],
  ['a past index', () => `/default@${snapshot}/index.tar.gz`],
  ['a past repo file', () => `/default@${snapshot}/repo`],
  ['a small blob', () => fixture.path('small.1')],
  ['a large blob', () => fixture.path('large.1')],
];

function withoutDate(response: RawResponse): Record<string, string> {
  const { date, ...headers } = response.headers;
  expect(date).toBeDefined();
  return headers;
}

describe('HEAD is GET without a body', () => {
  test.each([
    ...SERVED,
    ['an empty blob', () => fixture.path('empty.1')] as const,
    ['a path that is none', () => '/nothing/here'] as const,
    ['a hash that nobody lists', () => `/cache/sha256/11/${'1'.repeat(64)}`] as const,
    ['an archive that cannot be had', () => `/cache/sha256/00/${'0'.repeat(64)}`] as const,
    ['an index that is not there yet', () => '/unpublished/index.tar.gz'] as const,
    ['/healthz', () => '/healthz'] as const,
    ['/readyz', () => '/readyz'] as const,
    ['the page', () => '/'] as const,
  ])('%s', async (_name, path) => {
    const got = await fixture.get(path());
    const connection = await fixture.connect();
    connection.send(requestText('HEAD', path(), { Connection: 'close' }));
    const head = await connection.response('HEAD');
    expect((await connection.rest()).length).toBe(0);
    expect(head.status).toBe(got.status);
    expect(withoutDate(head)).toEqual(withoutDate(got));
    expect(got.headers['content-length']).toBe(String(got.body.length));
  });

  test('a Range counts for GET alone (RFC 9110, 14.2)', async () => {
    const head = await fixture.head(fixture.path('small.1'), { Range: 'bytes=0-9' });
    expect(head.status).toBe(200);
    expect(head.headers['content-length']).toBe('3000');
  });
});

describe('headers', () => {
  test.each([
    ['the index', () => '/index.tar.gz', 'public, max-age=60, must-revalidate'],
    ['the repo file', () => '/default/repo', 'public, max-age=60, must-revalidate'],
    ['a past index', () => `/default@${snapshot}/index.tar.gz`, 'public, max-age=60, must-revalidate'],
    ['a small blob', () => fixture.path('small.1'), 'public, max-age=31536000, immutable'],
    ['a large blob', () => fixture.path('large.1'), 'public, max-age=31536000, immutable'],
  ])('of %s', async (_name, path, cacheControl) => {
    const { headers } = await fixture.get(path());
    expect(headers['cache-control']).toBe(cacheControl);
    expect(headers.etag).toMatch(/^"[0-9a-f]{64}"$/);
    expect(headers['accept-ranges']).toBe('bytes');
    expect(headers['x-content-type-options']).toBe('nosniff');
    // A client takes a coded body for the wrong bytes (OPAM-CLIENT).
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers['transfer-encoding']).toBeUndefined();
  });

  test('a coding is not chosen, whatever is accepted', async () => {
    for (const [, path] of SERVED) {
      const plain = await fixture.get(path());
      const coded = await fixture.get(path(), { 'Accept-Encoding': 'gzip, br, zstd, deflate' });
      expect(coded.body).toEqual(plain.body);
      expect(withoutDate(coded)).toEqual(withoutDate(plain));
    }
  });

  test('a blob has the same headers under each of its paths', async () => {
    const path = fixture.path('small.1');
    const [root, named, past] = await Promise.all(
      ['', '/default', `/default@${snapshot}`].map((prefix) => fixture.get(prefix + path)),
    );
    expect(named && withoutDate(named)).toEqual(root && withoutDate(root));
    expect(past && withoutDate(past)).toEqual(root && withoutDate(root));
  });
});

describe.each(SERVED)('conditions on %s', (name, path) => {
  let whole: RawResponse;
  let etag: string;
  let modified: string;

  beforeAll(async () => {
    whole = await fixture.get(path());
    etag = whole.headers.etag ?? '';
    modified = whole.headers['last-modified'] ?? PUBLISHED;
    expect(whole.whole).toBe(true);
  });

  test.each<[string, () => Record<string, string>, number]>([
    ['its ETag', () => ({ 'If-None-Match': etag }), 304],
    ['its ETag, weak', () => ({ 'If-None-Match': `W/${etag}` }), 304],
    ['a list with its ETag', () => ({ 'If-None-Match': `"a", ${etag}, "b"` }), 304],
    ['any ETag', () => ({ 'If-None-Match': '*' }), 304],
    ['another ETag', () => ({ 'If-None-Match': '"a"' }), 200],
    ['its date', () => ({ 'If-Modified-Since': modified }), 304],
    ['an earlier date', () => ({ 'If-Modified-Since': 'Fri, 01 Jan 1999 00:00:00 GMT' }), 200],
    ['another ETag and its date', () => ({ 'If-None-Match': '"a"', 'If-Modified-Since': modified }), 200],
    ['If-Match with its ETag', () => ({ 'If-Match': etag }), 200],
    ['If-Match with another', () => ({ 'If-Match': '"a"' }), 412],
    ['If-Unmodified-Since, earlier', () => ({ 'If-Unmodified-Since': 'Fri, 01 Jan 1999 00:00:00 GMT' }), 412],
    ['If-Unmodified-Since, its date', () => ({ 'If-Unmodified-Since': modified }), 200],
  ])('%s', async (condition, headers, status) => {
    const expected = withoutDates(name, condition) ? 200 : status;
    const response = await fixture.get(path(), headers());
    expect(response.status).toBe(expected);
    expect(response.body).toEqual(expected === 200 ? whole.body : EMPTY);
    if (expected === 304) {
      for (const header of ['etag', 'cache-control', 'last-modified'])
        expect(response.headers[header]).toBe(whole.headers[header]);
    }
    const head = await fixture.head(path(), headers());
    expect(head.status).toBe(expected);
    expect(withoutDate(head)).toEqual(withoutDate(response));
  });

  test.each<[string, (size: number) => readonly [number, number]]>([
    ['bytes=0-0', () => [0, 1]],
    ['bytes=2-11', () => [2, 12]],
    ['bytes=5-', (size) => [5, size]],
    ['bytes=-7', (size) => [size - 7, size]],
    ['bytes=0-', (size) => [0, size]],
    ['bytes=1-99999999999999999999', (size) => [1, size]],
    ['bytes=-99999999999999999999', (size) => [0, size]],
  ])('%s', async (range, expected) => {
    const { length } = whole.body;
    const [start, end] = expected(length);
    const response = await fixture.get(path(), { Range: range });
    expect(response.status).toBe(206);
    expect(response.headers['content-range']).toBe(`bytes ${start}-${end - 1}/${length}`);
    expect(response.headers['content-length']).toBe(String(end - start));
    expect(response.headers.etag).toBe(etag);
    expect(response.body.equals(whole.body.subarray(start, end))).toBe(true);
  });

  test.each(['bytes=99999999-', 'bytes=-0', 'bytes=99999999999999999999-'])('%s is 416', async (range) => {
    const response = await fixture.get(path(), { Range: range });
    expect(response.status).toBe(416);
    expect(response.headers['content-range']).toBe(`bytes */${whole.body.length}`);
    expect(response.body.length).toBe(0);
  });

  test.each([
    'bytes=0-1,3-4',
    'bytes=0-9,5-14',
    'bytes=9-0',
    'bytes=x-',
    'lines=0-1',
    'bytes=0-1, bytes=4-5',
  ])('%s gets the whole', async (range) => {
    const response = await fixture.get(path(), { Range: range });
    expect(response.status).toBe(200);
    expect(response.body.equals(whole.body)).toBe(true);
  });

  test.each<[string, () => string, number]>([
    ['its ETag', () => etag, 206],
    ['its date', () => modified, 206],
    ['its ETag, weak', () => `W/${etag}`, 200],
    ['another ETag', () => '"a"', 200],
    ['another date', () => 'Fri, 01 Jan 1999 00:00:00 GMT', 200],
    ['no date', () => 'today', 200],
  ])('If-Range with %s', async (condition, validator, status) => {
    const expected = withoutDates(name, condition) ? 200 : status;
    const response = await fixture.get(path(), { Range: 'bytes=0-4', 'If-Range': validator() });
    expect(response.status).toBe(expected);
    expect(response.body.length).toBe(expected === 206 ? 5 : whole.body.length);
  });
});

describe('methods', () => {
  const paths = [...SERVED, ['a page', () => '/healthz'] as const, ['nothing', () => '/x'] as const];

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE'])(
    '%s',
    async (method) => {
      for (const [, path] of paths) {
        const connection = await fixture.connect();
        connection.send(requestText(method, path(), { 'Content-Length': '4', Connection: 'close' }));
        connection.send('body');
        const response = await connection.response();
        connection.close();
        expect(response.status).toBe(405);
        expect(response.headers.allow).toBe('GET, HEAD');
      }
    },
  );

  test('CONNECT makes no tunnel', async () => {
    const connection = await fixture.connect();
    connection.send('CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n');
    expect((await connection.rest()).length).toBe(0);
  });

  test('an Upgrade is not taken', async () => {
    const response = await fixture.get('/healthz', { Connection: 'Upgrade', Upgrade: 'websocket' });
    expect(response.status).toBe(200);
  });

  test('an unknown method is no request', async () => {
    const connection = await fixture.connect();
    connection.send('FETCH / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect((await connection.response()).status).toBe(400);
  });
});
