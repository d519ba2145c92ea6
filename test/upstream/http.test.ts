import { describe, expect, test } from 'vitest';
import { answer, endless, hostile, raw, startUpstream } from '../support/hostile-upstream.ts';
import { fetcherWith, get, textOf } from '../support/hostile-upstream-client.ts';

describe('a well-behaved upstream', () => {
  test('is asked plainly, and answers with its headers', async () => {
    const headers = [
      'ETag: "abc"',
      'Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT',
      'Content-Type: text/html',
    ];
    const upstream = await startUpstream(
      answer('200 OK', [...headers, 'Content-Encoding: identity'], 'hello'),
    );
    const response = await fetcherWith().fetch({
      url: `${upstream.url}/a?b=c#d`,
      maxBytes: 5,
      timeout: 5000,
    });
    expect(response).toMatchObject({
      status: 200,
      etag: '"abc"',
      lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT',
      contentType: 'text/html',
      contentLength: 5,
      url: `${upstream.url}/a?b=c`,
    });
    expect(await textOf(response.body)).toBe('hello');
    expect(upstream.requests).toEqual([
      {
        path: '/a?b=c',
        headers: {
          host: `127.0.0.1:${upstream.port}`,
          connection: 'keep-alive',
          'user-agent': 'serai/test',
          accept: '*/*',
          'accept-encoding': 'identity',
        },
        authorization: undefined,
      },
    ]);
  });

  test('a connection is used again', async () => {
    const upstream = await startUpstream(answer('200 OK', [], 'hello'));
    const fetcher = fetcherWith();
    for (let count = 0; count < 10; count++) await get(fetcher, upstream.url);
    // Undici rests a connection for one turn of the event loop, and opens a second one meanwhile.
    expect(upstream.connections()).toBeLessThan(3);
  });

  test('a body of exactly the bound passes, one byte more does not', async () => {
    const upstream = await startUpstream(raw('HTTP/1.1 200 OK\r\n\r\nhello', 'fin'));
    expect(await get(fetcherWith(), upstream.url, { maxBytes: 5 })).toBe('hello');
    await expect(get(fetcherWith(), upstream.url, { maxBytes: 4 })).rejects.toMatchObject({
      code: 'limit-exceeded',
    });
  });

  test('304 is an answer where validators were sent', async () => {
    const upstream = await startUpstream(hostile['not modified']);
    const validators = { etag: 'W/"abc"', lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' };
    const response = await fetcherWith().fetch({ url: upstream.url, maxBytes: 5, timeout: 5000, validators });
    expect(response.status).toBe(304);
    expect(await textOf(response.body)).toBe('');
    expect(upstream.requests[0]?.headers).toMatchObject({
      'if-none-match': 'W/"abc"',
      'if-modified-since': 'Mon, 01 Jan 2024 00:00:00 GMT',
    });
  });
});

describe('credentials stay with their origin (HOSTILE 12)', () => {
  const BASIC = `Basic ${Buffer.from('user:pa:ss').toString('base64')}`;

  test('they go to it, also after a redirect within it, and never into the answer', async () => {
    const upstream = await startUpstream((socket, request, count) => {
      const behaviour = count === 1 ? answer('307 X', ['Location: /b']) : answer('200 OK');
      behaviour(socket, request, count);
    });
    const url = `http://user:pa%3Ass@127.0.0.1:${upstream.port}/a`;
    const response = await fetcherWith().fetch({ url, maxBytes: 5, timeout: 5000 });
    expect(response.url).toBe(`${upstream.url}/b`);
    expect(upstream.requests.map((request) => request.authorization)).toEqual([BASIC, BASIC]);
  });

  test('they do not go to another origin, nor do those that a redirect brings', async () => {
    const other = await startUpstream(answer('200 OK', [], 'hello'));
    const target = `http://evil:word@127.0.0.1:${other.port}/`;
    const upstream = await startUpstream(answer('302 Found', [`Location: ${target}`]));
    expect(await get(fetcherWith(), `http://user:pass@127.0.0.1:${upstream.port}/`)).toBe('hello');
    expect(upstream.requests[0]?.authorization).toBeDefined();
    expect(other.requests[0]?.authorization).toBeUndefined();
  });
});

describe('addresses are checked when connecting (HOSTILE 12)', () => {
  test.each([
    'http://127.0.0.1',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
    'http://2130706433',
    'http://localhost',
  ])('%s is refused unless allowed', async (host) => {
    const upstream = await startUpstream(answer('200 OK'));
    const fetcher = fetcherWith({}, ['elsewhere.example']);
    await expect(get(fetcher, `${host}:${upstream.port}/`)).rejects.toMatchObject({
      code: 'address-refused',
    });
    expect(upstream.connections()).toBe(0);
  });

  test.each([
    'http://127.0.0.1:PORT/',
    'http://169.254.169.254/',
    'http://[::ffff:169.254.169.254]/',
    '//0.0.0.0/',
  ])('a redirect to %s is refused, also from a host that may be private', async (target) => {
    const upstream = await startUpstream((socket, request, count) => {
      answer('302 Found', [`Location: ${target.replace('PORT', String(upstream.port))}`])(
        socket,
        request,
        count,
      );
    });
    const fetcher = fetcherWith({}, ['LOCALHOST.']);
    const fetched = get(fetcher, `http://localhost:${upstream.port}/start`);
    await expect(fetched).rejects.toMatchObject({ code: 'address-refused' });
    expect(upstream.requests).toHaveLength(1);
  });
});

describe('the caller’s end of it', () => {
  test('an aborted signal ends the waiting for headers, and that for the body', async () => {
    const silent = await startUpstream(hostile['silence from the start']);
    const controller = new AbortController();
    const fetched = get(fetcherWith(), silent.url, { signal: controller.signal });
    setTimeout(() => controller.abort(), 10);
    await expect(fetched).rejects.toMatchObject({ code: 'aborted' });
    await silent.allClosed();

    const halting = await startUpstream(hostile['silence in the body']);
    const later = new AbortController();
    const response = await fetcherWith().fetch({
      url: halting.url,
      maxBytes: 99,
      timeout: 5000,
      signal: later.signal,
    });
    const chunks = response.body[Symbol.asyncIterator]();
    await chunks.next();
    later.abort();
    await expect(chunks.next()).rejects.toMatchObject({ code: 'aborted' });
    await halting.allClosed();
    await expect(get(fetcherWith(), halting.url, { signal: later.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(halting.requests).toHaveLength(1);
  });

  test('closing the fetcher ends what is under way', async () => {
    const upstream = await startUpstream(hostile['silence from the start']);
    const fetcher = fetcherWith();
    const fetched = expect(get(fetcher, upstream.url)).rejects.toMatchObject({ code: 'aborted' });
    await expect.poll(() => upstream.requests.length).toBe(1);
    await fetcher.close();
    await fetched;
    await upstream.allClosed();
  });

  test.each([
    [
      'a break',
      async (body: AsyncIterable<Uint8Array>) => {
        for await (const _chunk of body) break;
      },
    ],
    [
      'a return before the first chunk',
      async (body: AsyncIterable<Uint8Array>) => {
        await body[Symbol.asyncIterator]().return?.();
      },
    ],
    ['no reading at all', async () => {}],
  ])('%s closes the connection', async (_name, read) => {
    const upstream = await startUpstream(hostile['endless body, chunked']);
    const fetcher = fetcherWith({ stall_timeout: 50 });
    const response = await fetcher.fetch({ url: upstream.url, maxBytes: 1e9, timeout: 60_000 });
    await read(response.body);
    await upstream.allClosed();
  });

  test('a reader that is slow itself is no stall and no slow upstream', async () => {
    const upstream = await startUpstream(answer('200 OK', [], Buffer.alloc(300_000)));
    let now = 0;
    const limits = { stall_timeout: 200, least_rate: 1e9, least_rate_window: 1000 };
    const fetcher = fetcherWith(limits, [], () => now);
    const response = await fetcher.fetch({ url: upstream.url, maxBytes: 1e9, timeout: 60_000 });
    let received = 0;
    for await (const chunk of response.body) {
      if (received === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      received += chunk.length;
      now += 10_000;
    }
    expect(received).toBe(300_000);
  });

  test('silence after a reader’s own pause is a stall all the same', async () => {
    const upstream = await startUpstream(hostile['silence in the body']);
    const response = await fetcherWith({ stall_timeout: 50 }).fetch({
      url: upstream.url,
      maxBytes: 99,
      timeout: 60_000,
    });
    const chunks = response.body[Symbol.asyncIterator]();
    await chunks.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await expect(chunks.next()).rejects.toThrow(/stall_timeout = 50/);
  });

  test('a body that lasts longer than stall_timeout, but does not stall, is whole', async () => {
    const upstream = await startUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n');
      let sent = 0;
      const timer = setInterval(() => {
        socket.write('x');
        if (++sent === 60) clearInterval(timer);
      }, 10);
    });
    expect(await get(fetcherWith({ stall_timeout: 300 }), upstream.url)).toHaveLength(60);
  });

  test('the pace is judged by the clock that is handed in', async () => {
    const upstream = await startUpstream(endless('HTTP/1.1 200 OK\r\n\r\n', 'x', 1));
    let now = 0;
    const fetcher = fetcherWith({ least_rate: 10, least_rate_window: 1000 }, [], () => {
      now += 500;
      return now;
    });
    await expect(get(fetcher, upstream.url)).rejects.toThrow(/least_rate = 10/);
  });
});
