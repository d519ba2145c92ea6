/** A clock that stands still until a test moves it. */
import type { Clock } from '../../src/clock.ts';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

export class TestClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();
  #watchers: (() => void)[] = [];

  /** 2026-01-01T00:00:00Z unless given. */
  constructor(now = 1_767_225_600_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { until: this.#now + milliseconds, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
      for (const watch of this.#watchers.splice(0)) watch();
    });
  }

  /** Those who sleep now. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  /** Resolves once so many sleep. */
  async asleep(count = 1): Promise<void> {
    while (this.#sleepers.size < count) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** Moves on by so many milliseconds and wakes whom that concerns. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const sleeper of [...this.#sleepers]) {
      if (sleeper.until > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
