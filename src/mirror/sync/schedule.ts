/** When repositories are synced: at the start, then at their interval; after a failure sooner, ever less soon. */
import type { Clock } from '../../clock.ts';
import { asSeraiError, type SeraiError } from '../../errors.ts';

/** Wait after a first failure, in milliseconds; doubled with each further one, up to the interval. */
const FIRST_BACKOFF = 5_000;

/** Waits are stretched by up to this share, so that many mirrors do not ask at the same moment. */
const JITTER = 0.1;

export interface ScheduleOptions<Report> {
  /** Milliseconds between two successful syncs. */
  readonly interval: number;
  readonly clock: Clock;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly sync: () => Promise<Report>;
  readonly succeeded: (report: Report) => void;
  readonly failed: (error: SeraiError, nextTry: number) => void;
}

/** Runs until the signal aborts. */
export async function keepSyncing<Report>(options: ScheduleOptions<Report>): Promise<void> {
  const { interval, clock, random, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    let wait = interval;
    try {
      const report = await options.sync();
      failures = 0;
      options.succeeded(report);
    } catch (error) {
      if (signal.aborted) return;
      wait = Math.min(interval, FIRST_BACKOFF * 2 ** failures);
      failures += 1;
      options.failed(asSeraiError(error, 'internal', 'syncing'), wait);
    }
    try {
      await clock.sleep(wait * (1 + random() * JITTER), signal);
    } catch {
      return;
    }
  }
}
