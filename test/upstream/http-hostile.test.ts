import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import type { FetchRequest } from '../../src/upstream/fetcher.ts';
import type { FetcherLimits } from '../../src/upstream/http.ts';
import { hostile, type Misbehaviour, raw, startUpstream } from '../support/hostile-upstream.ts';
import { fetcherWith, get } from '../support/hostile-upstream-client.ts';

type Case = [Misbehaviour, ErrorCode, Partial<FetcherLimits>?, Partial<FetchRequest>?];

const CASES: Case[] = [
  ['endless body, chunked', 'limit-exceeded'],
  ['endless body, without a length', 'limit-exceeded'],
  ['endless body, with a length', 'limit-exceeded'],
  ['a length above all numbers', 'upstream-protocol'],
  ['fewer bytes than the length says', 'upstream-truncated'],
  ['one byte fewer than the length says', 'upstream-truncated'],
  ['a reset one byte before the end', 'upstream-truncated'],
  ['chunks without the last one', 'upstream-truncated'],
  ['chunks cut in the last byte', 'upstream-truncated'],
  ['chunks cut on a connection that closes', 'upstream-truncated'],
  ['a chunk size that is no number', 'upstream-protocol'],
  ['a byte now and then', 'upstream-timeout', { least_rate: 1e9, least_rate_window: 20 }],
  ['a byte now and then', 'upstream-timeout', { least_rate: 1 }, { timeout: 50 }],
  ['trailers without end', 'limit-exceeded'],
  ['silence after the headers', 'upstream-timeout', { stall_timeout: 50 }],
  ['silence in the body', 'upstream-timeout', { stall_timeout: 50 }],
  ['silence in the last chunk', 'upstream-timeout', { stall_timeout: 50 }],
  ['silence in the body', 'upstream-timeout', {}, { timeout: 50 }],
  ['silence from the start', 'upstream-timeout', { headers_timeout: 50 }],
  ['silence from the start', 'upstream-timeout', {}, { timeout: 50 }],
  ['silence in the headers', 'upstream-timeout', { headers_timeout: 50 }],
  ['headers now and then', 'upstream-timeout', { headers_timeout: 50 }],
  ['interim responses without end', 'upstream-timeout', { headers_timeout: 50 }],
  ['a status line without end', 'upstream-timeout', { headers_timeout: 50 }],
  ['headers without end', 'limit-exceeded'],
  ['one header without end', 'limit-exceeded'],
  ['two lengths', 'upstream-protocol'],
  ['a length and chunks', 'upstream-protocol'],
  ['chunks and a length', 'upstream-protocol'],
  ['a length that is no number', 'upstream-protocol'],
  ['a coded body', 'upstream-protocol'],
  ['a thousand codings', 'upstream-protocol'],
  ['a thousand coding headers', 'upstream-protocol', { header: 256 * 1024 }],
  ['no HTTP at all', 'upstream-protocol'],
  ['an end before the headers', 'upstream-unreachable'],
  ['a reset before the headers', 'upstream-unreachable'],
  ['another protocol', 'upstream-unreachable'],
  ['partial content', 'upstream-status'],
  ['no content', 'upstream-status'],
  ['not modified', 'upstream-status'],
  ['not found', 'upstream-missing'],
  ['a server error', 'upstream-status'],
  ['an error page without end', 'upstream-status'],
  ['choices', 'upstream-status'],
  ['a redirect without a target', 'upstream-status'],
  ['a redirect to itself', 'redirect-refused'],
  ['redirects without end', 'redirect-refused'],
  ['a redirect to ftp', 'redirect-refused'],
  ['a redirect to a file', 'redirect-refused'],
  ['a redirect to data', 'redirect-refused'],
  ['a redirect to no URL', 'redirect-refused'],
  ['two redirects at once', 'upstream-protocol'],
];

describe('a misbehaving upstream is refused, and its connection closed (HOSTILE 10, 11)', () => {
  test.each(CASES)('%s: %s', async (name, code, limits, request) => {
    const upstream = await startUpstream(hostile[name]);
    const fetcher = fetcherWith(limits);
    const url = `${upstream.url.replace('//', '//user:secret@')}/index.tar.gz`;
    const error = await get(fetcher, url, request).then(
      (body) => expect.fail(`answered ${body.length} bytes`),
      (refused: unknown) => refused,
    );
    expect(error).toMatchObject({ name: 'SeraiError', code });
    expect(String(error)).toContain(upstream.url);
    expect(String(error)).not.toContain('secret');
    await fetcher.close();
    await upstream.allClosed();
  });

  test.each(['endless body, chunked', 'endless body, with a length', 'silence in the body'] as const)(
    '%s: the connection closes without the fetcher being closed',
    async (name) => {
      const upstream = await startUpstream(hostile[name]);
      await expect(get(fetcherWith({ stall_timeout: 50 }), upstream.url)).rejects.toThrow();
      await upstream.allClosed();
    },
  );

  test('the status is in the message, and the upstream’s reason phrase is not', async () => {
    const upstream = await startUpstream(hostile['not found']);
    await expect(get(fetcherWith(), upstream.url)).rejects.toThrow(/answered 404 Not Found$/);
  });

  test('follows as many redirects as the limit says, and no more', async () => {
    const upstream = await startUpstream(hostile['redirects without end']);
    await expect(get(fetcherWith({ redirects: 3 }), upstream.url)).rejects.toThrow(/redirects = 3/);
    expect(upstream.requests).toHaveLength(4);
  });

  test('bytes behind the declared length are not read', async () => {
    const upstream = await startUpstream(hostile['more bytes than the length says']);
    expect(await get(fetcherWith(), upstream.url)).toBe('hello');
  });
});

describe('what cannot be reached', () => {
  test.each([
    ['a closed port', 'http://127.0.0.1:1/', 'upstream-unreachable'],
    ['a name without address', 'http://no-such-host.invalid/', 'upstream-unreachable'],
    ['another scheme', 'ftp://127.0.0.1/', 'upstream-protocol'],
    ['no URL', 'index.tar.gz', 'upstream-protocol'],
  ])('%s', async (_name, url, code) => {
    await expect(get(fetcherWith(), url)).rejects.toMatchObject({ code });
  });

  test.each([
    ['no TLS where TLS is expected', raw('HTTP/1.1 400 Bad Request\r\n\r\n', 'fin'), 'upstream-unreachable'],
    ['a TLS handshake that never ends', () => {}, 'upstream-timeout'],
  ])('%s', async (_name, behaviour, code) => {
    const upstream = await startUpstream(behaviour, 'at once');
    const fetcher = fetcherWith({ connect_timeout: 1000 });
    const url = `https://127.0.0.1:${upstream.port}/`;
    await expect(get(fetcher, url, { timeout: 50 })).rejects.toMatchObject({ code });
    await upstream.allClosed();
  });

  test('no connection within connect_timeout', async () => {
    const upstream = await startUpstream(() => {}, 'at once');
    const fetcher = fetcherWith({ connect_timeout: 50 });
    const fetched = get(fetcher, `https://127.0.0.1:${upstream.port}/`);
    await expect(fetched).rejects.toThrow(/connect_timeout/);
    await upstream.allClosed();
  });
});
