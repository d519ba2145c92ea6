/** The other side of `readTreeInThread`. */
import { parentPort, workerData } from 'node:worker_threads';
import { asSeraiError } from '../errors.ts';
import { readFolderTree, readIndexFile } from './folder-tree.ts';
import { movable, packTree } from './packed-tree.ts';
import type { FromTreeThread, TreeOnDisk } from './tree-thread.ts';

async function answer({ kind, path, limits }: TreeOnDisk): Promise<void> {
  try {
    const read = kind === 'index' ? readIndexFile(path, limits) : readFolderTree(path, limits);
    const tree = packTree(await read);
    parentPort?.postMessage({ tree } satisfies FromTreeThread, [...movable(tree)]);
  } catch (error) {
    const { code, message } = asSeraiError(error, 'internal', `cannot read ${path}`);
    parentPort?.postMessage({ code, message } satisfies FromTreeThread);
  }
}

void answer(workerData);
