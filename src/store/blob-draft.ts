/**
 * A blob that is being written: nobody sees it before `settle`, and `discard` leaves nothing of it.
 *
 * The system calls of one put, in this order:
 *
 *   1. open   tmp/NAME        O_WRONLY|O_CREAT|O_EXCL, 0600
 *   2. write  tmp/NAME        each chunk, hashed meanwhile (hashing-writer.ts)
 *      - the digests and the size are compared here; what does not match goes no further -
 *   3. lstat  sha256/XX/HEX   when it is there with this size: close and unlink tmp/NAME, then on to 8
 *   4. fchmod tmp/NAME        0444: a blob never changes
 *   5. fsync  tmp/NAME        bytes, size and mode are on the disk before the name can be
 *   6. close  tmp/NAME
 *   7. rename tmp/NAME to sha256/XX/HEX, which replaces atomically what a simultaneous put left there
 *   8. open, fsync, close sha256/XX: the name is on the disk
 *
 * Step 8 is done for a blob that was there, too: the put that brought it may not have reached its own.
 * A cut before 7 leaves a file in tmp/, swept at the next start; after 7 it leaves the whole blob. When 8
 * fails, the put fails and the blob, whole and verified, stays: taking it away could take it from another
 * put of the same bytes that has succeeded.
 */
import { dirname } from 'node:path';
import { SeraiError } from '../errors.ts';
import { fileFailure } from './file-errors.ts';
import { type FileSystem, syncFolder } from './file-system.ts';
import type { Sink } from './hashing-writer.ts';

const READ_ONLY = 0o444;

export class BlobDraft implements Sink {
  readonly #files: FileSystem;
  readonly #path: string;
  #descriptor: number | undefined;
  #created = false;

  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.#path = path;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      // Made at the first bytes and not before, so that a source is always entered, and so always ended,
      // also when no file can be made.
      const descriptor = await this.#open();
      let offset = 0;
      while (offset < bytes.length) offset += await this.#files.write(descriptor, bytes, offset);
    } catch (error) {
      throw fileFailure('write', this.#path, error);
    }
  }

  /** Steps 3 to 8; `size` in bytes is what was written. */
  async settle(target: string, size: number): Promise<void> {
    try {
      const there = await this.#files.status(target);
      // Of another size it can only be damaged, and these bytes, which are right, take its place.
      if (there?.isFile === true && there.size === size) await this.discard();
      else await this.#move(target);
    } catch (error) {
      throw fileFailure('keep', target, error);
    }
    try {
      await syncFolder(this.#files, dirname(target));
    } catch (error) {
      throw fileFailure('sync', dirname(target), error);
    }
  }

  /** Never throws: what cannot be removed now is swept at the next start, and the first error matters more. */
  async discard(): Promise<void> {
    await this.#close().catch(() => undefined);
    if (!this.#created) return;
    this.#created = false;
    await this.#files.remove(this.#path).catch(() => undefined);
  }

  async #move(target: string): Promise<void> {
    const descriptor = await this.#open();
    await this.#files.setMode(descriptor, READ_ONLY);
    await this.#files.sync(descriptor);
    await this.#close();
    if (!(await this.#files.rename(this.#path, target))) {
      throw new SeraiError(
        'store-failed',
        `cannot keep ${target}: its temporary file ${this.#path} or its folder was removed; ` +
          'let nothing but serai touch the folder, and restart serai if folders are missing',
      );
    }
    this.#created = false;
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
