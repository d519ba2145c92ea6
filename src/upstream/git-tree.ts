/** A commit's files as a Tree: git's tree objects listed once, their blobs read through `cat-file`. */
import { SeraiError } from '../errors.ts';
import type { Tree, TreeFile } from '../opam/tree.ts';
import { checkObjectId } from './git-id.ts';
import type { KnownObject, ObjectReader } from './git-objects.ts';
import { recordsOf } from './git-records.ts';
import { streamGit } from './git-run.ts';
import { isTreePath, refused, refusedKind, showPath, TreeBudget, type TreeLimits } from './tree-rules.ts';

/** All that git is asked about: the rest of a repository is neither listed nor compared (tree-rules.ts). */
export const TREE_ROOTS: readonly string[] = ['repo', 'version', 'packages', 'compilers', 'keys', 'seal'];

/** `<mode> <type> <oid> <size>\t<path>`, the size padded with blanks, `-` for what is no blob, `BAD` for what is missing. */
const ENTRY = /^([0-7]{6}) ([a-z]+) ([0-9a-f]{40,64}) +([0-9]+|-|BAD)\t(.+)$/s;

const SYMLINK = '120000';
const SUBMODULE = '160000';
const REGULAR: ReadonlySet<string> = new Set(['100644', '100755']);

/**
 * The tree of `commit`. Throws `tree-refused` for anything in it but regular files, and for paths that break
 * the rules; `limit-exceeded`; `not-found` when the commit is not there. Closing the tree costs nothing: its
 * bytes are read through the repository, which has to stay open.
 */
export async function readGitTree(
  gitDir: string,
  commit: string,
  reader: ObjectReader,
  limits: TreeLimits,
  signal?: AbortSignal,
): Promise<Tree> {
  const files = new Map<string, TreeFile>();
  const budget = new TreeBudget(limits);
  const args = ['ls-tree', '-r', '-z', '-l', '--full-tree', checkObjectId(commit), ...TREE_ROOTS];
  let before = '';
  for await (const records of recordsOf(
    streamGit({ gitDir, args, signal }, `listing the tree of ${commit}`),
  )) {
    for (const record of records) {
      const file = readEntry(record, budget);
      // What git's fsck has passed is sorted so that whole paths are in C order (git-mktree).
      if (file.path <= before) throw refused(file.path, 'is out of order or there twice');
      before = file.path;
      files.set(file.path, file);
    }
  }
  return gitTree(files, reader);
}

function readEntry(record: string, budget: TreeBudget): TreeFile {
  const [, mode = '', , oid = '', digits, path = ''] = ENTRY.exec(record) ?? [];
  if (path === '') throw new SeraiError('git-failed', `git ls-tree printed ${showPath(record)}`);
  // Of the names asked for, only `repo` and `version` can be a folder that does not belong to the tree.
  if (!isTreePath(path)) budget.addFolder(path.slice(0, path.indexOf('/')));
  requireRegular(path, mode);
  const size = Number(digits);
  if (Number.isNaN(size)) throw refusedKind(path, 'a file without content');
  budget.addFile(path, size);
  return { path, size, id: `git:${oid}` };
}

/** Throws `tree-refused` for anything but a regular file; the mode in six octal digits. */
export function requireRegular(path: string, mode: string): void {
  if (mode === SYMLINK) throw refusedKind(path, 'a symlink');
  if (mode === SUBMODULE) throw refusedKind(path, 'a submodule');
  if (!REGULAR.has(mode)) throw refusedKind(path, `an entry of mode ${mode}`);
}

export function gitTree(files: ReadonlyMap<string, TreeFile>, reader: ObjectReader): Tree {
  return {
    files,
    async *read(paths) {
      const wanted = Array.from(paths, (path) => fileAt(files, path));
      let index = 0;
      for await (const { type, bytes } of reader.objects(wanted.map(objectOf))) {
        const path = wanted[index++]?.path ?? '';
        if (type !== 'blob') throw refusedKind(path, `a ${type} that is called a file`);
        yield [path, bytes];
      }
    },
    async close() {},
  };
}

function fileAt(files: ReadonlyMap<string, TreeFile>, path: string): TreeFile {
  const file = files.get(path);
  if (file === undefined) throw new Error(`no file ${path} in the tree`);
  return file;
}

function objectOf(file: TreeFile): KnownObject {
  return { oid: file.id.slice(file.id.indexOf(':') + 1), size: file.size };
}
