/**
 * A tree from a folder on this machine's disk, or from an index file there. The folder may be written to by
 * others while it is read: no link is followed, and sizes are those of the bytes read, not those announced.
 */
import { hash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { asSeraiError, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { memoryTree, type Tree, type TreeFile } from '../opam/tree.ts';
import { readTarTree, type TarLimits } from './tar-tree.ts';
import {
  belongsToTree,
  fileLimit,
  refusedKind,
  showPath,
  TreeBudget,
  type TreeLimits,
} from './tree-rules.ts';

type HeldFile = TreeFile & { readonly bytes: Uint8Array };

/** A FIFO or device put in a file's place must neither be followed to nor waited for. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const CHUNK = 256 * 1024;

/**
 * The tree in the folder at `path`; `path` itself may be a symbolic link. Files are held in memory, with ids
 * of the kind `sha256:`. Reads synchronously: 19,000 files take seconds otherwise, and it is made for a
 * worker. Throws `upstream-unreachable` when something cannot be read, `tree-refused`, `limit-exceeded`.
 */
export async function readFolderTree(path: string, limits: TreeLimits): Promise<Tree> {
  const budget = new TreeBudget(limits);
  const files: HeldFile[] = [];
  for (const name of namesIn(path)) visit(path, name, limits, budget, files);
  return memoryTree(files);
}

function visit(root: string, path: string, limits: TreeLimits, budget: TreeBudget, files: HeldFile[]): void {
  if (!belongsToTree(path, limits)) {
    budget.skip(path);
    return;
  }
  const onDisk = join(root, path);
  const stats = attempt(onDisk, () => lstatSync(onDisk));
  if (stats.isDirectory()) {
    budget.addFolder(path);
    for (const name of namesIn(onDisk)) visit(root, `${path}/${name}`, limits, budget, files);
    return;
  }
  if (!stats.isFile()) throw refusedKind(path, kindOf(stats));
  budget.addName(path);
  const bytes = readBounded(onDisk, path, fileLimit(path, limits));
  budget.addContent(path, bytes.length);
  files.push({ path, size: bytes.length, id: `sha256:${hash('sha256', bytes, 'hex')}`, bytes });
}

/** The bytes of a file: one more than `limit` at most, which is for the budget to refuse. */
function readBounded(onDisk: string, path: string, limit: number): Uint8Array {
  const descriptor = attempt(onDisk, () => openSync(onDisk, OPEN_FLAGS));
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw refusedKind(path, kindOf(stats));
    // One byte of room more than announced tells a file that grows.
    let bytes = new Uint8Array(Math.min(stats.size, limit) + 1);
    let filled = 0;
    for (;;) {
      const count = attempt(onDisk, () => readSync(descriptor, bytes, filled, bytes.length - filled, null));
      filled += count;
      if (count === 0 || filled > limit) return bytes.subarray(0, filled);
      if (filled === bytes.length) bytes = grown(bytes, limit + 1);
    }
  } finally {
    closeSync(descriptor);
  }
}

function grown(bytes: Uint8Array, most: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(bytes.length * 2, most));
  larger.set(bytes);
  return larger;
}

/** The names in a folder, one character a byte, so that no name is changed by decoding it. */
function namesIn(folder: string): readonly string[] {
  return attempt(folder, () => readdirSync(folder, { encoding: 'latin1' }));
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return stats.isDirectory() ? 'a folder by now' : 'a device';
}

function attempt<Result>(onDisk: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw asSeraiError(error, 'upstream-unreachable', `cannot read ${showPath(onDisk)}`);
  }
}

/**
 * The tree in an index file (`index.tar.gz`) at `path`, of `limits.index` bytes at most. Throws as
 * `readTarTree` does, and `upstream-unreachable` when the file cannot be read.
 */
export async function readIndexFile(path: string, limits: TarLimits & Pick<Limits, 'index'>): Promise<Tree> {
  let file: FileHandle;
  try {
    file = await open(path, OPEN_FLAGS);
  } catch (error) {
    throw asSeraiError(error, 'upstream-unreachable', `cannot read ${showPath(path)}`);
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) {
      throw new SeraiError('upstream-unreachable', `cannot read ${showPath(path)}: it is ${kindOf(stats)}`);
    }
    return await readTarTree(boundedChunks(file, path, limits.index), limits);
  } finally {
    await file.close();
  }
}

async function* boundedChunks(file: FileHandle, path: string, limit: number): AsyncGenerator<Uint8Array> {
  for (let total = 0; ; ) {
    const { bytesRead, buffer } = await file.read({ buffer: new Uint8Array(CHUNK) });
    if (bytesRead === 0) return;
    total += bytesRead;
    if (total > limit) {
      throw new SeraiError(
        'limit-exceeded',
        `${showPath(path)} is longer than limits.index = ${limit} bytes; if it is right, raise limits.index in serai.toml`,
      );
    }
    yield buffer.subarray(0, bytesRead);
  }
}
