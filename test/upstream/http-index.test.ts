import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DEFAULT_LIMITS, type Limits } from '../../src/limits.ts';
import type { Fetcher } from '../../src/upstream/fetcher.ts';
import { createFetcher } from '../../src/upstream/http.ts';
import { fetchHttpIndex, type HttpIndex } from '../../src/upstream/http-index.ts';
import { answer, type Behaviour, endless, hostile, raw, startUpstream } from '../support/hostile-upstream.ts';
import { tar } from '../support/tar.ts';

const INDEX = gzipSync(tar({ name: 'repo', content: 'opam-version: "2.0"\n' }));
/** Trees as small as these are not put on the disk. */
const NO_FOLDER = '/nonexistent';
const ETAG = 'ETag: "v1"';
const MODIFIED = 'Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT';

function fetcher(limits: Limits = DEFAULT_LIMITS): Fetcher {
  const made = createFetcher({
    limits,
    allowPrivateAddresses: true,
    privateHosts: [],
    userAgent: 'serai/test',
  });
  onTestFinished(() => made.close());
  return made;
}

function fetchIndex(url: string, validator?: string, limits: Partial<Limits> = {}): Promise<HttpIndex> {
  const all = { ...DEFAULT_LIMITS, ...limits };
  return fetchHttpIndex({ url, fetcher: fetcher(all), folder: NO_FOLDER, limits: all, validator });
}

function validatorOf(index: HttpIndex): string | undefined {
  return index.kind === 'changed' ? index.validator : undefined;
}

describe('the index is asked for where opam asks for it', () => {
  test.each([
    ['', '/index.tar.gz'],
    ['/', '/index.tar.gz'],
    ['/opam/2.0', '/opam/2.0/index.tar.gz'],
    ['/opam/2.0//', '/opam/2.0/index.tar.gz'],
    ['/opam?token=1#f', '/opam/index.tar.gz?token=1'],
  ])('%s at %s', async (path, asked) => {
    const upstream = await startUpstream(answer('200 OK', [], INDEX));
    const index = await fetchIndex(upstream.url + path);
    expect(index).toMatchObject({ kind: 'changed' });
    expect(index.kind === 'changed' && [...index.tree.files.keys()]).toEqual(['repo']);
    expect(validatorOf(index)).toBeUndefined();
    expect(upstream.requests[0]?.path).toBe(asked);
  });

  test('userinfo becomes credentials', async () => {
    const upstream = await startUpstream(answer('200 OK', [ETAG], INDEX));
    const index = await fetchIndex(upstream.url.replace('//', '//me:secret@'));
    expect(upstream.requests[0]?.authorization).toBe(`Basic ${btoa('me:secret')}`);
    expect(validatorOf(index)).not.toContain('secret');
  });
});

describe('validators', () => {
  test('what came back goes out again, and 304 is "unchanged"', async () => {
    const upstream = await startUpstream((socket, request, count) => {
      const behaviour =
        count === 1 ? answer('200 OK', [ETAG, MODIFIED], INDEX) : raw('HTTP/1.1 304 N\r\n\r\n');
      behaviour(socket, request, count);
    });
    const validator = validatorOf(await fetchIndex(upstream.url));
    expect(await fetchIndex(`${upstream.url}/`, validator)).toEqual({ kind: 'unchanged' });
    expect(upstream.requests[1]?.headers).toMatchObject({
      'if-none-match': '"v1"',
      'if-modified-since': 'Mon, 01 Jan 2024 00:00:00 GMT',
    });
  });

  test.each([
    ['no JSON', () => '{'],
    ['no object', () => '"v1"'],
    ['null', () => 'null'],
    ['another URL’s', () => JSON.stringify({ url: 'http://other.example/index.tar.gz', etag: '"v1"' })],
    ['a header in it', (url: string) => JSON.stringify({ url, etag: '"v1"\r\nX: y' })],
    ['a number', (url: string) => JSON.stringify({ url, etag: 1 })],
    ['an unknown field', (url: string) => JSON.stringify({ url, etag: '"v1"', x: 1 })],
    ['neither of the two', (url: string) => JSON.stringify({ url })],
    ['endless', (url: string) => JSON.stringify({ url, etag: 'x'.repeat(9999) })],
  ])('a malformed one is ignored: %s', async (_name, make) => {
    const upstream = await startUpstream(answer('200 OK', [], INDEX));
    await fetchIndex(upstream.url, make(`${upstream.url}/index.tar.gz`));
    expect(Object.keys(upstream.requests[0]?.headers ?? {})).not.toContain('if-none-match');
  });

  test('an odd header of the upstream’s is not kept', async () => {
    const upstream = await startUpstream(answer('200 OK', ['ETag: with blanks'], INDEX));
    expect(validatorOf(await fetchIndex(upstream.url))).toBeUndefined();
  });
});

describe('a hostile index is refused, and its connection closed', () => {
  test.each<[string, Behaviour, string, Partial<Limits>?]>([
    [
      'HTML with status 200',
      answer('200 OK', ['Content-Type: text/html'], '<html>hello</html>'),
      'archive-format',
    ],
    [
      'a length above the limit',
      raw('HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n'),
      'limit-exceeded',
    ],
    [
      'endless zeros',
      endless('HTTP/1.1 200 OK\r\n\r\n', Buffer.alloc(4096)),
      'limit-exceeded',
      { index: 1e5 },
    ],
    ['a tar cut short', answer('200 OK', [], INDEX.subarray(0, -9)), 'upstream-truncated'],
    ['silence', hostile['silence from the start'], 'upstream-timeout', { index_timeout: 50 }],
    ['a 304 not asked for', hostile['not modified'], 'upstream-status'],
  ])('%s', async (_name, behaviour, code, limits) => {
    const upstream = await startUpstream(behaviour);
    const all = { ...DEFAULT_LIMITS, ...limits };
    const using = fetcher(all);
    const fetched = fetchHttpIndex({ url: upstream.url, fetcher: using, folder: NO_FOLDER, limits: all });
    await expect(fetched).rejects.toMatchObject({ code });
    await using.close();
    await upstream.allClosed();
  });
});
