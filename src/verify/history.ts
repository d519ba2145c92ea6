/**
 * The seam to a git history, as far as decisions about trust need one. Its shapes are those of
 * upstream/git-repository.ts, so that little has to stand between the two.
 */
import type { Tree } from '../opam/tree.ts';

export interface ChangeSide {
  readonly oid: string;
  /** Octal, six digits, as git writes it: `100644`. */
  readonly mode: string;
}

/** A file that was added (no `before`), removed (no `after`) or altered. */
export interface Change {
  /** Each character is one byte (latin1). */
  readonly path: string;
  readonly before?: ChangeSide;
  readonly after?: ChangeSide;
}

/** One commit against its first parent; only paths of the tree. */
export interface Step {
  readonly commit: string;
  readonly changes: readonly Change[];
}

export interface AnnotatedTag {
  readonly kind: 'annotated';
  /** What it tags, not peeled: a tag of a tag names that tag here. */
  readonly object: string;
  /** The type of what it tags: `commit`, `tag`, `tree` or `blob`. */
  readonly type: string;
  /** The tag object's own name, which need not be the ref's. */
  readonly tag: string;
  /** All that follows the header, byte for byte; a PGP block, if any, included. */
  readonly message: Uint8Array;
}

export type Tag =
  | AnnotatedTag
  | { readonly kind: 'lightweight' }
  /** Malformed, or beyond its limit. */
  | { readonly kind: 'unreadable'; readonly reason: string };

export interface History {
  /** The tag of that name below `refs/tags/`; undefined when there is none. */
  tag(name: string): Promise<Tag | undefined>;
  /** True when `ancestor` is reachable from `commit`, or is it; false when it is not there at all. */
  isAncestor(ancestor: string, commit: string): Promise<boolean>;
  /** True when following first parents from `commit` leads to `ancestor`, or it is it. */
  isOnFirstParentChain(ancestor: string, commit: string): Promise<boolean>;
  /** Every step from `from` (not included) to `to`, oldest first. */
  firstParentSteps(from: string, to: string): AsyncIterable<Step>;
  /** The whole difference between two commits. */
  diff(from: string, to: string): AsyncIterable<Change>;
  /**
   * The tree of a commit, with ids `git:<oid>`; undefined when there is no such commit, or its tree is refused.
   * Who asks, closes it.
   */
  treeAt(commit: string): Promise<Tree | undefined>;
  /** The blobs in the order asked; one of more than `maxBytes` is `limit-exceeded`, with its oid as `subject`. */
  readBlobs(
    oids: Iterable<string>,
    maxBytes: number,
  ): AsyncIterable<readonly [oid: string, bytes: Uint8Array]>;
  /** Why a path may not stand in a tree (HOSTILE.md's characters and limits); undefined when it may. */
  pathProblem(path: string): string | undefined;
}
