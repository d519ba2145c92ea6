/**
 * Clients that read slower than they are sent to: each is bounded in time, all together in the memory that
 * they hold (HOSTILE 21). Costs nothing for a client whose socket takes everything at once.
 */
import type { ServerResponse } from 'node:http';
import type { Limits } from '../limits.ts';

export type ClientLimits = Pick<Limits, 'client_stall_timeout' | 'client_least_rate'>;

export class SlowClients {
  readonly #limits: ClientLimits;
  readonly #budget: number;
  /** Bodies that wait in sockets, with how many responses wait for each; several share the same buffer. */
  readonly #waiting = new Map<Uint8Array, number>();
  #bytes = 0;

  /** `budget` in bytes: `full` tells when whole bodies that wait exceed it. */
  constructor(limits: ClientLimits, budget: number) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** True when no more whole bodies should be held for clients. */
  get full(): boolean {
    return this.#bytes > this.#budget;
  }

  /** Bytes of whole bodies that clients have not yet taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** After the response was ended with `body`, or with a part of it. */
  ended(response: ServerResponse, body: Uint8Array): void {
    if (response.writableLength === 0) return;
    const waiting = this.#waiting.get(body) ?? 0;
    if (waiting === 0) this.#bytes += body.length;
    this.#waiting.set(body, waiting + 1);
    const late = this.cutWhenLate(response, body.length);
    response.once('close', () => {
      clearTimeout(late);
      this.#release(body);
    });
  }

  /**
   * Cuts the response off unless `bytes` are read in the time that a client has for them. The timer can be
   * refreshed for the next as many, and has to be cleared.
   */
  cutWhenLate(response: ServerResponse, bytes: number): NodeJS.Timeout {
    const { client_stall_timeout: stall, client_least_rate: rate } = this.#limits;
    return setTimeout(() => response.destroy(), Math.min(stall + (bytes / rate) * 1000, LONGEST_TIMER));
  }

  #release(body: Uint8Array): void {
    const waiting = (this.#waiting.get(body) ?? 0) - 1;
    if (waiting > 0) {
      this.#waiting.set(body, waiting);
      return;
    }
    this.#waiting.delete(body);
    this.#bytes -= body.length;
  }
}

/** Timers beyond 2^31 ms would go off at once. */
const LONGEST_TIMER = 2 ** 31 - 1;
