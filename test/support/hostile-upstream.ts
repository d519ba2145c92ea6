/**
 * A real server on a loopback port that misbehaves in exactly one named way (HOSTILE 10, 11). It speaks bytes,
 * not HTTP, since most of what it does no HTTP library would do. It closes when the test that started it ends.
 */
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface HeardRequest {
  /** As in the request line. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
}

/** What the server does on a connection, once for each request that it hears there. */
export type Behaviour = (socket: Socket, request: HeardRequest, count: number) => void;

export interface HostileUpstream {
  /** `http://127.0.0.1:PORT`, without a final slash. */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly HeardRequest[];
  /** Connections that were made, closed ones included. */
  connections(): number;
  /** Resolves once no connection is open; a leaked one lets the test time out. */
  allClosed(): Promise<void>;
}

/** Starts a server for the test that is running. It acts on each request, or on each connection at once. */
export async function startUpstream(
  behaviour: Behaviour,
  when: 'on request' | 'at once' = 'on request',
): Promise<HostileUpstream> {
  const sockets = new Set<Socket>();
  const requests: HeardRequest[] = [];
  const waiting: (() => void)[] = [];
  let connections = 0;

  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    // What the client does to the connection is looked at through `close`.
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) for (const resolve of waiting.splice(0)) resolve();
    });
    if (when === 'at once') {
      socket.resume();
      behaviour(socket, parseRequest(''), connections);
      return;
    }
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      for (let end = heard.indexOf('\r\n\r\n'); end >= 0; end = heard.indexOf('\r\n\r\n')) {
        const request = parseRequest(heard.slice(0, end));
        heard = heard.slice(end + 4);
        requests.push(request);
        behaviour(socket, request, requests.length);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    requests,
    connections: () => connections,
    allClosed: () => new Promise((resolve) => (sockets.size === 0 ? resolve() : waiting.push(resolve))),
  };
}

function parseRequest(head: string): HeardRequest {
  const [first = '', ...lines] = head.split('\r\n');
  const pairs = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const headers = Object.fromEntries(pairs);
  return { path: first.split(' ')[1] ?? '', headers, authorization: new Map(pairs).get('authorization') };
}

/** A well-formed answer; `Content-Length` is added unless a length or coding is given. */
export function answer(
  status: string,
  headers: readonly string[] = [],
  body: string | Buffer = '',
): Behaviour {
  return (socket) => {
    socket.write(`HTTP/1.1 ${status}\r\n${headers.map((line) => `${line}\r\n`).join('')}`);
    socket.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`);
    socket.write(body);
  };
}

/** These bytes and nothing more; the connection stays open unless `end` says otherwise. */
export function raw(bytes: string | Buffer, end?: 'fin' | 'reset'): Behaviour {
  return (socket) => {
    socket.write(bytes, () => {
      if (end === 'fin') socket.end();
      if (end === 'reset') socket.resetAndDestroy();
    });
  };
}

/** `head`, then `piece` again and again, as fast as the client takes it or every `pause` milliseconds. */
export function endless(head: string, piece: string | Buffer, pause?: number): Behaviour {
  return (socket) => {
    socket.write(head);
    const write = (): void => {
      if (socket.destroyed) return;
      if (pause !== undefined) {
        socket.write(piece);
        setTimeout(write, pause);
      } else if (socket.write(piece)) {
        setImmediate(write);
      } else {
        socket.once('drain', write);
      }
    };
    write();
  };
}

const OK = 'HTTP/1.1 200 OK\r\n';
const HELLO = 'hello';
const KIBIBYTE = 'x'.repeat(1024);

/** The misbehaviours, by name. */
export const hostile = {
  'endless body, chunked': endless(`${OK}Transfer-Encoding: chunked\r\n\r\n`, `400\r\n${KIBIBYTE}\r\n`),
  'endless body, without a length': endless(`${OK}\r\n`, KIBIBYTE),
  'endless body, with a length': endless(`${OK}Content-Length: 900000000000000\r\n\r\n`, KIBIBYTE),
  'a length above all numbers': raw(`${OK}Content-Length: 99999999999999999999999999\r\n\r\n`),
  'more bytes than the length says': raw(`${OK}Content-Length: 5\r\n\r\nhello, and more`),
  'fewer bytes than the length says': raw(`${OK}Content-Length: 10\r\n\r\n${HELLO}`, 'fin'),
  'one byte fewer than the length says': raw(`${OK}Content-Length: 6\r\n\r\n${HELLO}`, 'fin'),
  'a reset one byte before the end': raw(`${OK}Content-Length: 6\r\n\r\n${HELLO}`, 'reset'),
  'chunks without the last one': raw(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\n${HELLO}\r\n`, 'fin'),
  'chunks cut in the last byte': raw(
    `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\n${HELLO}\r\n0\r\n\r`,
    'fin',
  ),
  'chunks cut on a connection that closes': raw(
    `${OK}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${HELLO}\r\n`,
    'fin',
  ),
  'a chunk size that is no number': raw(`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n${HELLO}\r\n`),
  'a byte now and then': endless(`${OK}\r\n`, 'x', 4),
  'trailers without end': endless(`${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`, `X: ${KIBIBYTE}\r\n`),
  'silence after the headers': raw(`${OK}Content-Length: 5\r\n\r\n`),
  'silence in the body': raw(`${OK}Content-Length: 10\r\n\r\n${HELLO}`),
  'silence in the last chunk': raw(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\n${HELLO}\r\n`),
  'silence from the start': () => {},
  'silence in the headers': raw(`${OK}Content-Type: text/pl`),
  'headers without end': endless(OK, `X-Y: ${KIBIBYTE}\r\n`),
  'one header without end': endless(`${OK}X-Y: `, KIBIBYTE),
  'headers now and then': endless(OK, 'X: y\r\n', 4),
  'interim responses without end': endless('', 'HTTP/1.1 103 Early Hints\r\n\r\n', 1),
  'a status line without end': endless('HTTP/1.1 200 ', 'x', 1),
  'two lengths': raw(`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n${HELLO}!`),
  'a length and chunks': raw(
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${HELLO}\r\n0\r\n\r\n`,
  ),
  'chunks and a length': raw(
    `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\n${HELLO}\r\n0\r\n\r\n`,
  ),
  'a length that is no number': raw(`${OK}Content-Length: five\r\n\r\n${HELLO}`),
  'a coded body': answer('200 OK', ['Content-Encoding: gzip'], HELLO),
  'a thousand codings': answer('200 OK', [`Content-Encoding: ${Array(1000).fill('gzip').join(', ')}`], HELLO),
  'a thousand coding headers': answer('200 OK', Array(1000).fill('Content-Encoding: gzip'), HELLO),
  'no HTTP at all': raw('SSH-2.0-OpenSSH_9.9\r\n', 'fin'),
  'an end before the headers': (socket: Socket) => socket.end(),
  'a reset before the headers': (socket: Socket) => socket.resetAndDestroy(),
  'another protocol': raw('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
  'partial content': answer('206 Partial Content', ['Content-Range: bytes 0-4/10'], HELLO),
  'no content': raw('HTTP/1.1 204 No Content\r\n\r\n'),
  'not modified': raw('HTTP/1.1 304 Not Modified\r\n\r\n'),
  'not found': answer('404 <script>', [], HELLO),
  'a server error': answer('503 Service Unavailable', ['Retry-After: 1'], HELLO),
  'an error page without end': endless('HTTP/1.1 500 Oops\r\n\r\n', KIBIBYTE),
  choices: answer('300 Multiple Choices', ['Location: /elsewhere']),
  'a redirect without a target': answer('302 Found'),
  'a redirect to itself': answer('302 Found', ['Location: ?']),
  'redirects without end': (socket: Socket, request: HeardRequest, count: number) =>
    answer('302 Found', [`Location: /hop-${count}`])(socket, request, count),
  'a redirect to ftp': answer('302 Found', ['Location: ftp://127.0.0.1/index.tar.gz']),
  'a redirect to a file': answer('302 Found', ['Location: file:///etc/passwd']),
  'a redirect to data': answer('302 Found', ['Location: data:,hello']),
  'a redirect to no URL': answer('302 Found', ['Location: http://[']),
  'two redirects at once': answer('302 Found', ['Location: /a', 'Location: /b']),
} satisfies Record<string, Behaviour>;

export type Misbehaviour = keyof typeof hostile;
