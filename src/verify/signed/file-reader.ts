/** Reading files by path and id, from git or from the two trees of a step. */
import type { FileId, Tree } from '../../opam/tree.ts';
import type { History } from '../history.ts';

export interface FileRef {
  readonly path: string;
  readonly id: FileId;
}

export interface FileReader {
  /** The files in the order asked; in git, one of more than `maxBytes` is an error. */
  read(files: readonly FileRef[], maxBytes: number): AsyncIterable<readonly [FileRef, Uint8Array]>;
  /** Where all files are in memory: a file's bytes without waiting. */
  readonly held?: (file: FileRef) => Uint8Array;
}

const GIT = 'git:';

/** Blobs of any commit of a history. */
export function historyReader(history: History): FileReader {
  return {
    async *read(files, maxBytes) {
      let index = 0;
      const oids = files.map((file) => file.id.slice(GIT.length));
      for await (const [, bytes] of history.readBlobs(oids, maxBytes)) {
        const file = files[index++];
        if (file !== undefined) yield [file, bytes];
      }
    },
  };
}

/** Files of the given trees, each from the first tree that has it under that id. */
export function treeReader(...trees: readonly [Tree, ...Tree[]]): FileReader {
  const [only, ...more] = trees;
  const treeOf = (file: FileRef | undefined): Tree => {
    // What is asked for was found in its list of files.
    if (more.length === 0) return only;
    const tree = trees.find((candidate) => has(candidate, file));
    if (tree === undefined) throw new Error(`no tree has ${file?.path}`);
    return tree;
  };
  const inMemory = trees.every((tree) => tree.held !== undefined);
  return {
    async *read(files) {
      for (let start = 0; start < files.length; ) {
        const tree = treeOf(files[start]);
        let end = start + 1;
        while (end < files.length && has(tree, files[end])) end++;
        const run = files.slice(start, end);
        let index = 0;
        for await (const [, bytes] of tree.read(run.map((file) => file.path))) {
          const file = run[index++];
          if (file !== undefined) yield [file, bytes];
        }
        start = end;
      }
    },
    ...(inMemory ? { held: (file) => heldBy(treeOf(file), file) } : {}),
  };
}

function heldBy(tree: Tree, { path }: FileRef): Uint8Array {
  if (tree.held === undefined) throw new Error(`${path} is not in memory`);
  return tree.held(path);
}

/**
 * Reads groups of files, such as those of a version, and hands each group over as soon as it is whole. Bytes
 * are by path; the order is that of the groups.
 */
export async function* readGroups<Group extends { readonly refs: readonly FileRef[] }>(
  reader: FileReader,
  groups: readonly Group[],
  maxBytes: number,
): AsyncIterable<readonly [Group, ReadonlyMap<string, Uint8Array>]> {
  const { held } = reader;
  if (held !== undefined) {
    for (const group of groups) yield [group, new Map(group.refs.map((ref) => [ref.path, held(ref)]))];
    return;
  }
  const refs = groups.flatMap((group) => group.refs);
  const reading = reader.read(refs, maxBytes)[Symbol.asyncIterator]();
  try {
    for (const group of groups) {
      const files = new Map<string, Uint8Array>();
      for (const { path } of group.refs) {
        const next = await reading.next();
        if (next.done === true) throw new Error(`the reading ended before ${path}`);
        files.set(path, next.value[1]);
      }
      yield [group, files];
    }
  } finally {
    await reading.return?.();
  }
}

function has(tree: Tree, file: FileRef | undefined): boolean {
  return file !== undefined && tree.files.get(file.path)?.id === file.id;
}
