/**
 * The part of a commit's tree that differs from an earlier commit's: whoever has the earlier tree knows the rest. Only
 * folders that differ are read, so what it costs grows with the change; what the rules say of a whole tree is counted
 * on from what was counted before. All goes through the one process that reads objects: starting git five times took
 * longer than everything else.
 */
import { compareBytewise, type Tree, type TreeFile } from '../opam/tree.ts';
import { compareFolders, type Entries, type TreeObject } from './git-folders.ts';
import { checkObjectId } from './git-id.ts';
import type { ObjectReader } from './git-objects.ts';
import { gitTree, requireRegular } from './git-tree.ts';
import { type GitTreeEntry, TREE_MODE } from './git-tree-object.ts';
import {
  checkPath,
  exceeded,
  isTreePath,
  refused,
  refusedKind,
  TreeBudget,
  type TreeLimits,
} from './tree-rules.ts';

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
  readonly from: string;
  readonly to: string;
  /** Of the tree of `from`, which obeyed the same limits. */
  readonly sizeBefore: TreeSize;
  /** Whether the folder (with a slash at its end) is looked at as a whole when anything in it changes. */
  readonly isWhole: (folder: string) => boolean;
  readonly reader: ObjectReader;
  readonly limits: TreeLimits;
}

/** Folders and files that are looked at. Beyond, the whole tree is quicker to read. */
const MOST_LOOKED_AT = 4000;
/** Bytes of one tree object: a folder of 200,000 entries. */
const TREE_BYTES = 16 * 1024 * 1024;

/** A folder that differs, on either side; undefined where it is not. */
interface Differing {
  /** With a slash at its end, empty for the top. */
  readonly folder: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Inside of a folder that is looked at as a whole. */
  readonly whole: boolean;
}

/**
 * Undefined when `from` is not there, or more changed than is worth reading piece by piece. Throws as readGitTree does
 * for what may not stand in a tree.
 */
export async function readGitStep(request: StepRequest): Promise<GitStep | undefined> {
  const { reader, limits, sizeBefore } = request;
  const [from, to] = await Promise.all([treeOf(request.from, reader), treeOf(request.to, reader)]);
  if (from === undefined || to === undefined) return undefined;
  const walk = new Walk(request);
  let level: readonly Differing[] = [{ folder: '', before: from, after: to, whole: false }];
  while (level.length > 0) {
    const next = await walk.level(level);
    if (next === undefined) return undefined;
    level = next;
  }
  const { before, after, changed, folders, foldersBefore } = walk;
  const budget = new TreeBudget(limits);
  const sizes = await sizesOf([...before.values(), ...after.values()], reader);
  const files = new Map<string, TreeFile>();
  for (const path of [...after.keys()].sort(compareBytewise)) {
    const { mode, oid } = after.get(path) ?? { mode: '', oid: '' };
    requireRegular(path, mode.padStart(6, '0'));
    const size = sizes.get(oid);
    if (size === undefined) throw refusedKind(path, 'a file without content');
    budget.addFile(path, size);
    files.set(path, { path, size, id: `git:${oid}` });
  }
  let contentBefore = 0;
  for (const { oid } of before.values()) contentBefore += sizes.get(oid) ?? 0;
  const size = {
    entries: sizeBefore.entries - before.size + files.size,
    content: sizeBefore.content - contentBefore + contentOf(files),
  };
  const [path = ''] = changed;
  if (size.entries > limits.tree_entries)
    throw exceeded(path, 'tree_entries', limits.tree_entries, size.entries);
  if (size.content > limits.tree_content)
    throw exceeded(path, 'tree_content', limits.tree_content, size.content);
  return { tree: gitTree(files, reader), changed: [...changed], folders, foldersBefore, size };
}

export function sizeOf({ files }: Pick<Tree, 'files'>): TreeSize {
  return { entries: files.size, content: contentOf(files) };
}

function contentOf(files: ReadonlyMap<string, TreeFile>): number {
  let content = 0;
  for (const { size } of files.values()) content += size;
  return content;
}

/** Level by level through the folders that differ. */
class Walk {
  readonly #request: StepRequest;
  #lookedAt = 0;
  readonly before: Entries = new Map();
  readonly after: Entries = new Map();
  readonly changed = new Set<string>();
  readonly folders = new Set<string>();
  readonly foldersBefore = new Set<string>();

  constructor(request: StepRequest) {
    this.#request = request;
  }

  /** The folders below these that differ; undefined when it becomes too much. */
  async level(folders: readonly Differing[]): Promise<readonly Differing[] | undefined> {
    const oids = new Set(
      folders.flatMap(({ before, after }) => [before, after].filter((oid) => oid !== undefined)),
    );
    this.#lookedAt += oids.size;
    if (this.#lookedAt > MOST_LOOKED_AT) return undefined;
    const trees = await readTrees([...oids], this.#request.reader);
    if (trees === undefined) return undefined;
    const below: Differing[] = [];
    for (const { folder, before, after, whole } of folders) {
      const [old, now] = [treeAt(trees, before), treeAt(trees, after)];
      const { was, is } = compareFolders(folder, old, now, whole);
      for (const name of new Set([...was.keys(), ...is.keys()]))
        this.#compare(folder + name, was.get(name), is.get(name), whole, below);
    }
    this.#lookedAt += this.before.size + this.after.size;
    return this.#lookedAt > MOST_LOOKED_AT ? undefined : below;
  }

  #compare(
    path: string,
    before: GitTreeEntry | undefined,
    after: GitTreeEntry | undefined,
    whole: boolean,
    below: Differing[],
  ): void {
    const isSame = before?.oid === after?.oid && before?.mode === after?.mode;
    // The file `repo` is looked at with every change.
    if (isSame && !whole && path !== 'repo') return;
    const [was, is] = [before?.mode === TREE_MODE, after?.mode === TREE_MODE];
    if (before !== undefined && !was) this.before.set(path, before);
    if (after !== undefined && !is) this.after.set(path, after);
    if (!isSame && ((before !== undefined && !was) || (after !== undefined && !is))) this.changed.add(path);
    if (!was && !is) return;
    const folder = `${path}/`;
    if (after !== undefined && is && !isTreePath(`${folder}x`))
      throw refused(path, 'is a folder, and must be a regular file');
    const isWhole = this.#request.isWhole(folder);
    if (isWhole) {
      this.folders.add(folder);
      if (was) this.foldersBefore.add(folder);
    }
    if (folder.length > this.#request.limits.path_bytes) checkPath(`${folder}x`, this.#request.limits);
    below.push({
      folder,
      before: was ? before?.oid : undefined,
      after: is ? after?.oid : undefined,
      whole: whole || isWhole,
    });
  }
}

function treeAt(trees: ReadonlyMap<string, Uint8Array>, oid: string | undefined): TreeObject {
  const bytes = oid === undefined ? undefined : trees.get(oid);
  return { bytes: bytes ?? new Uint8Array(0), idBytes: (oid?.length ?? 0) / 2 };
}

/** The id of a commit's tree; undefined when the commit is not there. */
async function treeOf(commit: string, reader: ObjectReader): Promise<string | undefined> {
  const [info] = await reader.infos([checkObjectId(commit)]);
  if (info === undefined || info.type !== 'commit' || info.size > TREE_BYTES) return undefined;
  for await (const { bytes } of reader.objects([{ oid: commit, size: info.size }])) {
    const [, tree] = /^tree ([0-9a-f]+)\n/.exec(Buffer.from(bytes).toString('latin1')) ?? [];
    return tree;
  }
  return undefined;
}

/** Undefined when one is larger than is read in one piece. */
async function readTrees(
  oids: readonly string[],
  reader: ObjectReader,
): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  const infos = await reader.infos(oids);
  const known = infos.flatMap((info, index) => {
    const oid = oids[index] ?? '';
    return info?.type === 'tree' && info.size <= TREE_BYTES ? [{ oid, size: info.size }] : [];
  });
  if (known.length < oids.length) return undefined;
  const trees = new Map<string, Uint8Array>();
  let index = 0;
  for await (const { bytes } of reader.objects(known)) {
    const { oid = '' } = known[index++] ?? {};
    trees.set(oid, bytes);
  }
  return trees;
}

/** Of the blobs among them, by id. */
async function sizesOf(
  entries: readonly GitTreeEntry[],
  reader: ObjectReader,
): Promise<ReadonlyMap<string, number>> {
  const oids = [...new Set(entries.map(({ oid }) => oid))];
  const infos = await reader.infos(oids);
  const sizes = new Map<string, number>();
  for (const [index, info] of infos.entries())
    if (info?.type === 'blob') sizes.set(oids[index] ?? '', info.size);
  return sizes;
}
