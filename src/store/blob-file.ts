/** An open blob in a file: positional reads on one descriptor. */
import { SeraiError } from '../errors.ts';
import type { Sha256 } from '../hashes.ts';
import type { BlobHandle } from './blobs.ts';
import { fileFailure } from './file-errors.ts';
import type { FileSystem } from './file-system.ts';

export class BlobFile implements BlobHandle {
  readonly id: Sha256;
  readonly size: number;
  readonly #files: FileSystem;
  readonly #descriptor: number;
  /** Reads in flight; the descriptor's number may belong to another file as soon as it is closed. */
  readonly #reading = new Set<Promise<number>>();
  #closing: Promise<void> | undefined;

  constructor(files: FileSystem, id: Sha256, descriptor: number, size: number) {
    this.#files = files;
    this.id = id;
    this.#descriptor = descriptor;
    this.size = size;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    if (this.#closing !== undefined) {
      throw new SeraiError('internal', `the blob ${this.id} was read after its handle was closed`);
    }
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new SeraiError('internal', `the blob ${this.id} was read at position ${position}`);
    }
    const reading = this.#fill(buffer, position);
    this.#reading.add(reading);
    try {
      return await reading;
    } catch (error) {
      throw fileFailure('read the blob', this.id, error);
    } finally {
      this.#reading.delete(reading);
    }
  }

  /** Waits for reads in flight; closing again does nothing. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#reading).then(() => this.#files.close(this.#descriptor));
    return this.#closing;
  }

  async #fill(buffer: Uint8Array, position: number): Promise<number> {
    const wanted = Math.min(buffer.length, this.size - position);
    let count = 0;
    while (count < wanted) {
      const read = await this.#files.read(this.#descriptor, buffer, count, wanted - count, position + count);
      if (read === 0) break;
      count += read;
    }
    return Math.max(count, 0);
  }
}
