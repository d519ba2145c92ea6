/**
 * A tree from a folder on this machine's disk, or from an index file there. The folder may be written to by
 * others while it is read: no link is followed, and sizes are those of the bytes read, not those announced.
 */
import { createHash, type Hash, hash } from 'node:crypto';
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { asSeraiError, SeraiError } from '../errors.ts';
import { measuredSha256, type Sha256 } from '../hashes.ts';
import type { Limits } from '../limits.ts';
import { memoryTree, type Tree, type TreeFile } from '../opam/tree.ts';
import { Slabs } from './slabs.ts';
import { readTarTree, type TarLimits } from './tar-tree.ts';
import {
  belongsToTree,
  fileLimit,
  refusedKind,
  showPath,
  TreeBudget,
  type TreeLimits,
} from './tree-rules.ts';

export type HeldFile = TreeFile & { readonly bytes: Uint8Array };

/** Half of the packages by their names; everything else is with the first. Names that differ in case alone are together. */
export type FolderHalf = 0 | 1;

/** What was read of a folder, and what that counts for. */
export interface FolderPart {
  readonly files: readonly HeldFile[];
  readonly entries: number;
  /** Bytes. */
  readonly content: number;
}

/** A FIFO or device put in a file's place must neither be followed to nor waited for. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const CHUNK = 256 * 1024;

/**
 * The tree in the folder at `path`; `path` itself may be a symbolic link. Files are held in memory, with ids
 * of the kind `sha256:`. Reads synchronously: 19,000 files take seconds otherwise, and it is made for a
 * worker. Throws `upstream-unreachable` when something cannot be read, `tree-refused`, `limit-exceeded`.
 */
export async function readFolderTree(path: string, limits: TreeLimits): Promise<Tree> {
  return memoryTree(readFolderPart(path, limits).files);
}

/** As `readFolderTree`, of one half. */
export function readFolderPart(path: string, limits: TreeLimits, half?: FolderHalf): FolderPart {
  const reading = new FolderReading(path, limits, half);
  reading.visitFolder(half === 1 ? PACKAGES : '');
  return reading.part;
}

/** How many entries the folder of packages has; none where there is no such folder. */
export function countPackages(path: string): number {
  try {
    return entriesOf(join(path, PACKAGES)).length;
  } catch {
    return 0;
  }
}

const PACKAGES = 'packages/';

function halfOf(name: string): FolderHalf {
  let sum = 0;
  for (const character of name.toLowerCase()) sum += character.charCodeAt(0);
  return sum % 2 === 0 ? 0 : 1;
}

class FolderReading {
  readonly #files: HeldFile[] = [];
  readonly #root: string;
  readonly #half: FolderHalf | undefined;
  readonly #limits: TreeLimits;
  readonly #budget: TreeBudget;
  readonly #memory = new Slabs();
  /** What is read of a file, before it is known how much that is: one for all, since fresh memory costs more than the read. */
  #room: Buffer = Buffer.allocUnsafeSlow(CHUNK);

  constructor(root: string, limits: TreeLimits, half: FolderHalf | undefined) {
    this.#root = root;
    this.#half = half;
    this.#limits = limits;
    this.#budget = new TreeBudget(limits);
  }

  get part(): FolderPart {
    const { entries, content } = this.#budget;
    return { files: this.#files, entries, content };
  }

  /** All below a folder of the tree; `prefix` ends with a slash, and is empty for the root. */
  visitFolder(prefix: string): void {
    const folder = join(this.#root, prefix);
    const halved = prefix === PACKAGES && this.#half !== undefined;
    for (const entry of attempt(folder, () => entriesOf(folder)))
      if (!halved || halfOf(entry.name) === this.#half) this.#visit(prefix + entry.name, entry);
  }

  #visit(path: string, entry: Dirent): void {
    if (!belongsToTree(path, this.#limits)) {
      this.#budget.skip(path);
      return;
    }
    if (entry.isDirectory()) {
      this.#budget.addFolder(path);
      this.visitFolder(`${path}/`);
      return;
    }
    if (!entry.isFile()) throw refusedKind(path, kindOf(entry));
    this.#budget.addName(path);
    const read = this.#readBounded(path, fileLimit(path, this.#limits));
    this.#budget.addContent(path, read.length);
    const bytes = this.#memory.take(read.length);
    bytes.set(read);
    this.#files.push({ path, size: bytes.length, id: `sha256:${hash('sha256', bytes, 'hex')}`, bytes });
  }

  /** The bytes of a file until the next is read: one more than `limit` at most, which is for the budget to refuse. */
  #readBounded(path: string, limit: number): Uint8Array {
    const onDisk = `${this.#root}/${path}`;
    const descriptor = attempt(onDisk, () => openSync(onDisk, OPEN_FLAGS));
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw refusedKind(path, kindOf(stats));
      for (let filled = 0; ; ) {
        const asked = this.#room.length - filled;
        const count = attempt(onDisk, () => readSync(descriptor, this.#room, filled, asked, null));
        filled += count;
        // The announced size and nothing behind it, though there was room: that is the end, and needs no read to tell.
        const whole = filled === stats.size && count < asked;
        if (count === 0 || whole || filled > limit)
          return this.#room.subarray(0, Math.min(filled, limit + 1));
        if (filled === this.#room.length) this.#room = grown(this.#room);
      }
    } finally {
      closeSync(descriptor);
    }
  }
}

function grown(bytes: Buffer): Buffer {
  const larger = Buffer.allocUnsafeSlow(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

/** What is in a folder (Node itself asks where the file system does not say of what kind it is); names with one character a byte, so that none is changed by decoding it. */
function entriesOf(folder: string): readonly Dirent[] {
  return readdirSync(folder, { encoding: 'latin1', withFileTypes: true });
}

function kindOf(stats: Stats | Dirent): string {
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

/** The tree of an index, with the SHA-256 of the index's own bytes. */
export type IndexTree = Tree & { readonly index: Sha256 };

type IndexLimits = TarLimits & Pick<Limits, 'index'>;

/**
 * The tree in an index file (`index.tar.gz`) at `path`, of `limits.index` bytes at most. Throws as
 * `readTarTree` does, and `upstream-unreachable` when the file cannot be read.
 */
export async function readIndexFile(path: string, limits: IndexLimits): Promise<IndexTree> {
  const sum = createHash('sha256');
  const tree = await withIndexFile(path, (file) =>
    readTarTree(hashed(boundedChunks(file, path, limits.index), sum), limits),
  );
  return { ...tree, index: measuredSha256(sum.digest('hex')) };
}

/** The SHA-256 of the index file's own bytes; throws as `readIndexFile` does, but for what is in it. */
export async function hashIndexFile(path: string, limits: Pick<Limits, 'index'>): Promise<Sha256> {
  const sum = createHash('sha256');
  await withIndexFile(path, async (file) => {
    for await (const _ of hashed(boundedChunks(file, path, limits.index), sum));
  });
  return measuredSha256(sum.digest('hex'));
}

async function withIndexFile<Result>(
  path: string,
  use: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
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
    return await use(file);
  } finally {
    await file.close();
  }
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, sum: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    sum.update(chunk);
    yield chunk;
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
