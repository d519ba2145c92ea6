/** The HTTP server: the fast path for what opam asks, before the table of routes for everything else. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { asSeraiError, type SeraiError } from '../errors.ts';
import type { Mirror } from '../mirror/mirror.ts';
import { ArchiveHandler } from './archive-handler.ts';
import { Connections } from './connections.ts';
import { IndexHandler } from './index-handler.ts';
import { type Asked, isPagePath, parsePath } from './paths.ts';
import { RETRY_LATER, STORE_UNKNOWN, sendText } from './respond.ts';
import { SlowClients } from './slow-clients.ts';
import { StoreWatch } from './store-watch.ts';

export interface MirrorServer {
  readonly server: Server;
  /** Stops accepting, lets every answer under way end, then resolves. */
  drain(): Promise<void>;
  /** Forgets what is kept in memory of archives: what is withdrawn is answered for no more (HOSTILE 6). */
  forget(): void;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Request heads beyond this many bytes are refused by Node with 431. */
const REQUEST_HEAD_BYTES = 16 * 1024;

export function createMirrorServer(mirror: Mirror, report: (error: SeraiError) => void): MirrorServer {
  const { limits } = mirror.config;
  const patient = new WeakSet<Socket>();
  const connections = new Connections();
  const slow = new SlowClients(limits, limits.hot_blobs);
  const { catalogue, served } = mirror;
  const watch = new StoreWatch({ catalogue, report, look: () => served.look() });
  /** Archives do not wait for an index to be read back. */
  const headWatch = new StoreWatch({ catalogue, report, look: () => served.lookAtHeads() });
  const archives = new ArchiveHandler({
    ...mirror,
    limits,
    slow,
    watch: headWatch,
    report,
    waiting: (request, waits) => {
      if (waits) patient.add(request.socket);
      else patient.delete(request.socket);
    },
  });
  served.onChange(() => archives.forget());
  const indexes = new IndexHandler({ ...mirror, slow, watch });
  /** The error is for the log; a client learns that there was one. */
  const failed = (error: unknown): string => {
    report(asSeraiError(error, 'internal', 'answering a request'));
    return 'an error of the mirror; its log tells more';
  };
  const fail = (error: unknown, request: IncomingMessage, response: ServerResponse): void => {
    const text = failed(error);
    if (response.headersSent) response.destroy();
    else sendText(request, response, 500, text);
  };
  let pagesLoaded: Promise<Listener> | undefined;
  /** Loaded when they are asked for: hono, and the fetch that it needs, take longer to load than a server to start. */
  const pages: Listener = (request, response) => {
    pagesLoaded ??= import('./pages-listener.ts')
      .then(({ pagesListener }) => pagesListener(mirror, failed))
      .catch((error: unknown) => {
        // Too many files are open at this moment, say; the next request tries again.
        pagesLoaded = undefined;
        throw error;
      });
    pagesLoaded
      .then((listener) => listener(request, response))
      .catch((error: unknown) => fail(error, request, response));
  };

  /** A decision that another process has written holds from the next request on (HOSTILE 27). */
  const answerAsked = async (
    path: string,
    asked: Asked,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const { repository, snapshot } = asked;
    const watched = asked.kind === 'archive' ? headWatch : watch;
    if (!watched.wasUpToDateThisTurn && !(await watched.catchUp()))
      // A client asks the archive's own source after a 404, and asks here again after a 5xx (OPAM-CLIENT).
      return asked.kind === 'archive'
        ? sendText(request, response, 404, STORE_UNKNOWN)
        : sendText(request, response, 503, STORE_UNKNOWN, RETRY_LATER);
    // A repository that is no longer configured may still be in the catalogue.
    if (!served.has(repository))
      return sendText(request, response, 404, `there is no repository ${repository} here`);
    if (asked.kind !== 'archive') {
      if (snapshot === undefined) return indexes.answerPresent(asked.kind, repository, request, response);
      return indexes.answerPast(asked.kind, repository, snapshot, request, response);
    }
    if (snapshot !== undefined && (await catalogue.snapshot(repository, snapshot)) === undefined)
      return sendText(request, response, 404, `${repository} never published snapshot ${snapshot}`);
    return archives.answer(path, repository, asked.checksum, request, response);
  };

  const answer: Listener = (request, response) => {
    const path = request.url ?? '';
    if (headWatch.wasUpToDateThisTurn && archives.answerHot(path, request, response)) return;
    const asked = parsePath(path);
    let answered: Promise<void>;
    if (asked !== undefined) answered = answerAsked(path, asked, request, response);
    // They say themselves that the store cannot be read.
    else if (isPagePath(path)) answered = watch.catchUp().then(() => pages(request, response));
    else return sendText(request, response, 404, 'nothing is served under this path');
    answered.catch((error: unknown) => fail(error, request, response));
  };

  let draining = false;
  const server = createServer(
    {
      maxHeaderSize: REQUEST_HEAD_BYTES,
      headersTimeout: limits.client_headers_timeout,
      requestTimeout: limits.client_headers_timeout,
      connectionsCheckingInterval: 1000,
      noDelay: true,
    },
    (request, response) => {
      if (draining) response.shouldKeepAlive = false;
      connections.inTurn(request.socket, response, () => {
        if (request.method === 'GET' || request.method === 'HEAD') answer(request, response);
        else sendText(request, response, 405, 'only GET and HEAD are answered here', { allow: 'GET, HEAD' });
      });
    },
  );
  server.maxConnections = limits.client_connections;
  // A client that takes nothing for so long is cut off, unless it is we who keep it waiting.
  server.setTimeout(limits.client_stall_timeout, (socket: Socket) => {
    if (!patient.has(socket)) socket.destroy();
  });
  const drainOnce = (): Promise<void> => {
    draining = true;
    return drain(server, limits.drain);
  };
  return { server, drain: drainOnce, forget: () => archives.forget() };
}

/** Kept-alive connections fall idle one after the other, so they are looked for until none is left. */
const IDLE_LOOK_MILLISECONDS = 50;

function drain(server: Server, patience: number): Promise<void> {
  return new Promise((resolve) => {
    const looking = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MILLISECONDS);
    const late = setTimeout(() => server.closeAllConnections(), patience);
    server.close(() => {
      clearInterval(looking);
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}
