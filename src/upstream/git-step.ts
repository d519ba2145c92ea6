/**
 * The part of a commit's tree that differs from an earlier commit's: whoever has the earlier tree knows the rest. What
 * is read grows with the change; what the rules say of a whole tree is counted on from what was counted before.
 */
import { SeraiError } from '../errors.ts';
import type { Tree, TreeFile } from '../opam/tree.ts';
import { type Change, diffCommits } from './git-history.ts';
import { checkObjectId } from './git-id.ts';
import type { ObjectReader } from './git-objects.ts';
import { recordsOf } from './git-records.ts';
import { streamGit } from './git-run.ts';
import { gitTree, readEntries } from './git-tree.ts';
import { exceeded, refused, showPath, type TreeLimits } from './tree-rules.ts';

/** What is counted of a whole tree. */
export interface TreeSize {
  readonly entries: number;
  /** In bytes. */
  readonly content: number;
}

export interface GitStep {
  /** All files of the changed folders, the other changed files, and `repo`. */
  readonly tree: Tree;
  readonly changed: readonly string[];
  /** Changed folders, each with a slash at its end, and those of them that the earlier commit had. */
  readonly folders: ReadonlySet<string>;
  readonly foldersBefore: ReadonlySet<string>;
  /** Of the whole tree. */
  readonly size: TreeSize;
}

export interface StepRequest {
  readonly gitDir: string;
  readonly from: string;
  readonly to: string;
  /** Of the tree of `from`, which obeyed the same limits. */
  readonly sizeBefore: TreeSize;
  /** The folder, with a slash at its end, that is looked at as a whole when the file changes; undefined for none. */
  readonly folderOf: (path: string) => string | undefined;
  readonly reader: ObjectReader;
  readonly limits: TreeLimits;
  readonly signal?: AbortSignal | undefined;
}

/** Paths named to one git command. Beyond, the whole tree is quicker to read. */
const MOST_PATHS = 2000;

/**
 * Undefined when `from` is not there, or more changed than is read piece by piece. Throws as readGitTree does for what
 * may not stand in a tree.
 */
export async function readGitStep(request: StepRequest): Promise<GitStep | undefined> {
  const { from, to, folderOf } = request;
  const changes = await changesOf(request);
  if (changes === undefined) return undefined;
  const changed = changes.map(({ path }) => path);
  const folders = new Set(changed.flatMap((path) => folderOf(path) ?? []));
  const others = changed.filter((path) => folderOf(path) === undefined);
  const paths = [...new Set(['repo', ...folders, ...others])];
  if (paths.length > MOST_PATHS) return undefined;
  const before = await filesAt(from, paths, request);
  const files = await filesAt(to, paths, request);
  await refuseFoldedNames(changes, request);
  const size = {
    entries: request.sizeBefore.entries - before.size + files.size,
    content: request.sizeBefore.content - contentOf(before) + contentOf(files),
  };
  const { limits } = request;
  const [path = ''] = changed;
  if (size.entries > limits.tree_entries)
    throw exceeded(path, 'tree_entries', limits.tree_entries, size.entries);
  if (size.content > limits.tree_content)
    throw exceeded(path, 'tree_content', limits.tree_content, size.content);
  return {
    tree: gitTree(files, request.reader),
    changed,
    folders,
    foldersBefore: new Set([...before.keys()].flatMap((each) => folderOf(each) ?? [])),
    size,
  };
}

export function sizeOf({ files }: Pick<Tree, 'files'>): TreeSize {
  return { entries: files.size, content: contentOf(files) };
}

function contentOf(files: ReadonlyMap<string, TreeFile>): number {
  let content = 0;
  for (const { size } of files.values()) content += size;
  return content;
}

async function changesOf({ gitDir, from, to, limits, signal }: StepRequest): Promise<Change[] | undefined> {
  const changes: Change[] = [];
  try {
    for await (const change of diffCommits(gitDir, from, to, { limits, signal })) {
      changes.push(change);
      if (changes.length > MOST_PATHS) return undefined;
    }
    return changes;
  } catch (error) {
    if (error instanceof SeraiError && error.code === 'not-found') return undefined;
    throw error;
  }
}

function filesAt(
  commit: string,
  paths: readonly string[],
  { gitDir, limits, signal }: StepRequest,
): Promise<Map<string, TreeFile>> {
  return readEntries(gitDir, commit, paths, limits, signal);
}

/**
 * Names that differ only in case, of which one is new (tree-rules.ts): looked for among the neighbours of each name
 * that the earlier commit did not have.
 */
async function refuseFoldedNames(changes: readonly Change[], request: StepRequest): Promise<void> {
  const added = changes.filter(({ before }) => before === undefined).map(({ path }) => path);
  if (added.length === 0) return;
  const names = new Set(added.flatMap(withFolders));
  const known = new Set(await namesAt(request.from, [...names], request));
  const fresh = [...names].filter((name) => !known.has(name));
  const parents = new Set(fresh.map((name) => name.slice(0, name.lastIndexOf('/') + 1)));
  const isFresh = new Set(fresh);
  const folded = new Map<string, string>();
  for (const name of await namesAt(request.to, [...parents], request)) {
    // For developers' keys the signed dialect has a rule of its own.
    if (name.startsWith('keys/dev/')) continue;
    const other = folded.get(name.toLowerCase());
    if (other !== undefined && (isFresh.has(name) || isFresh.has(other)))
      throw refused(name, `differs only in case from ${showPath(other)}`);
    folded.set(name.toLowerCase(), name);
  }
}

/** A path, and all folders in which it lies. */
function withFolders(path: string): string[] {
  const names = [path];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    names.push(path.slice(0, end));
  return names;
}

/** Those of the names that are there; of a name with a slash at its end what lies in it; of an empty one the top. */
async function namesAt(
  commit: string,
  names: readonly string[],
  { gitDir, signal }: StepRequest,
): Promise<string[]> {
  const found: string[] = [];
  const isTop = names.includes('');
  const paths = names.filter((name) => name !== '');
  const what = `listing names of ${commit}`;
  const options = ['ls-tree', '-z', '--name-only', '--full-tree', checkObjectId(commit)];
  const asked = [...(paths.length === 0 ? [] : [[...options, '--', ...paths]]), ...(isTop ? [options] : [])];
  for (const args of asked)
    for await (const records of recordsOf(streamGit({ gitDir, args, signal }, what))) found.push(...records);
  return found;
}
