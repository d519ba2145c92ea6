/** The times that one exchange has: for the whole of it, and for each response's headers. */
import { SeraiError } from '../errors.ts';

/** Something that ends in time, or is ended. */
export interface Deadline {
  /** What is called, once, when time has run out, by `abort`, or when the caller aborts; at once when it is late. */
  onAbort(listener: (reason: SeraiError) => void): void;
  abort(reason: SeraiError): void;
  /** Aborts unless the returned function is called within `milliseconds`. */
  within(milliseconds: number, what: string): () => void;
  /** Lets go of timers and of the caller's signal. Has to be called once the exchange is over. */
  end(): void;
}

/**
 * A deadline of `milliseconds` from now. `subject` begins its messages.
 * Throws `aborted` when the caller's signal is aborted already.
 */
export function startDeadline(subject: () => string, milliseconds: number, caller?: AbortSignal): Deadline {
  const timers = new Set<NodeJS.Timeout>();
  let listener: ((reason: SeraiError) => void) | undefined;
  let aborted: SeraiError | undefined;

  function abort(reason: SeraiError): void {
    if (aborted !== undefined) return;
    aborted = reason;
    listener?.(reason);
  }

  function within(time: number, what: string): () => void {
    const timer = setTimeout(() => {
      abort(new SeraiError('upstream-timeout', `${subject()}: ${what} within ${time} ms`));
    }, time);
    timers.add(timer);
    return () => {
      clearTimeout(timer);
      timers.delete(timer);
    };
  }

  function onCallerAbort(): void {
    abort(new SeraiError('aborted', `${subject()}: given up`, { cause: caller?.reason }));
  }

  if (caller?.aborted === true) {
    throw new SeraiError('aborted', `${subject()}: given up before it began`, { cause: caller.reason });
  }
  caller?.addEventListener('abort', onCallerAbort, { once: true });
  within(milliseconds, 'the exchange did not end');

  return {
    onAbort(next) {
      listener = next;
      if (aborted !== undefined) next(aborted);
    },
    abort,
    within,
    end() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      caller?.removeEventListener('abort', onCallerAbort);
    },
  };
}
