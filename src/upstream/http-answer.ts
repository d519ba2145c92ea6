/**
 * One answer as undici's parser gives it: its head, then its chunks, without a stream between. A Readable and its
 * iterator cost a dozen promises and several timers for each chunk; of 2,000 archives that was a third of the time.
 */
import type { Dispatcher } from 'undici';
import { SeraiError } from '../errors.ts';

export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Bytes that wait for their reader until the upstream is told to; what its connection has read already comes anyway. */
const WAITING_BYTES = 256 * 1024;
/** What each chunk counts for beside its bytes: an upstream may send one byte in each. */
const CHUNK_BYTES = 256;

/** The bytes of a redirect's or an error's body that are worth reading to keep the connection. */
const DISCARDED_BYTES = 16 * 1024;
/** Milliseconds that such a body may take. */
const DISCARD_TIME = 2_000;

export class Answer implements Dispatcher.DispatchHandler {
  /** Rejects with what `give` was told, or with undici's error. */
  readonly head: Promise<AnswerHead>;
  readonly #resolveHead: (head: AnswerHead) => void;
  readonly #rejectHead: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #chunks: Uint8Array[] = [];
  /** Of `#chunks` so many were taken: to move the others up for each would take time that grows with their number. */
  #taken = 0;
  #waitingBytes = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  /** The reader that waits for what comes next. */
  #wake: (() => void) | undefined;
  /** Bytes that may still come of a body that nobody wants. */
  #discarding: number | undefined;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<AnswerHead>();
    this.head = promise;
    this.#resolveHead = resolve;
    this.#rejectHead = reject;
    promise.catch(() => undefined);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(toError(this.#failure.error));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: AnswerHead['headers'],
  ): void {
    // Interim responses come before the one that counts.
    if (status >= 200) this.#resolveHead({ status, headers });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    if (this.#discarding !== undefined) {
      this.#discarding -= chunk.length;
      if (this.#discarding < 0) this.giveUp();
      return;
    }
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length + CHUNK_BYTES;
    if (this.#waitingBytes >= WAITING_BYTES) controller.pause();
    this.#wake?.();
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#wake?.();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  /** The next chunk, when one is here already. Throws once the answer has failed, before what came until then. */
  take(): Uint8Array | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    const chunk = this.#chunks[this.#taken];
    if (chunk === undefined) return undefined;
    this.#taken += 1;
    if (this.#taken === this.#chunks.length) this.#drop();
    else this.#waitingBytes -= chunk.length + CHUNK_BYTES;
    if (this.#waitingBytes === 0 && !this.#ended) this.#controller?.resume();
    return chunk;
  }

  /** Whether all of the body was taken. */
  get over(): boolean {
    return this.#ended && this.#chunks.length === 0;
  }

  /** Resolves when there is something to take, or nothing will come any more; for one reader at a time. */
  arrival(): Promise<void> {
    if (this.#chunks.length > 0 || this.#ended || this.#failure !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** Ends the exchange, with its connection unless the body is over. The error is for whoever still waits. */
  giveUp(error: SeraiError = new SeraiError('aborted', 'the request was given up')): void {
    if (this.#ended) return this.#fail(error);
    this.#fail(error);
    this.#controller?.abort(error);
  }

  /** Leaves a body that nobody wants: read when it is short, so that the connection can be used again, else cut off. */
  discard(): void {
    if (this.#ended || this.#failure !== undefined) return;
    this.#discarding = DISCARDED_BYTES - this.#waitingBytes;
    this.#drop();
    if (this.#discarding < 0) return this.giveUp();
    setTimeout(() => this.giveUp(), DISCARD_TIME).unref();
    this.#controller?.resume();
  }

  #drop(): void {
    this.#chunks = [];
    this.#taken = 0;
    this.#waitingBytes = 0;
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#drop();
    this.#rejectHead(error);
    this.#wake?.();
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
