/**
 * A real upstream on a loopback port: it serves index.tar.gz and archives, counts who asks for what, and
 * misbehaves path by path. What breaks HTTP itself is in hostile-upstream.ts.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How one path answers. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Waiting {
  readonly path: string;
  readonly count: number;
  readonly resolve: () => void;
}

export class ArchiveUpstream {
  readonly #server: Server;
  readonly #answers = new Map<string, Answer>();
  readonly #asked = new Map<string, number>();
  #waiting: Waiting[] = [];

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<ArchiveUpstream> {
    const upstream = new ArchiveUpstream();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    return upstream;
  }

  /** `http://127.0.0.1:PORT`, without a final slash. */
  get address(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** From now on the path answers so; a path that was never set is a 404. */
  set(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** Requests for this very path so far. */
  requests(path: string): number {
    return this.#asked.get(path) ?? 0;
  }

  /** Resolves once the path was asked for so many times in all. */
  asked(path: string, count = 1): Promise<void> {
    if (this.requests(path) >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ path, count, resolve }));
  }

  /** Cuts every connection and refuses new ones. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.#asked.set(path, this.requests(path) + 1);
    // A mirror that hangs up is what some tests are about.
    response.on('error', () => undefined);
    (this.#answers.get(path) ?? status(404))(request, response);
    const ready = this.#waiting.filter((wait) => this.requests(wait.path) >= wait.count);
    this.#waiting = this.#waiting.filter((wait) => !ready.includes(wait));
    for (const { resolve } of ready) resolve();
  }
}

/** The bytes, with these headers. */
export function bytes(body: Uint8Array | string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => response.writeHead(200, headers).end(body);
}

/** This status and a few words. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => response.writeHead(code, headers).end('not today\n');
}

/** Promises all of the body and ends the connection one byte before its end. */
export function truncated(body: Uint8Array): Answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, -1), () => response.destroy());
  };
}

/** Each answer in turn; the last one for ever. */
export function inTurn(...answers: readonly Answer[]): Answer {
  let next = 0;
  return (request, response) => {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    answer?.(request, response);
  };
}

export interface Held {
  readonly answer: Answer;
  /** Lets what is held back go, now and from now on. */
  release(): void;
  /** Resolves when somebody who waited hung up. */
  readonly hungUp: Promise<void>;
}

/** Sends the head and all bytes but the last, which waits for `release`. */
export function heldBeforeLastByte(body: Uint8Array): Held {
  let released = false;
  const waiting = new Set<ServerResponse>();
  const { promise: hungUp, resolve } = Promise.withResolvers<void>();
  const finish = (response: ServerResponse): void => {
    waiting.delete(response);
    response.end(body.subarray(-1));
  };
  return {
    hungUp,
    answer: (_request, response) => {
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, -1));
      if (released) return finish(response);
      waiting.add(response);
      response.once('close', () => {
        if (waiting.delete(response)) resolve();
      });
    },
    release: () => {
      released = true;
      for (const response of [...waiting]) finish(response);
    },
  };
}
