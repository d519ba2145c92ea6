/** What differs between two tree objects of git that are the same folder at different times. */
import { TREE_ROOTS } from './git-tree.ts';
import { differingEntries, type GitTreeEntry, namesIn, parseTreeObject } from './git-tree-object.ts';
import { refused, showPath } from './tree-rules.ts';

/** A tree object's bytes, of which each id takes so many; none of either where there is no such folder. */
export interface TreeObject {
  readonly bytes: Uint8Array;
  readonly idBytes: number;
}

export type Entries = Map<string, GitTreeEntry>;

export interface Compared {
  readonly was: Entries;
  readonly is: Entries;
}

/**
 * The entries of one folder in two commits, by name: all of them where the folder is looked at as a `whole`, else those that
 * the other commit does not have just so. `folder` ends with a slash, and is empty for the top. Throws `tree-refused` when a
 * name is new that differs from another in case alone.
 */
export function compareFolders(folder: string, old: TreeObject, now: TreeObject, whole: boolean): Compared {
  const compared = whole || folder === '' ? allEntries(folder, old, now) : differences(old, now);
  const { was, is } = compared;
  if ([...is.keys()].some((name) => !was.has(name))) refuseFoldedNames(folder, now);
  return compared;
}

function allEntries(folder: string, old: TreeObject, now: TreeObject): Compared {
  // Of the top only what a repository is made of is looked at, as everywhere (git-tree.ts).
  const ours = (tree: TreeObject): Entries =>
    byName(
      parseTreeObject(tree.bytes, tree.idBytes).filter(
        ({ name }) => folder !== '' || TREE_ROOTS.includes(name),
      ),
    );
  return { was: ours(old), is: ours(now) };
}

function differences(old: TreeObject, now: TreeObject): Compared {
  // A folder that is not there has none.
  const idBytes = Math.max(old.idBytes, now.idBytes);
  const { before, after } = differingEntries(old.bytes, now.bytes, idBytes);
  return { was: byName(before), is: byName(after) };
}

function byName(entries: readonly GitTreeEntry[]): Entries {
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** Names that differ only in case, once a new one has come to them (tree-rules.ts). */
function refuseFoldedNames(folder: string, { bytes, idBytes }: TreeObject): void {
  // For developers' keys the signed dialect has a rule of its own.
  if (folder === 'keys/dev/') return;
  const folded = new Map<string, string>();
  for (const name of namesIn(bytes, idBytes)) {
    // Of the top only what a repository is made of is looked at.
    if (folder === '' && !TREE_ROOTS.includes(name)) continue;
    const other = folded.get(name.toLowerCase());
    if (other !== undefined)
      throw refused(folder + name, `differs only in case from ${showPath(folder + other)}`);
    folded.set(name.toLowerCase(), name);
  }
}
