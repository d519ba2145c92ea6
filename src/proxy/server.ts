/** The HTTP server: the fast path for what opam asks, before the table of routes for everything else. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { asSeraiError, type SeraiError } from '../errors.ts';
import type { Mirror } from '../mirror/mirror.ts';
import { ArchiveHandler } from './archive-handler.ts';
import { IndexHandler } from './index-handler.ts';
import { createPages } from './pages.ts';
import { parsePath } from './paths.ts';
import { sendText } from './respond.ts';

export interface MirrorServer {
  readonly server: Server;
  /** Stops accepting, lets every answer under way end, then resolves. */
  drain(): Promise<void>;
}

/** Request heads beyond this many bytes are refused by Node with 431. */
const REQUEST_HEAD_BYTES = 16 * 1024;

export function createMirrorServer(mirror: Mirror, report: (error: SeraiError) => void): MirrorServer {
  const { limits } = mirror.config;
  const patient = new WeakSet<Socket>();
  const archives = new ArchiveHandler({
    ...mirror,
    limits,
    waiting: (request, waits) => {
      if (waits) patient.add(request.socket);
      else patient.delete(request.socket);
    },
  });
  const indexes = new IndexHandler(mirror.served);
  const pages = getRequestListener(createPages(mirror).fetch);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '';
    const asked = parsePath(path);
    if (asked === undefined) return pages(request, response);
    if (asked.kind === 'archive')
      return archives.answer(path, asked.repository, asked.checksum, request, response);
    if (asked.snapshot !== undefined)
      return indexes.answerPast(asked.kind, asked.repository, asked.snapshot, request, response);
    return indexes.answerPresent(asked.kind, asked.repository, request, response);
  };

  const server = createServer(
    {
      maxHeaderSize: REQUEST_HEAD_BYTES,
      headersTimeout: limits.client_headers_timeout,
      requestTimeout: limits.client_headers_timeout,
      connectionsCheckingInterval: 1000,
      noDelay: true,
    },
    (request, response) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        sendText(request, response, 405, 'only GET and HEAD are answered here');
        return;
      }
      if (archives.answerHot(request.url ?? '', request, response)) return;
      answer(request, response).catch((error: unknown) => {
        report(asSeraiError(error, 'internal', `answering ${request.url ?? ''}`));
        if (response.headersSent) response.destroy();
        else sendText(request, response, 500, 'an error of the mirror; its log tells more');
      });
    },
  );
  server.maxConnections = limits.client_connections;
  // A client that takes nothing for so long is cut off, unless it is we who keep it waiting.
  server.setTimeout(limits.client_stall_timeout, (socket: Socket) => {
    if (!patient.has(socket)) socket.destroy();
  });
  return { server, drain: () => drain(server) };
}

/** Kept-alive connections fall idle one after the other, so they are looked for until none is left. */
const IDLE_LOOK_MILLISECONDS = 50;

function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const looking = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MILLISECONDS);
    server.close(() => {
      clearInterval(looking);
      resolve();
    });
    server.closeIdleConnections();
  });
}
