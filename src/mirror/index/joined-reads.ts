/** Reading files that lie in two places: what is new, and what stands. */
import type { Tree } from '../../opam/tree.ts';

/** Reads the paths among `firsts` from one place and all others from another, in the order asked, each in one stream. */
export function joinReads(
  firsts: ReadonlySet<string>,
  first: Tree['read'],
  other: Tree['read'],
): Tree['read'] {
  return async function* (wanted) {
    const paths = [...wanted];
    const ones = first(paths.filter((path) => firsts.has(path)))[Symbol.asyncIterator]();
    const others = other(paths.filter((path) => !firsts.has(path)))[Symbol.asyncIterator]();
    try {
      for (const path of paths) {
        const next = await (firsts.has(path) ? ones : others).next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await ones.return?.();
      await others.return?.();
    }
  };
}
