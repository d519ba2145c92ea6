/** The documents of an advisory feed that is a folder on this machine's disk, and the reading of single files. */
import { constants } from 'node:fs';
import { open, opendir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { asSeraiError, SeraiError } from '../errors.ts';
import {
  DocumentBudget,
  type DocumentLimits,
  type FeedDocument,
  isDocumentName,
  throwIfAborted,
} from './advisory-documents.ts';
import { showPath } from './tree-rules.ts';

/** A FIFO or device put in a file's place must neither be followed to nor waited for. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

interface Walk {
  /** Without symbolic links. */
  readonly root: string;
  readonly budget: DocumentBudget;
  readonly signal: AbortSignal | undefined;
  readonly documents: FeedDocument[];
}

/**
 * All files below `folder` whose names end in `.json`; names are relative to it. `folder` itself may be a symbolic
 * link; those below it are not followed. Throws `upstream-unreachable` for what cannot be read, `tree-refused` for
 * a link that leads out and for what is no file, `limit-exceeded`, `aborted`.
 */
export async function readDocumentFolder(
  folder: string,
  limits: DocumentLimits,
  signal?: AbortSignal,
): Promise<readonly FeedDocument[]> {
  const root = await attempt(folder, () => realpath(folder));
  const documents: FeedDocument[] = [];
  await visit('', { root, budget: new DocumentBudget(limits), signal, documents });
  return documents.sort((one, other) => (one.name < other.name ? -1 : 1));
}

async function visit(path: string, walk: Walk): Promise<void> {
  const folder = join(walk.root, path);
  await attempt(folder, async () => {
    for await (const entry of await opendir(folder)) {
      throwIfAborted(walk.signal);
      // A feed is often a clone; git's own files are none of it.
      if (entry.name === '.git') continue;
      const name = path === '' ? entry.name : `${path}/${entry.name}`;
      walk.budget.addEntry(name);
      if (entry.isDirectory()) await visit(name, walk);
      else if (entry.isSymbolicLink()) await checkLink(name, walk);
      else if (isDocumentName(name)) await readDocument(name, walk);
    }
  });
}

/** What a link within the folder leads to is read where it lies; an advisory elsewhere must not be lost in silence. */
async function checkLink(name: string, { root }: Walk): Promise<void> {
  const target = await realpath(join(root, name)).catch(() => undefined);
  const within = target?.startsWith(root.endsWith(sep) ? root : root + sep);
  if (within && (!isDocumentName(name) || isDocumentName(target ?? ''))) return;
  throw new SeraiError(
    'tree-refused',
    `${showPath(name)} in the advisory feed is a symbolic link that leads to no document of the same folder; put a copy in its place`,
  );
}

async function readDocument(name: string, { root, budget, documents }: Walk): Promise<void> {
  const bytes = await readBoundedFile(join(root, name), (size) => budget.addDocument(name, size));
  documents.push({ name, bytes });
}

/**
 * The bytes of a regular file, not through a link. `accept` sees its size first, and throws when that is too much; a file that grows
 * beyond it while it is read is `upstream-unreachable`, as is what cannot be read; what is no file is `tree-refused`.
 */
export function readBoundedFile(path: string, accept: (size: number) => void): Promise<Buffer> {
  return attempt(path, async () => {
    const file = await open(path, OPEN_FLAGS);
    try {
      const stats = await file.stat();
      if (!stats.isFile())
        throw new SeraiError('tree-refused', `${showPath(path)} in the advisory feed is no regular file`);
      accept(stats.size);
      // One byte of room more than announced tells a file that grows.
      const bytes = Buffer.alloc(stats.size + 1);
      let filled = 0;
      for (let count = -1; count !== 0 && filled < bytes.length; filled += count)
        count = (await file.read(bytes, filled, bytes.length - filled, null)).bytesRead;
      if (filled > stats.size)
        throw new Error('it grew while it was read; it is tried again at the next look');
      return bytes.subarray(0, filled);
    } finally {
      await file.close();
    }
  });
}

async function attempt<Result>(path: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw asSeraiError(error, 'upstream-unreachable', `cannot read ${showPath(path)}`);
  }
}
