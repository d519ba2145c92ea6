/**
 * The few file operations that the blobs are made of, each one system call, handed in so that tests can
 * stop or fail any of them. Raw descriptors with positional reads: cheaper than FileHandle, and what a hit
 * costs is measured (ARCHITECTURE, "Speed").
 */
import fs from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from './file-errors.ts';

export interface FileStatus {
  /** In bytes. */
  readonly size: number;
  readonly isFile: boolean;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}

/** Every method rejects with the system's own error; only what says so turns ENOENT into `undefined` or `false`. */
export interface FileSystem {
  /** A new file for writing, which is read-only for all who open it later; fails when the path exists. */
  create(path: string): Promise<number>;
  /** A descriptor for reading a file; undefined when it is not there. */
  open(path: string): Promise<number | undefined>;
  /** A descriptor for syncing a folder; undefined when it is not there. */
  openFolder(path: string): Promise<number | undefined>;
  statusOf(descriptor: number): Promise<FileStatus>;
  /** Undefined when there is nothing; a symbolic link is reported itself, not followed. */
  status(path: string): Promise<FileStatus | undefined>;
  /** Bytes read into `buffer` from `offset` on, at most `length`; 0 at the end of the file. */
  read(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number>;
  /** Bytes written from `offset` on, at the descriptor's own position; may be fewer than there are. */
  write(descriptor: number, buffer: Uint8Array, offset: number): Promise<number>;
  sync(descriptor: number): Promise<void>;
  close(descriptor: number): Promise<void>;
  /** False when `from` is not there. */
  rename(from: string, to: string): Promise<boolean>;
  /** False when it is not there. */
  remove(path: string): Promise<boolean>;
  /** With its parents; nothing happens when it is there, also on a read-only disk. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, in no order, read a few at a time. */
  names(folder: string): AsyncIterable<string>;
}

type Callback = (error: NodeJS.ErrnoException | null) => void;

function done(start: (callback: Callback) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}

function answer<T>(
  start: (callback: (error: NodeJS.ErrnoException | null, value: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/**
 * Up to so many bytes are written at once: the kernel takes them into its memory, in less time than a round through
 * libuv's threads takes. What is larger is written beside the download.
 */
const WRITTEN_AT_ONCE = 256 * 1024 - 1;

/**
 * For what waits for no disk: names, small writes, looking, and closing what is synced. A round through libuv's threads
 * costs more than the call itself, in each of two threads: for 2,000 archives they were 55,000 futexes and a fifth of
 * all CPU time. What waits for the disk, `sync` and reading, is left to the threads.
 */
async function atOnce<T>(call: () => T): Promise<T> {
  return call();
}

async function unlessAbsent<T, U>(promise: Promise<T>, absent: U): Promise<T | U> {
  try {
    return await promise;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return absent;
    throw error;
  }
}

function toStatus(stats: fs.Stats): FileStatus {
  return { size: stats.size, isFile: stats.isFile(), modifiedAt: stats.mtimeMs };
}

export const nodeFileSystem: FileSystem = {
  create: (path) => atOnce(() => fs.openSync(path, 'wx', 0o444)),
  open: (path) =>
    unlessAbsent(
      answer<number>((callback) => fs.open(path, 'r', callback)),
      undefined,
    ),
  openFolder: (path) =>
    unlessAbsent(
      atOnce(() => fs.openSync(path, 'r')),
      undefined,
    ),
  statusOf: async (descriptor) =>
    toStatus(await answer<fs.Stats>((callback) => fs.fstat(descriptor, callback))),
  status: (path) =>
    atOnce(() => {
      const stats = fs.lstatSync(path, { throwIfNoEntry: false });
      return stats === undefined ? undefined : toStatus(stats);
    }),
  read: (descriptor, buffer, offset, length, position) =>
    answer((callback) => fs.read(descriptor, buffer, offset, length, position, callback)),
  write: (descriptor, buffer, offset) => {
    const length = buffer.length - offset;
    if (length <= WRITTEN_AT_ONCE)
      return atOnce(() => fs.writeSync(descriptor, buffer, offset, length, null));
    return answer((callback) => fs.write(descriptor, buffer, offset, length, null, callback));
  },
  sync: (descriptor) => done((callback) => fs.fsync(descriptor, callback)),
  close: (descriptor) => atOnce(() => fs.closeSync(descriptor)),
  rename: (from, to) =>
    unlessAbsent(
      atOnce(() => {
        fs.renameSync(from, to);
        return true;
      }),
      false,
    ),
  remove: (path) =>
    unlessAbsent(
      done((callback) => fs.unlink(path, callback)).then(() => true),
      false,
    ),
  makeFolder: async (path) => {
    await fs.promises.mkdir(path, { recursive: true });
  },
  names: async function* (folder) {
    for await (const entry of await fs.promises.opendir(folder)) yield entry.name;
  },
};

/** Makes the names in a folder survive a power cut: what was created, renamed or removed in it. */
export async function syncFolder(files: FileSystem, folder: string): Promise<void> {
  const descriptor = await files.openFolder(folder);
  if (descriptor === undefined) throw Object.assign(new Error('no such folder'), { code: 'ENOENT' });
  try {
    await files.sync(descriptor);
  } finally {
    await files.close(descriptor);
  }
}

/** Makes a folder with its parents, so that all that is new of them survives a power cut. */
export async function makeFolder(files: FileSystem, folder: string): Promise<void> {
  if ((await files.status(folder)) !== undefined) return;
  await makeFolder(files, dirname(folder));
  await files.makeFolder(folder);
  await syncFolder(files, dirname(folder));
}
