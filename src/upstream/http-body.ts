/** A response's body within its bounds: bytes, progress, and the length that was declared (HOSTILE 10). */
import type { Readable } from 'node:stream';
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Deadline } from './http-deadline.ts';
import { exchangeError, showUrl } from './http-errors.ts';

export interface BodyBounds {
  readonly url: URL;
  readonly maxBytes: number;
  /** Bytes that the headers promise. */
  readonly declared: number | undefined;
  readonly limits: Pick<Limits, 'stall_timeout' | 'least_rate' | 'least_rate_window'>;
  readonly deadline: Deadline;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
}

/**
 * The body's bytes. Only time spent waiting for the upstream counts as the upstream's: a reader that is
 * slow itself (a disk) breaks neither `stall_timeout` nor `least_rate`. A body that nobody begins to read
 * within `stall_timeout` is given up. Ending the iteration, by its end, an error or `break`, ends the exchange.
 */
export function boundedBody(source: Readable, bounds: BodyBounds): AsyncIterable<Uint8Array> {
  const { deadline, limits, url } = bounds;
  // An abort without a reader has nobody else to tell.
  source.on('error', () => {});
  const unclaimed = setTimeout(() => {
    deadline.abort(new SeraiError('aborted', `GET ${showUrl(url)}: nobody read the response`));
    deadline.end();
  }, limits.stall_timeout);

  function end(): void {
    clearTimeout(unclaimed);
    deadline.end();
    if (!source.readableEnded) source.destroy();
  }

  return {
    [Symbol.asyncIterator]() {
      clearTimeout(unclaimed);
      const chunks = boundedChunks(source, bounds, end);
      return {
        next: () => chunks.next(),
        async return() {
          // A generator that has not begun would skip its own `finally`.
          end();
          return chunks.return(undefined);
        },
      };
    },
  };
}

async function* boundedChunks(
  source: Readable,
  bounds: BodyBounds,
  end: () => void,
): AsyncGenerator<Uint8Array, undefined> {
  const { url, maxBytes, declared, limits, deadline, clock } = bounds;
  const pace = new Pace(limits.least_rate, limits.least_rate_window);
  let received = 0;
  let waiting = true;
  let since = clock();
  const stall = setTimeout(() => {
    if (waiting) deadline.abort(timeout(url, `not one byte for stall_timeout = ${limits.stall_timeout} ms`));
  }, limits.stall_timeout);
  try {
    for await (const piece of source) {
      const chunk: Uint8Array = piece;
      waiting = false;
      received += chunk.length;
      if (received > maxBytes) throw tooLong(url, maxBytes);
      if (!pace.keeps(chunk.length, clock() - since)) {
        throw timeout(
          url,
          `slower than least_rate = ${limits.least_rate} bytes a second over ${limits.least_rate_window} ms`,
        );
      }
      yield chunk;
      waiting = true;
      since = clock();
      stall.refresh();
    }
    if (declared !== undefined && received !== declared) {
      throw new SeraiError(
        'upstream-truncated',
        `GET ${showUrl(url)}: ${received} bytes came, and the Content-Length was ${declared}`,
      );
    }
  } catch (error) {
    throw exchangeError(error, 'body', url);
  } finally {
    clearTimeout(stall);
    end();
  }
}

/** Whether bytes come fast enough, judged at the end of every window of waiting. */
class Pace {
  readonly #least: number;
  readonly #window: number;
  #bytes = 0;
  #waited = 0;

  /** `least` in bytes a second, `window` in milliseconds. */
  constructor(least: number, window: number) {
    this.#least = least;
    this.#window = window;
  }

  /** Notes `bytes` that came after `waited` milliseconds; false when a window has closed below the rate. */
  keeps(bytes: number, waited: number): boolean {
    this.#bytes += bytes;
    this.#waited += waited;
    if (this.#waited < this.#window) return true;
    const enough = this.#bytes * 1000 >= this.#least * this.#waited;
    this.#bytes = 0;
    this.#waited = 0;
    return enough;
  }
}

/** The error for a body above its bound, whether declared or received. */
export function tooLong(url: URL, maxBytes: number): SeraiError {
  return new SeraiError(
    'limit-exceeded',
    `GET ${showUrl(url)}: the body is longer than the ${maxBytes} bytes that it may have`,
  );
}

function timeout(url: URL, what: string): SeraiError {
  return new SeraiError('upstream-timeout', `GET ${showUrl(url)}: ${what}`);
}
