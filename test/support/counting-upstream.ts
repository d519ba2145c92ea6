/** An HTTP upstream that counts: how often what was asked for, with a validator or without, and how many at once. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Files, indexOf, sha256 } from './tree-builder.ts';

export type Answering = (request: IncomingMessage, response: ServerResponse) => void;

export class CountingUpstream {
  readonly #server: Server;
  readonly #answers = new Map<string, Answering>();
  readonly #asked: string[] = [];
  readonly #waiting: { readonly path: string; readonly count: number; readonly resolve: () => void }[] = [];
  #open = 0;
  #most = 0;
  #notModified = 0;
  #connections = 0;

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('connection', () => {
      this.#connections += 1;
    });
  }

  static async start(): Promise<CountingUpstream> {
    const upstream = new CountingUpstream();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    return upstream;
  }

  /** `http://127.0.0.1:PORT`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests for this path so far. */
  requests(path: string): number {
    return this.#asked.filter((asked) => asked === path).length;
  }

  /** Resolves once the path was asked for so many times in all. */
  asked(path: string, count = 1): Promise<void> {
    if (this.requests(path) >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ path, count, resolve }));
  }

  get requestsInAll(): number {
    return this.#asked.length;
  }

  /** Answers of 304. */
  get notModified(): number {
    return this.#notModified;
  }

  /** Connections that were made so far. */
  get connections(): number {
    return this.#connections;
  }

  /** The most requests that were open at one moment. */
  get mostAtOnce(): number {
    return this.#most;
  }

  set(path: string, answer: Answering): void {
    this.#answers.set(path, answer);
  }

  /** Bytes with an ETag of their own. */
  serve(path: string, body: Uint8Array): void {
    const etag = `"${sha256(body)}"`;
    this.set(path, (request, response) => {
      if (request.headers['if-none-match'] === etag) {
        this.#notModified += 1;
        response.writeHead(304, { etag }).end();
      } else response.writeHead(200, { etag, 'content-length': body.length }).end(body);
    });
  }

  /** The repository at `/index.tar.gz`, or below `folder`. */
  serveIndex(files: Files, folder = ''): void {
    this.serve(`${folder}/index.tar.gz`, indexOf(files));
  }

  fail(path: string, status: number): void {
    this.set(path, (_request, response) => response.writeHead(status).end('not today'));
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.#asked.push(path);
    this.#open += 1;
    this.#most = Math.max(this.#most, this.#open);
    response.once('close', () => {
      this.#open -= 1;
    });
    response.on('error', () => undefined);
    const answer = this.#answers.get(path);
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
    for (const { path: wanted, count, resolve } of this.#waiting)
      if (this.requests(wanted) >= count) resolve();
  }
}
