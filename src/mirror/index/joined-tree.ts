/** A tree put together from files of two others: what the upstream offers now, and what is kept from before. */
import { compareBytewise, type Tree, type TreeFile } from '../../opam/tree.ts';

/**
 * The files at `paths` (C order), those in `kept` from `before`, the others from `now`. Closing it closes
 * neither.
 */
export function joinTrees(
  paths: readonly string[],
  now: Tree,
  before: Tree | undefined,
  kept: ReadonlySet<string>,
): Tree {
  if (before === undefined || kept.size === 0) return partOf(now, paths);
  const files = new Map<string, TreeFile>();
  for (const path of paths.toSorted(compareBytewise)) {
    const file = (kept.has(path) ? before : now).files.get(path);
    if (file !== undefined) files.set(path, file);
  }
  return {
    files,
    async *read(wanted) {
      const list = [...wanted];
      const fresh = now.read(list.filter((path) => !kept.has(path)))[Symbol.asyncIterator]();
      const old = before.read(list.filter((path) => kept.has(path)))[Symbol.asyncIterator]();
      try {
        for (const path of list) {
          const next = await (kept.has(path) ? old : fresh).next();
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        await fresh.return?.();
        await old.return?.();
      }
    },
    async close() {},
  };
}

function partOf(tree: Tree, paths: readonly string[]): Tree {
  const files = new Map<string, TreeFile>();
  for (const path of paths) {
    const file = tree.files.get(path);
    if (file !== undefined) files.set(path, file);
  }
  return { files, read: (wanted) => tree.read(wanted), async close() {} };
}
