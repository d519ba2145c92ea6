/** Buffers for reading large blobs, used again instead of allocated anew for each read. */

/** Bytes of one pooled buffer. */
export const POOLED_BYTES = 256 * 1024;

/** Bytes of a buffer that is handed out while all pooled ones are in use: slower, but bounded in memory. */
export const SMALL_BYTES = 16 * 1024;

export class BufferPool {
  readonly #free: Uint8Array[] = [];
  readonly #most: number;
  #inUse = 0;

  /** `most` is how many buffers of `POOLED_BYTES` there are at most, idle or in use. */
  constructor(most: number) {
    this.#most = most;
  }

  /** `POOLED_BYTES` or `SMALL_BYTES` long, with whatever it held before. Has to be given back. */
  take(): Uint8Array {
    if (this.#inUse >= this.#most) return Buffer.allocUnsafeSlow(SMALL_BYTES);
    this.#inUse += 1;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES);
  }

  /** Once, and only when nothing refers to it any more. */
  give(buffer: Uint8Array): void {
    if (buffer.length !== POOLED_BYTES) return;
    this.#inUse -= 1;
    this.#free.push(buffer);
  }
}
