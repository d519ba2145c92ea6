/** What a process has said last on its stderr. */

const KEPT_BYTES = 4096;

/** The last 4 KiB, from the beginning of a line: its first word tells who wrote it. */
export class LastLines {
  #chunks: Buffer[] = [];
  #size = 0;

  /** Progress comes in hundreds of small chunks, so they are put together now and then only. */
  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size <= 4 * KEPT_BYTES) return;
    const last = this.bytes;
    this.#chunks = [last];
    this.#size = last.length;
  }

  get bytes(): Buffer {
    const bytes = Buffer.concat(this.#chunks, this.#size);
    if (bytes.length <= KEPT_BYTES) return bytes;
    const last = bytes.subarray(-KEPT_BYTES);
    const begin = last.findIndex((byte) => byte === 0x0a || byte === 0x0d);
    return last.subarray(begin < 0 ? last.length : begin + 1);
  }
}
