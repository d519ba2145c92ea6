/** A tree from a tar, as an HTTP upstream's `index.tar.gz` is one. Never extracted to disk (HOSTILE 15). */
import { hash } from 'node:crypto';
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Tree } from '../opam/tree.ts';
import { FilesInMemory, type HeldFiles } from './held-files.ts';
import { decompress } from './tar-gzip.ts';
import { oddKind, type TarHeader } from './tar-headers.ts';
import { type EntryContent, type TarEntries, TarReader } from './tar-reader.ts';
import { belongsToTree, refusedKind, showPath, TreeBudget, type TreeLimits } from './tree-rules.ts';

export type TarLimits = TreeLimits & Pick<Limits, 'expansion'>;

/**
 * The tree in a tar, compressed by gzip or not. Files are held in `files`, with ids of the kind `sha256:`.
 * Entries outside the tree are counted and skipped, whatever they are. Throws `tree-refused` (a link, a
 * name that is not allowed), `limit-exceeded`, `archive-format`, `upstream-truncated`, and what `source`
 * throws; in each case the iteration of `source` is ended.
 */
export async function readTarTree(
  source: AsyncIterable<Uint8Array>,
  limits: TarLimits,
  files: HeldFiles = new FilesInMemory(),
): Promise<Tree> {
  try {
    const reader = new TarReader(new TreeCollector(limits, files));
    await decompress(source, (bytes) => reader.write(bytes), limits);
    reader.end();
    return files.tree();
  } catch (error) {
    files.drop();
    throw error;
  }
}

/** Applies the tree's rules to each entry, and keeps the files. */
class TreeCollector implements TarEntries {
  readonly #files: HeldFiles;
  readonly #limits: TarLimits;
  readonly #budget: TreeBudget;
  /** Of the file whose content is awaited. */
  #path = '';

  constructor(limits: TarLimits, files: HeldFiles) {
    this.#files = files;
    this.#limits = limits;
    this.#budget = new TreeBudget(limits);
  }

  entry(header: TarHeader): EntryContent {
    const isFolder = header.type === '5';
    const path = normalized(header.name, isFolder);
    // `./` itself, which `tar -C folder .` puts first.
    if (isFolder && (path === '' || path === '.')) {
      this.#budget.skip('.');
      return undefined;
    }
    if (!belongsToTree(path, this.#limits)) {
      this.#budget.skip(path, header.size);
      return undefined;
    }
    if (isFolder) {
      this.#budget.addFolder(path);
      return undefined;
    }
    if (header.type !== '0') throw refusedKind(path, oddKind(header));
    this.#budget.addFile(path, header.size);
    this.#path = path;
    return this.#files.take(header.size);
  }

  content(_: TarHeader, bytes: Uint8Array): void {
    const path = this.#path;
    this.#files.keep({ path, size: bytes.length, id: `sha256:${hash('sha256', bytes, 'hex')}` }, bytes);
  }
}

/** Without the leading `./` that tar writes for `tar c .`, and without the `/` that ends a folder's name. */
function normalized(name: string, isFolder: boolean): string {
  const path = name.startsWith('./') ? name.slice(2) : name;
  if (!path.endsWith('/')) return path;
  // Before POSIX a final slash was what made a folder of a file; tar programs still differ on it.
  if (!isFolder) throw new SeraiError('tree-refused', `the file ${showPath(name)} has a folder's name`);
  return path.slice(0, -1);
}
