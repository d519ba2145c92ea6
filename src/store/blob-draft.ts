/**
 * A blob that is being written: nobody sees it before it has its name (blob-names.ts), and `discard` leaves nothing
 * of it.
 *
 * The system calls of one put, in this order:
 *
 *   1. open   tmp/NAME        O_WRONLY|O_CREAT|O_EXCL, 0444: a blob never changes; what is open for writing stays so
 *   2. write  tmp/NAME        each time a buffer is full, and at the end; hashed meanwhile (hashing-writer.ts)
 *      - the digests and the size are compared before the last of it; what does not match goes no further -
 *   3. lstat  sha256/XX/HEX   when it is there with this size: close and unlink tmp/NAME, then on to 7
 *   4. fsync  tmp/NAME        bytes, size and mode are on the disk before the name can be
 *   5. close  tmp/NAME
 *   6. rename tmp/NAME to sha256/XX/HEX, which replaces atomically what a simultaneous put left there
 *   7. open, fsync, close sha256/XX: the name is on the disk
 *
 * Who is told that a blob is verified (blobs.ts) may read it from before 4 on: from tmp/NAME, and after 6 from its place.
 * Small blobs fill no buffer: 1 and 2 come after the comparison. 4 is each blob's own and begins with its last byte, so
 * that a large one keeps nobody back; the system joins those that run at the same time. 6 and 7 are done for all
 * blobs together that have come so far (blob-names.ts): each touched folder is synced once, after the last rename.
 *
 * Step 7 is done for a blob that was there, too: the put that brought it may not have reached its own.
 * A cut before 6 leaves a file in tmp/, swept at the next start; after 6 it leaves the whole blob. When 7
 * fails, the put fails and the blob, whole and verified, stays: taking it away could take it from another
 * put of the same bytes that has succeeded.
 */
import { SeraiError } from '../errors.ts';
import type { BufferPool } from './buffer-pool.ts';
import { fileFailure } from './file-errors.ts';
import type { FileSystem } from './file-system.ts';
import type { Sink } from './hashing-writer.ts';

export class BlobDraft implements Sink {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #buffers: BufferPool;
  #descriptor: number | undefined;
  #created = false;
  #filling: { readonly buffer: Uint8Array; bytes: number } | undefined;
  /** The buffer before, on its way to the file. */
  #writing: Promise<void> = Promise.resolve();

  constructor(files: FileSystem, path: string, buffers: BufferPool) {
    this.#files = files;
    this.#path = path;
    this.#buffers = buffers;
  }

  /** Steps 1 and 2. An error of the disk may be told by a later call, at the latest by `sync`. */
  async write(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < bytes.length) {
      this.#filling ??= { buffer: this.#buffers.take(), bytes: 0 };
      const { buffer, bytes: filled } = this.#filling;
      const part = bytes.subarray(offset, offset + buffer.length - filled);
      buffer.set(part, filled);
      offset += part.length;
      this.#filling.bytes += part.length;
      if (this.#filling.bytes === buffer.length) await this.#flush();
    }
  }

  /**
   * What is left of 2, then 3 to 5; `size` in bytes is what was written, and `target` where it is to be. `written` is
   * called before 4, when all bytes are in the file.
   */
  async sync(target: string, size: number, written: () => void): Promise<void> {
    await this.#writing;
    try {
      const there = await this.#files.status(target);
      // Of another size it can only be damaged, and these bytes, which are right, take its place.
      if (there?.isFile === true && there.size === size) {
        await this.discard();
        return;
      }
    } catch (error) {
      throw fileFailure('keep', target, error);
    }
    await this.#flush();
    await this.#writing;
    try {
      const descriptor = await this.#open();
      written();
      await this.#files.sync(descriptor);
      await this.#close();
    } catch (error) {
      throw fileFailure('keep', target, error);
    }
  }

  /** Step 6, once it is synced. */
  async move(target: string): Promise<void> {
    if (!this.#created) return;
    let moved: boolean;
    try {
      moved = await this.#files.rename(this.#path, target);
    } catch (error) {
      throw fileFailure('keep', target, error);
    }
    if (!moved) {
      throw new SeraiError(
        'store-failed',
        `cannot keep ${target}: its temporary file ${this.#path} or its folder was removed; ` +
          'let nothing but serai touch the folder, and restart serai if folders are missing',
      );
    }
    this.#created = false;
  }

  /** Never throws: what cannot be removed now is swept at the next start, and the first error matters more. */
  async discard(): Promise<void> {
    if (this.#filling !== undefined) this.#buffers.give(this.#filling.buffer);
    this.#filling = undefined;
    await this.#writing.catch(() => undefined);
    await this.#close().catch(() => undefined);
    if (!this.#created) return;
    this.#created = false;
    await this.#files.remove(this.#path).catch(() => undefined);
  }

  /** Begins to write what fills the buffer, as soon as the one before is written: two buffers are in use at most. */
  async #flush(): Promise<void> {
    await this.#writing;
    const filled = this.#filling;
    if (filled === undefined) return;
    this.#filling = undefined;
    this.#writing = this.#writeOut(filled.buffer, filled.bytes);
    // Told to whoever waits for it next.
    this.#writing.catch(() => undefined);
  }

  async #writeOut(buffer: Uint8Array, bytes: number): Promise<void> {
    try {
      // Made when there is something to write and not before, so that a source is always entered, and so
      // always ended, also when no file can be made.
      const descriptor = await this.#open();
      const whole = buffer.subarray(0, bytes);
      let offset = 0;
      while (offset < bytes) offset += await this.#files.write(descriptor, whole, offset);
    } catch (error) {
      throw fileFailure('write', this.#path, error);
    } finally {
      this.#buffers.give(buffer);
    }
  }

  async #open(): Promise<number> {
    if (this.#descriptor === undefined) {
      this.#descriptor = await this.#files.create(this.#path);
      this.#created = true;
    }
    return this.#descriptor;
  }

  async #close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) await this.#files.close(descriptor);
  }
}
