/**
 * The files of a tree in one file on the disk, which has no name and ends with the tree: of the real repository 28 MiB
 * that a serving process needs once, while it publishes. What was written a moment ago is read back from the kernel's
 * memory. A small tree stays in this process's own.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { asSeraiError, SeraiError } from '../errors.ts';
import { compareBytewise, type Tree, type TreeFile } from '../opam/tree.ts';
import type { HeldFiles } from './held-files.ts';

/** Bytes that are written at once. */
const WRITTEN = 1024 * 1024;
/** Bytes that are read at once, since files that stand beside one another are mostly wanted one after the other. */
const READ = 128 * 1024;

const DOING = 'putting the tree of an upstream into the data folder, which needs room for all of it';

type SpilledFile = TreeFile & { readonly at: number };

export class SpilledFiles implements HeldFiles {
  readonly #folder: string;
  readonly #files: SpilledFile[] = [];
  #fd: number | undefined;
  #slab: Uint8Array = new Uint8Array(WRITTEN);
  /** Bytes of files in the slab, and in the file before it. */
  #filled = 0;
  #written = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  take(size: number): Uint8Array {
    if (this.#filled + size > this.#slab.length) this.#flush();
    return size > this.#slab.length
      ? new Uint8Array(size)
      : this.#slab.subarray(this.#filled, this.#filled + size);
  }

  /** Throws `store-failed` when the disk does not take it. */
  keep(file: TreeFile, bytes: Uint8Array): void {
    this.#files.push({ ...file, at: this.#written + this.#filled });
    if (bytes.buffer === this.#slab.buffer) this.#filled += bytes.length;
    else this.#write(bytes);
  }

  tree(): Tree {
    const files = new Map<string, SpilledFile>();
    for (const file of this.#files.sort((a, b) => compareBytewise(a.path, b.path)))
      files.set(file.path, file);
    const bytes = this.#all();
    const held = (path: string): Uint8Array => {
      const file = files.get(path);
      if (file === undefined) throw new Error(`no file ${path} in the tree`);
      return bytes.read(file.at, file.size);
    };
    return {
      files,
      async *read(paths) {
        for (const path of paths) yield [path, held(path)];
      },
      held,
      close: async () => this.drop(),
    };
  }

  drop(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #all(): Window {
    if (this.#fd === undefined) return new Window(undefined, this.#filled, this.#slab.slice(0, this.#filled));
    this.#flush();
    this.#slab = new Uint8Array(0);
    return new Window(this.#fd, this.#written);
  }

  #flush(): void {
    this.#write(this.#slab.subarray(0, this.#filled));
    this.#filled = 0;
  }

  #write(bytes: Uint8Array): void {
    this.#fd ??= nameless(this.#folder);
    const fd = this.#fd;
    for (let done = 0; done < bytes.length; ) {
      const from = done;
      done += onDisk(() => writeSync(fd, bytes, from, bytes.length - from, this.#written + from));
    }
    this.#written += bytes.length;
  }
}

/** What was read last, with what stands behind it. */
class Window {
  readonly #fd: number | undefined;
  readonly #size: number;
  #at = 0;
  #bytes: Uint8Array;

  /** Of a file of `size` bytes, or of nothing but `bytes`. */
  constructor(fd: number | undefined, size: number, bytes = new Uint8Array(0)) {
    this.#fd = fd;
    this.#size = size;
    this.#bytes = bytes;
  }

  /** What it returns stays what it is: each window is memory of its own. */
  read(at: number, size: number): Uint8Array {
    if (at < this.#at || at + size > this.#at + this.#bytes.length) this.#fill(at, size);
    return this.#bytes.subarray(at - this.#at, at - this.#at + size);
  }

  #fill(at: number, size: number): void {
    const fd = this.#fd;
    if (fd === undefined) throw new Error(`${at} is not in memory`);
    const bytes = new Uint8Array(Math.max(size, Math.min(READ, this.#size - at)));
    for (let done = 0; done < bytes.length; ) {
      const from = done;
      const read = onDisk(() => readSync(fd, bytes, from, bytes.length - from, at + from));
      if (read === 0)
        throw new SeraiError('store-failed', `${DOING}: it was cut short there; look at the disk`);
      done += read;
    }
    this.#at = at;
    this.#bytes = bytes;
  }
}

/** A file that only its descriptor leads to. */
function nameless(folder: string): number {
  const path = join(folder, `.tree-${randomUUID()}`);
  const fd = onDisk(() => openSync(path, 'wx+', 0o600));
  onDisk(() => unlinkSync(path));
  return fd;
}

function onDisk<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw asSeraiError(error, 'store-failed', DOING);
  }
}
