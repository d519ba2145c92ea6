/** A response's body within its bounds: bytes, progress, and the length that was declared (HOSTILE 10). */
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Answer } from './http-answer.ts';
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
export function boundedBody(answer: Answer, bounds: BodyBounds): AsyncIterable<Uint8Array> {
  const { deadline, limits, url } = bounds;
  const unclaimed = setTimeout(() => {
    deadline.abort(new SeraiError('aborted', `GET ${showUrl(url)}: nobody read the response`));
    deadline.end();
  }, limits.stall_timeout);
  return {
    [Symbol.asyncIterator]() {
      clearTimeout(unclaimed);
      return new BoundedChunks(answer, bounds);
    },
  };
}

/** By hand and not as a generator, which takes three turns of the promises for each chunk. */
class BoundedChunks implements AsyncIterator<Uint8Array, undefined> {
  readonly #answer: Answer;
  readonly #bounds: BodyBounds;
  readonly #pace: Pace;
  #received = 0;
  #stall: NodeJS.Timeout | undefined;
  #done = false;

  constructor(answer: Answer, bounds: BodyBounds) {
    this.#answer = answer;
    this.#bounds = bounds;
    this.#pace = new Pace(bounds.limits.least_rate, bounds.limits.least_rate_window);
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#done) return { done: true, value: undefined };
    try {
      const since = this.#bounds.clock();
      let chunk = this.#answer.take();
      if (chunk === undefined && !this.#answer.over) {
        await this.#arrival();
        chunk = this.#answer.take();
      }
      if (chunk !== undefined) {
        this.#check(chunk.length, since);
        return { done: false, value: chunk };
      }
      this.#checkLength();
    } catch (error) {
      this.#end();
      throw exchangeError(error, 'body', this.#bounds.url);
    }
    this.#end();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#end();
    return { done: true, value: undefined };
  }

  async #arrival(): Promise<void> {
    const { deadline, limits, url } = this.#bounds;
    const stall = setTimeout(() => {
      deadline.abort(timeout(url, `not one byte for stall_timeout = ${limits.stall_timeout} ms`));
    }, limits.stall_timeout);
    this.#stall = stall;
    await this.#answer.arrival();
    clearTimeout(stall);
  }

  #check(bytes: number, since: number): void {
    const { url, maxBytes, limits, clock } = this.#bounds;
    this.#received += bytes;
    if (this.#received > maxBytes) throw tooLong(url, maxBytes);
    if (this.#pace.keeps(bytes, clock() - since)) return;
    throw timeout(
      url,
      `slower than least_rate = ${limits.least_rate} bytes a second over ${limits.least_rate_window} ms`,
    );
  }

  #checkLength(): void {
    const { url, declared } = this.#bounds;
    if (declared === undefined || this.#received === declared) return;
    throw new SeraiError(
      'upstream-truncated',
      `GET ${showUrl(url)}: ${this.#received} bytes came, and the Content-Length was ${declared}`,
    );
  }

  #end(): void {
    this.#done = true;
    clearTimeout(this.#stall);
    this.#bounds.deadline.end();
    if (!this.#answer.over) this.#answer.giveUp();
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
