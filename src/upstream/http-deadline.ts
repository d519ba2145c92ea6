/** The times that one exchange has: for the whole of it, and for each response's headers. */
import { SeraiError } from '../errors.ts';

/** Something that ends in time, or is ended. */
export interface Deadline {
  /** Aborted with a SeraiError as reason, by a time that has run out, by `abort`, or by the caller. */
  readonly signal: AbortSignal;
  abort(reason: SeraiError): void;
  /** Aborts unless the returned function is called within `milliseconds`. */
  within(milliseconds: number, what: string): () => void;
  /** The promise's outcome, or the abort's reason when that comes first; the promise is then left alone. */
  race<Result>(promise: Promise<Result>): Promise<Result>;
  /** Lets go of timers and of the caller's signal. Has to be called once the exchange is over. */
  end(): void;
}

/**
 * A deadline of `milliseconds` from now. `subject` begins its messages.
 * Throws `aborted` when the caller's signal is aborted already.
 */
export function startDeadline(subject: string, milliseconds: number, caller?: AbortSignal): Deadline {
  const controller = new AbortController();
  const timers = new Set<NodeJS.Timeout>();

  function within(time: number, what: string): () => void {
    const timer = setTimeout(() => {
      controller.abort(new SeraiError('upstream-timeout', `${subject}: ${what} within ${time} ms`));
    }, time);
    timers.add(timer);
    return () => {
      clearTimeout(timer);
      timers.delete(timer);
    };
  }

  function onCallerAbort(): void {
    controller.abort(new SeraiError('aborted', `${subject}: given up`, { cause: caller?.reason }));
  }

  if (caller?.aborted === true) {
    throw new SeraiError('aborted', `${subject}: given up before it began`, { cause: caller.reason });
  }
  caller?.addEventListener('abort', onCallerAbort, { once: true });
  within(milliseconds, 'the exchange did not end');

  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    within,
    async race(promise) {
      // Undici heeds a signal only once it has a connection (its onRequestStart), and until then it may wait
      // for a TLS handshake that never ends.
      const { signal } = controller;
      let onAbort: (() => void) | undefined;
      const aborted = new Promise<never>((_resolve, reject) => {
        onAbort = () => reject(signal.reason);
        if (signal.aborted) onAbort();
        else signal.addEventListener('abort', onAbort, { once: true });
      });
      try {
        return await Promise.race([promise, aborted]);
      } finally {
        if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
        promise.catch(() => {});
        aborted.catch(() => {});
      }
    },
    end() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      caller?.removeEventListener('abort', onCallerAbort);
    },
  };
}
