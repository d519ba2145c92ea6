/** Failed downloads, remembered for a short while only: a failure is never taken for the archive (HOSTILE 22). */
import type { Clock } from '../../clock.ts';
import { type ErrorCode, SeraiError } from '../../errors.ts';

/** Failures remembered at once; the oldest are forgotten first. */
const FAILURES = 10_000;

/** Codes that say something of a source, so that the next one is worth trying. */
const OF_THE_SOURCE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream-unreachable',
  'upstream-status',
  'upstream-missing',
  'upstream-timeout',
  'upstream-truncated',
  'upstream-protocol',
  'address-refused',
  'redirect-refused',
  'limit-exceeded',
  'checksum-mismatch',
  'not-found',
]);

/** False for what failed on our own ground: another source would not mend it, and nor does waiting. */
export function isOfTheSource(error: unknown): error is SeraiError {
  return error instanceof SeraiError && OF_THE_SOURCE.has(error.code);
}

export class FailureMemory {
  readonly #clock: Clock;
  readonly #milliseconds: number;
  readonly #failures = new Map<string, { readonly until: number; readonly error: SeraiError }>();

  constructor(clock: Clock, milliseconds: number) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
  }

  /** Throws the failure that is remembered under `key`, if there is one. */
  throwRemembered(key: string): void {
    const failure = this.#failures.get(key);
    if (failure === undefined) return;
    if (this.#clock.now() < failure.until) throw failure.error;
    this.#failures.delete(key);
  }

  /** Remembers failures of the sources alone: once our own ground is in order again, so is the next try. */
  remember(key: string, error: unknown): void {
    if (!isOfTheSource(error)) return;
    const [oldest] = this.#failures.keys();
    if (this.#failures.size >= FAILURES && oldest !== undefined) this.#failures.delete(oldest);
    this.#failures.set(key, { until: this.#clock.now() + this.#milliseconds, error });
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}
