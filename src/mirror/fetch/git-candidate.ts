/** A git repository as the dialects see it: the candidate's tree, and the history behind it. */
import { SeraiError } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { GitRepository } from '../../upstream/git-repository.ts';
import { checkPath, TreeError } from '../../upstream/tree-rules.ts';
import type { History, Tag } from '../../verify/history.ts';

/** The history seam over a repository that stays open as long as the history is asked. */
export function historyOf(repository: GitRepository, limits: Limits): History {
  return {
    tag: (name) => tagOf(repository, name),
    isAncestor: (ancestor, commit) => orFalse(repository.isAncestor(ancestor, commit)),
    isOnFirstParentChain: (ancestor, commit) => orFalse(repository.isOnFirstParentChain(ancestor, commit)),
    firstParentSteps: (from, to) => repository.firstParentSteps(from, to),
    diff: (from, to) => repository.diff(from, to),
    treeAt: (commit) => acceptableTreeAt(repository, commit),
    readBlobs: (oids, maxBytes) => repository.readBlobs(oids, maxBytes),
    pathProblem: (path) => {
      try {
        checkPath(path, limits);
        return undefined;
      } catch (error) {
        if (error instanceof SeraiError) return error.message;
        throw error;
      }
    },
  };
}

/** A tag that git or the limits refuse is one all the same: it is for the verdict to say so. */
export async function tagOf(repository: GitRepository, name: string): Promise<Tag | undefined> {
  try {
    return await repository.tag(name);
  } catch (error) {
    if (error instanceof SeraiError && (error.code === 'git-refused' || error.code === 'limit-exceeded'))
      return { kind: 'unreadable', reason: error.message };
    throw error;
  }
}

/** A commit that is not there is an ancestor of nothing. */
async function orFalse(answer: Promise<boolean>): Promise<boolean> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof SeraiError && error.code === 'not-found') return false;
    throw error;
  }
}

/** Undefined also for a tree that is refused: nothing in it counts. */
async function acceptableTreeAt(repository: GitRepository, commit: string): Promise<Tree | undefined> {
  try {
    return await treeAt(repository, commit);
  } catch (error) {
    if (error instanceof TreeError) return undefined;
    throw error;
  }
}

/** Undefined when there is no such commit. */
export async function treeAt(repository: GitRepository, commit: string): Promise<Tree | undefined> {
  try {
    await repository.parentsOf(commit);
  } catch (error) {
    // An object of another type is refused.
    if (error instanceof SeraiError && (error.code === 'not-found' || error.code === 'git-refused'))
      return undefined;
    throw error;
  }
  return repository.tree(commit);
}

/** The tree, with which the repository is closed. */
export function closing(tree: Tree, repository: GitRepository): Tree {
  return { files: tree.files, read: (paths) => tree.read(paths), close: () => repository.close() };
}
