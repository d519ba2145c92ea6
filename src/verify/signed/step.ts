/** A step from old to new as changed files, whether git or two trees tell it (point 12). */
import { compareBytewise, type FileId, type Tree, type TreeFile } from '../../opam/tree.ts';
import type { Change, History } from '../history.ts';
import { type Problem, problem } from './problem.ts';

export interface FileChange {
  readonly path: string;
  readonly before?: FileId;
  readonly after?: FileId;
  /** Why the new file may not stand in a tree. */
  readonly refused?: Problem;
}

export interface TreeStep {
  /** Undefined where the upstream is not git: no RM tags then. */
  readonly commit?: string;
  readonly changes: readonly FileChange[];
}

const REGULAR_MODES: ReadonlySet<string> = new Set(['100644', '100755']);

/** The steps of the first-parent chain, oldest first. */
export async function* chainSteps(history: History, from: string, to: string): AsyncIterable<TreeStep> {
  for await (const { commit, changes } of history.firstParentSteps(from, to)) {
    yield { commit, changes: changes.map((change) => fileChange(change, history)) };
  }
}

/** The whole difference as one step, for a trusted commit that is not on the first-parent chain. */
export async function* wholeStep(history: History, from: string, to: string): AsyncIterable<TreeStep> {
  const changes: FileChange[] = [];
  for await (const change of history.diff(from, to)) changes.push(fileChange(change, history));
  yield { commit: to, changes };
}

/** The difference between two trees as one step. */
export async function* treeStep(from: Tree, to: Tree, commit?: string): AsyncIterable<TreeStep> {
  const changes: FileChange[] = [];
  const doubtful: { readonly before: TreeFile; readonly after: TreeFile }[] = [];
  const gone: FileChange[] = [];
  for (const [before, after] of inStep(from.files.values(), to.files.values())) {
    if (after === undefined) gone.push({ path: before.path, before: before.id });
    else if (before === undefined) changes.push({ path: after.path, after: after.id });
    else if (before.id === after.id) continue;
    else if (kindOf(before.id) !== kindOf(after.id) && before.size === after.size)
      doubtful.push({ before, after });
    else changes.push({ path: after.path, before: before.id, after: after.id });
  }
  for (const change of gone) changes.push(change);
  for await (const { before, after } of differing(doubtful, from, to)) {
    changes.push({ path: after.path, before: before.id, after: after.id });
  }
  yield { changes, ...(commit === undefined ? {} : { commit }) };
}

type Pair =
  | readonly [before: TreeFile, after: TreeFile]
  | readonly [before: TreeFile, after: undefined]
  | readonly [before: undefined, after: TreeFile];

/** The files of two trees side by side by their paths, in whose order both are. */
function* inStep(from: Iterator<TreeFile>, to: Iterator<TreeFile>): Generator<Pair> {
  let [old, now] = [from.next(), to.next()];
  while (old.done !== true || now.done !== true) {
    const order =
      old.done === true ? 1 : now.done === true ? -1 : compareBytewise(old.value.path, now.value.path);
    if (order === 0 && old.done !== true && now.done !== true) yield [old.value, now.value];
    else if (order < 0 && old.done !== true) yield [old.value, undefined];
    else if (now.done !== true) yield [undefined, now.value];
    if (order <= 0) old = from.next();
    if (order >= 0) now = to.next();
  }
}

function fileChange({ path, before, after }: Change, history: History): FileChange {
  const refused = after === undefined ? undefined : refusal(path, after.mode, history);
  return {
    path,
    ...(before === undefined ? {} : { before: `git:${before.oid}` as const }),
    ...(after === undefined ? {} : { after: `git:${after.oid}` as const }),
    ...(refused === undefined ? {} : { refused }),
  };
}

/** TREE: regular files only, under paths within HOSTILE.md's characters and limits. */
function refusal(path: string, mode: string, history: History): Problem | undefined {
  if (!REGULAR_MODES.has(mode)) return problem('TREE', `an entry of mode ${mode} is no regular file`);
  const message = history.pathProblem(path);
  return message === undefined ? undefined : problem('TREE', message);
}

export function kindOf(id: FileId): string {
  return id.slice(0, id.indexOf(':'));
}

/** Ids of different kinds say nothing of the bytes, so these are compared. */
async function* differing<Pair extends { readonly before: TreeFile; readonly after: TreeFile }>(
  pairs: readonly Pair[],
  from: Tree,
  to: Tree,
): AsyncIterable<Pair> {
  if (pairs.length === 0) return;
  const paths = pairs.map((pair) => pair.after.path);
  const old = from.read(paths)[Symbol.asyncIterator]();
  let index = 0;
  for await (const [, bytes] of to.read(paths)) {
    const pair = pairs[index++];
    const { value } = await old.next();
    if (pair !== undefined && Buffer.compare(bytes, value[1]) !== 0) yield pair;
  }
}
