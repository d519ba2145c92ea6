/** Reading a tree from disk in a thread of its own, while this one reads another. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, SeraiError } from '../errors.ts';
import type { Tree } from '../opam/tree.ts';
import { type PackedTree, unpackTree } from './packed-tree.ts';
import type { TarLimits } from './tar-tree.ts';

export interface TreeOnDisk {
  readonly kind: 'index' | 'folder';
  readonly path: string;
  readonly limits: TarLimits & { readonly index: number };
}

export type FromTreeThread =
  | { readonly tree: PackedTree }
  | { readonly code: ErrorCode; readonly message: string };

/** Beside this file, in a checkout and in the package. */
const SCRIPT = new URL(`./tree-thread-worker${extname(import.meta.url)}`, import.meta.url);

/** Throws as `readIndexFile` and `readFolderTree` do; a TreeError comes as its code and message. */
export async function readTreeInThread(source: TreeOnDisk): Promise<Tree> {
  const worker = new Worker(SCRIPT, { workerData: source });
  try {
    const answer = await new Promise<FromTreeThread>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new SeraiError('internal', 'the thread that reads a tree ended')));
    });
    if ('code' in answer) throw new SeraiError(answer.code, answer.message);
    return unpackTree(answer.tree);
  } finally {
    await worker.terminate();
  }
}
