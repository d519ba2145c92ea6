/** The other side of `tree-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { asSeraiError } from '../errors.ts';
import { readFolderPart, readIndexFile } from './folder-tree.ts';
import { movable, packFiles, packTree } from './packed-tree.ts';
import { TreeError } from './tree-rules.ts';
import type { FromTreeThread, TreeOnDisk } from './tree-thread.ts';

async function read({ kind, path, limits, half }: TreeOnDisk): Promise<FromTreeThread> {
  if (kind === 'index') return { tree: packTree(await readIndexFile(path, limits)), entries: 0, content: 0 };
  const { files, entries, content } = readFolderPart(path, limits, half);
  return { tree: packFiles(files, ({ bytes }) => bytes), entries, content };
}

async function answer(source: TreeOnDisk): Promise<void> {
  try {
    const answered = await read(source);
    parentPort?.postMessage(answered, 'tree' in answered ? [...movable(answered.tree)] : []);
  } catch (error) {
    const { code, message } = asSeraiError(error, 'internal', `cannot read ${source.path}`);
    const where = error instanceof TreeError ? { path: error.path } : {};
    parentPort?.postMessage({ code, message, ...where } satisfies FromTreeThread);
  }
}

void answer(workerData);
