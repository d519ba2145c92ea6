/**
 * Serves git repositories over smart HTTP on a loopback port: `git http-backend` behind `node:http`, with
 * hooks for all the ways in which a git server can misbehave.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateSync, gunzipSync } from 'node:zlib';
import { testGitEnvironment } from './git-builder.ts';

/** What is done to an answer that holds a pack. */
export type PackTrouble =
  /** Sends this many bytes of the answer, then nothing more, and keeps the connection. */
  | { readonly hangAfter: number }
  /** Sends this many bytes of the answer, then closes the connection. */
  | { readonly cutAfter: number }
  /** Sends this pack, whatever was asked for. */
  | { readonly instead: Uint8Array }
  /** Sends a well-formed pack of one blob after the other, without end. */
  | 'endless'
  /** Sends a pack whose header claims two thousand million objects, which git makes room for at once. */
  | 'countless'
  /** Sends lines for the user's terminal, without end. */
  | 'chatter';

export interface GitServerHooks {
  /** Looks at each request first; true when it has taken care of the answer. */
  handle?: (request: IncomingMessage, response: ServerResponse) => boolean;
  pack?: PackTrouble;
}

export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** The body, decoded; for `git-upload-pack` it has `command=fetch` or `command=ls-refs` (latin1). */
  readonly body: string;
}

export interface GitServer {
  readonly port: number;
  /** `http://127.0.0.1:PORT/` */
  readonly origin: string;
  readonly requests: RecordedRequest[];
  /** May be set and unset at any time. */
  readonly hooks: GitServerHooks;
  close(): Promise<void>;
}

/** Serves every repository below `root` at its path. */
export async function serveGit(root: string, hooks: GitServerHooks = {}): Promise<GitServer> {
  const requests: RecordedRequest[] = [];
  const children = new Set<ChildProcess>();
  const server = createServer(async (request, response) => {
    try {
      const raw = await bodyOf(request);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      const recorded = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: body.toString('latin1'),
      };
      requests.push(recorded);
      if (hooks.handle?.(request, response)) return;
      const trouble = recorded.body.includes('command=fetch') ? hooks.pack : undefined;
      if (trouble === 'endless') return sendEndlessly(response, body, 1, packPieces(0xff_ff_ff));
      if (trouble === 'countless') return sendEndlessly(response, body, 1, packPieces(0x7f_ff_ff_ff));
      if (trouble === 'chatter') return sendEndlessly(response, body, 2, chatterPieces());
      runBackend(root, recorded, body, response, trouble, children);
    } catch {
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}/`,
    requests,
    hooks,
    async close() {
      for (const child of children) child.kill('SIGKILL');
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** git-http-backend as CGI (RFC 3875): the request in variables and stdin, header lines before the body. */
function runBackend(
  root: string,
  request: RecordedRequest,
  body: Buffer,
  response: ServerResponse,
  trouble: Exclude<PackTrouble, string> | undefined,
  children: Set<ChildProcess>,
): void {
  const [path = '', query = ''] = request.url.split('?');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...testGitEnvironment(),
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(path),
      QUERY_STRING: query,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      CONTENT_LENGTH: String(body.length),
      REMOTE_ADDR: '127.0.0.1',
      SERVER_PROTOCOL: 'HTTP/1.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  children.add(child);
  response.on('close', () => child.kill('SIGKILL'));
  child.on('close', () => children.delete(child));
  child.stdin.on('error', () => {});
  child.stdin.end(body);

  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  child.stdout.on('end', () => {
    const all = Buffer.concat(pieces);
    const end = all.indexOf('\r\n\r\n');
    const { status, headers } = cgiHeader(all.toString('latin1', 0, end));
    response.writeHead(status, headers);
    send(response, body, all.subarray(end + 4), trouble);
  });
}

function cgiHeader(text: string): { status: number; headers: [string, string][] } {
  const headers = text.split('\r\n').map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const status = headers.find(([name]) => name.toLowerCase() === 'status')?.[1] ?? '200';
  return {
    status: Number.parseInt(status, 10),
    headers: headers.filter(([name]) => name.toLowerCase() !== 'status'),
  };
}

function send(
  response: ServerResponse,
  asked: Buffer,
  body: Buffer,
  trouble: Exclude<PackTrouble, string> | undefined,
): void {
  if (trouble === undefined) response.end(body);
  else if ('instead' in trouble) response.end(packAnswer(asked, trouble.instead));
  else if ('hangAfter' in trouble) response.write(body.subarray(0, trouble.hangAfter));
  else response.write(body.subarray(0, trouble.cutAfter), () => response.destroy());
}

/** An answer of protocol version 2 whose packfile section never ends; band 1 is the pack, 2 is for the user. */
function sendEndlessly(
  response: ServerResponse,
  asked: Buffer,
  band: 1 | 2,
  pieces: Iterator<Buffer, never>,
): void {
  response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
  response.write(packBegin(asked));
  const more = () => {
    while (!response.destroyed) {
      const piece = pieces.next().value;
      if (!response.write(packetLine(Buffer.concat([Buffer.from([band]), piece])))) break;
    }
  };
  response.on('drain', more);
  response.on('error', () => {});
  more();
}

/** gitprotocol-v2: the packfile section, in pieces on band 1, and the flush packet. */
function packAnswer(asked: Buffer, pack: Uint8Array): Buffer {
  const lines = [packBegin(asked)];
  for (let at = 0; at < pack.length; at += 60_000) {
    lines.push(packetLine(Buffer.concat([Buffer.from([1]), pack.subarray(at, at + 60_000)])));
  }
  return Buffer.concat([...lines, Buffer.from('0000')]);
}

/** A client that still offers what it has is told that this is enough; then the pack begins. */
function packBegin(asked: Buffer): Buffer {
  const packfile = packetLine(Buffer.from('packfile\n'));
  if (asked.includes('0009done')) return packfile;
  const ready = [packetLine(Buffer.from('acknowledgments\n')), packetLine(Buffer.from('ready\n'))];
  return Buffer.concat([...ready, Buffer.from('0001'), packfile]);
}

/** gitprotocol-common: four hex digits of length, these four included. */
function packetLine(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from((data.length + 4).toString(16).padStart(4, '0')), data]);
}

/** gitformat-pack: a header that promises `count` objects, then one blob again and again. */
function* packPieces(count: number): Generator<Buffer, never, undefined> {
  const size = 30_000;
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  header.writeUInt32BE(count, 8);
  // The type (3, a blob) and the size in groups of 4, 7 and 7 bits.
  const entry = Buffer.from([0x80 | (3 << 4) | (size & 15), 0x80 | ((size >> 4) & 127), size >> 11]);
  const blob = Buffer.concat([entry, deflateSync(randomBytes(size), { level: 0 })]);
  yield header;
  for (;;) yield blob;
}

function* chatterPieces(): Generator<Buffer, never, undefined> {
  const line = Buffer.from(`${'\x1b[2Jfatal: early EOF, fsck error '.repeat(100)}\n`, 'latin1');
  for (;;) yield line;
}
