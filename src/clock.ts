/** Time, handed in: nothing in the house asks the machine for it but {@link systemClock}. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after so many milliseconds, or rejects when the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Node's timers fire at once beyond this many milliseconds (24.8 days). */
export const LONGEST_TIMER = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    for (let left = milliseconds; left > 0; left -= LONGEST_TIMER)
      await delay(Math.min(left, LONGEST_TIMER), undefined, signal === undefined ? {} : { signal });
  },
};
