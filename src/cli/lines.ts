/** Lines to standard output at the pace of whoever reads them; there can be a hundred thousand of them. */
import { once } from 'node:events';

/** Characters written at once. */
const WRITTEN_AT_ONCE = 16_384;

export class Lines {
  readonly #ended = new AbortController();
  #waiting = '';

  /** Ends at SIGTERM, SIGINT, and when nobody reads any more. */
  constructor() {
    const end = (): void => this.#ended.abort();
    process.once('SIGTERM', end);
    process.once('SIGINT', end);
    process.stdout.once('error', end);
  }

  /** Aborted once there is no more use in lines. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  async add(line: string): Promise<void> {
    this.#waiting += `${line}\n`;
    if (this.#waiting.length >= WRITTEN_AT_ONCE) await this.flush();
  }

  /** Writes what was added; waits for whoever reads, so that nothing piles up. */
  async flush(): Promise<void> {
    const text = this.#waiting;
    this.#waiting = '';
    if (text === '' || this.signal.aborted) return;
    if (process.stdout.write(text)) return;
    await once(process.stdout, 'drain', { signal: this.signal }).catch((error: unknown) => {
      if (!this.signal.aborted) throw error;
    });
  }
}
