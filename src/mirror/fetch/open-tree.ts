/** A repository on this machine's disk, whatever form it has: a folder, an index.tar.gz, or a git repository. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, SeraiError } from '../../errors.ts';
import type { Sha256 } from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import { hashIndexFile, type IndexTree, readIndexFile } from '../../upstream/folder-tree.ts';
import type { GitRepository } from '../../upstream/git-repository.ts';
import { readFolderByTwo, readTreeBeside } from '../../upstream/tree-thread.ts';

export type OpenedRepository = { readonly kind: 'git'; readonly repository: GitRepository } | OpenedFiles;

/** A folder or an index. */
export interface OpenedFiles {
  readonly kind: 'files';
  /** Reads it; throws `tree-refused` or `limit-exceeded` for what is in it. */
  readonly open: () => Promise<Tree | IndexTree>;
  /** The same, beside the reading of another. */
  readonly openBeside: () => Promise<Tree>;
  /** Of an index, the SHA-256 of its file. */
  readonly index?: () => Promise<Sha256>;
}

/** Throws `not-found` when nothing is at the path. */
export async function openRepository(path: string, limits: Limits): Promise<OpenedRepository> {
  const found = await kindOf(path);
  if (found === undefined) throw new SeraiError('not-found', `there is nothing to read at ${path}`);
  if (found === 'file') return files('index', path, limits);
  if ((await kindOf(join(path, '.git'))) !== undefined || (await isBare(path))) {
    // Twenty files of source that the other forms do without.
    const { openGitRepository } = await import('../../upstream/git-repository.ts');
    return { kind: 'git', repository: await openGitRepository(path, { limits }) };
  }
  const index = join(path, 'index.tar.gz');
  if ((await kindOf(index)) === 'file') return files('index', index, limits);
  return files('folder', path, limits);
}

function files(kind: 'index' | 'folder', path: string, limits: Limits): OpenedFiles {
  return {
    kind: 'files',
    open: () => (kind === 'index' ? readIndexFile(path, limits) : readFolderByTwo(path, limits)),
    openBeside: () => readTreeBeside({ kind, path, limits }),
    ...(kind === 'index' ? { index: () => hashIndexFile(path, limits) } : {}),
  };
}

async function isBare(path: string): Promise<boolean> {
  const parts = await Promise.all(['HEAD', 'objects', 'refs'].map((name) => kindOf(join(path, name))));
  return parts.join() === 'file,folder,folder';
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw new SeraiError('not-found', `${path} cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}
