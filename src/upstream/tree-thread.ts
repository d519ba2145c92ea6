/** Reading a tree from disk in a thread of its own, while this one reads another, or the other half of it. */
import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, SeraiError } from '../errors.ts';
import { memoryTree, type Tree } from '../opam/tree.ts';
import {
  countPackages,
  type FolderHalf,
  readFolderPart,
  readFolderTree,
  readIndexFile,
} from './folder-tree.ts';
import { type PackedTree, unpackFiles, unpackTree } from './packed-tree.ts';
import type { TarLimits } from './tar-tree.ts';
import { exceeded, TreeError, type TreeLimits } from './tree-rules.ts';

export interface TreeOnDisk {
  readonly kind: 'index' | 'folder';
  readonly path: string;
  readonly limits: TarLimits & { readonly index: number };
  /** Of a folder; all of it without. */
  readonly half?: FolderHalf;
}

export type FromTreeThread =
  | { readonly tree: PackedTree; readonly entries: number; readonly content: number }
  /** With the path of a TreeError. */
  | { readonly code: ErrorCode; readonly message: string; readonly path?: string };

type Read = Exclude<FromTreeThread, { readonly code: ErrorCode }>;

/** Fewer packages, or an index of fewer bytes, are sooner read than a thread is started. */
const WORTH_HALVING = 200;
const WORTH_A_THREAD = 512 * 1024;
/** Beside this file, in a checkout and in the package. */
const SCRIPT = new URL(`./tree-thread-worker${extname(import.meta.url)}`, import.meta.url);

/** In a thread where the tree is large enough for that, else here. Throws as `readIndexFile` and `readFolderTree` do. */
export async function readTreeBeside({ kind, path, limits }: Omit<TreeOnDisk, 'half'>): Promise<Tree> {
  if (kind === 'index' && sizeOf(path) < WORTH_A_THREAD) return readIndexFile(path, limits);
  if (kind === 'folder' && countPackages(path) < WORTH_HALVING) return readFolderTree(path, limits);
  return readTreeInThread({ kind, path, limits });
}

/** Throws as `readIndexFile` and `readFolderTree` do. */
export async function readTreeInThread(source: TreeOnDisk): Promise<Tree> {
  const reading = startReading(source);
  try {
    return unpackTree((await reading.read).tree);
  } finally {
    await reading.end();
  }
}

/** As `readFolderTree`, half of it in a thread beside this one: a large folder is mostly waiting for the system. */
export async function readFolderByTwo(path: string, limits: TreeOnDisk['limits']): Promise<Tree> {
  if (countPackages(path) < WORTH_HALVING) return readFolderTree(path, limits);
  const reading = startReading({ kind: 'folder', path, limits, half: 1 });
  try {
    const here = readFolderPart(path, limits, 0);
    const there = await reading.read;
    checkSum('tree_entries', here.entries + there.entries, limits);
    checkSum('tree_content', here.content + there.content, limits);
    return memoryTree([...here.files, ...unpackFiles(there.tree)]);
  } finally {
    await reading.end();
  }
}

/** 0 where it cannot be told: whoever reads it says why. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

function checkSum(name: 'tree_entries' | 'tree_content', sum: number, limits: TreeLimits): void {
  if (sum > limits[name]) throw exceeded('packages', name, limits[name], sum);
}

function startReading(source: TreeOnDisk): { readonly read: Promise<Read>; end(): Promise<unknown> } {
  const worker = new Worker(SCRIPT, { workerData: source });
  const read = new Promise<Read>((resolve, reject) => {
    worker.once('message', (answer: FromTreeThread) => {
      if (!('code' in answer)) resolve(answer);
      else if (answer.path === undefined) reject(new SeraiError(answer.code, answer.message));
      else reject(new TreeError(answer.code, answer.path, answer.message));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new SeraiError('internal', 'the thread that reads a tree ended')));
  });
  // It may fail before it is waited for.
  read.catch(() => undefined);
  return { read, end: () => worker.terminate() };
}
