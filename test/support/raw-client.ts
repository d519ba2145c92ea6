/**
 * An HTTP client that sends exactly the bytes it is given, so that odd spellings reach the server as they
 * are, and that shows exactly what came back.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawResponse {
  readonly status: number;
  /** Names in lower case; several of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** False when the connection ended before the body did. */
  readonly whole: boolean;
}

export type RawHeaders = Readonly<Record<string, string>>;

/** The bytes of a request; a `Host` is added unless one is given. */
export function requestText(method: string, target: string, headers: RawHeaders = {}): string {
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const all = names.includes('host') ? headers : { Host: 'mirror.test', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** One request on a connection of its own. */
export async function ask(
  port: number,
  method: string,
  target: string,
  headers: RawHeaders = {},
): Promise<RawResponse> {
  const connection = await RawConnection.open(port);
  try {
    connection.send(requestText(method, target, { Connection: 'close', ...headers }));
    return await connection.response(method);
  } finally {
    connection.close();
  }
}

/** A connection that answers are read from one after the other. It reads only while somebody waits. */
export class RawConnection {
  readonly socket: Socket;
  #heard = Buffer.alloc(0);
  #ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.pause();
    // A reset is an end like any other; `whole` tells whether it came too early.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  /** Latin-1 text or bytes, unaltered. */
  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  get(target: string, headers: RawHeaders = {}): Promise<RawResponse> {
    this.send(requestText('GET', target, headers));
    return this.response('GET');
  }

  /** The next answer; rejects when the connection ends before there is one. */
  async response(method = 'GET'): Promise<RawResponse> {
    const head = await this.head();
    const bodiless = method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304;
    const length = bodiless ? 0 : head.headers['content-length'];
    if (head.headers['transfer-encoding'] !== undefined && length === undefined)
      return { ...head, ...(await this.#chunked()) };
    const body = await this.#take(length === undefined ? Number.POSITIVE_INFINITY : Number(length));
    return { ...head, body, whole: length === undefined || body.length === Number(length) };
  }

  /** Status and headers of the next answer; what follows stays unread. */
  async head(): Promise<Pick<RawResponse, 'status' | 'headers'>> {
    let end = this.#heard.indexOf('\r\n\r\n');
    while (end === -1) {
      if (!(await this.#more())) throw new Error('the connection ended before an answer');
      end = this.#heard.indexOf('\r\n\r\n');
    }
    const [first = '', ...lines] = this.#heard.subarray(0, end).toString('latin1').split('\r\n');
    this.#heard = this.#heard.subarray(end + 4);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    return { status: Number(first.split(' ')[1]), headers };
  }

  /** Everything up to the end of the connection. */
  rest(): Promise<Buffer> {
    return this.#take(Number.POSITIVE_INFINITY);
  }

  /** Resolves when the connection has ended, whatever came before. */
  async ended(): Promise<void> {
    await this.rest();
  }

  close(): void {
    this.socket.destroy();
  }

  async #take(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let taken = 0;
    for (;;) {
      const piece = this.#heard.subarray(0, count - taken);
      this.#heard = this.#heard.subarray(piece.length);
      pieces.push(piece);
      taken += piece.length;
      if (taken >= count || !(await this.#more())) return Buffer.concat(pieces);
    }
  }

  async #chunked(): Promise<Pick<RawResponse, 'body' | 'whole'>> {
    const pieces: Buffer[] = [];
    for (;;) {
      let end = this.#heard.indexOf('\r\n');
      while (end === -1) {
        if (!(await this.#more())) return { body: Buffer.concat(pieces), whole: false };
        end = this.#heard.indexOf('\r\n');
      }
      const size = Number.parseInt(this.#heard.subarray(0, end).toString('latin1'), 16);
      this.#heard = this.#heard.subarray(end + 2);
      const piece = await this.#take(size + 2);
      pieces.push(piece.subarray(0, size));
      if (piece.length < size + 2) return { body: Buffer.concat(pieces), whole: false };
      if (size === 0) return { body: Buffer.concat(pieces), whole: true };
    }
  }

  /** Waits for more bytes; false when none will come. */
  async #more(): Promise<boolean> {
    const { socket } = this;
    for (;;) {
      const bytes: unknown = socket.read();
      if (Buffer.isBuffer(bytes)) {
        this.#heard = Buffer.concat([this.#heard, bytes]);
        return true;
      }
      if (this.#ended || socket.readableEnded || socket.destroyed) return false;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          socket.off('readable', done).off('end', done).off('close', done);
          resolve();
        };
        socket.on('readable', done).on('end', done).on('close', done);
      });
    }
  }
}
