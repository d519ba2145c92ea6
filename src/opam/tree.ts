/**
 * The files of a repository at one moment: what an upstream offers, what verification looks at, what is
 * published. Made from git, a tar, a folder, or a tree plus changes.
 */

/**
 * What a file's bytes are known by inside one kind of tree: `git:<oid>`, `sha256:<hex>`, or `derived:<hex>` for
 * what the mirror itself makes of a file by a rule. Two files with the same id have the same bytes, so whoever has
 * parsed or verified one need not look at the other; different ids say nothing.
 */
export type FileId = `git:${string}` | `sha256:${string}` | `derived:${string}`;

export interface TreeFile {
  /** Relative, with `/`; each character is one byte (latin1). */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  readonly id: FileId;
}

export interface Tree {
  /** All files by path, in C order of the path. */
  readonly files: ReadonlyMap<string, TreeFile>;
  /**
   * The bytes of the files at `paths`, in the order asked, one after the other, so that a tree behind a
   * process can stream them. A path that is not in `files` is an error of the caller.
   */
  read(paths: Iterable<string>): AsyncIterable<readonly [path: string, bytes: Uint8Array]>;
  /** Where the tree is in memory, the bytes of a file at once: waiting for each of many small files costs more than they do. */
  readonly held?: (path: string) => Uint8Array;
  /** Frees what the tree holds (a process, a buffer). */
  close(): Promise<void>;
}

/** The bytes of one file. */
export async function readFile(tree: Tree, path: string): Promise<Uint8Array> {
  for await (const [, bytes] of tree.read([path])) return bytes;
  throw new Error(`no file ${path} in the tree`);
}

/** C order: by bytes, as `LC_ALL=C sort` does. Paths hold one byte a character, so code units compare alike. */
export function compareBytewise(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A tree held in memory, from any order of files. */
export function memoryTree(files: Iterable<TreeFile & { readonly bytes: Uint8Array }>): Tree {
  const sorted = [...files].sort((a, b) => compareBytewise(a.path, b.path));
  const byPath = new Map<string, TreeFile & { readonly bytes: Uint8Array }>();
  for (const file of sorted) byPath.set(file.path, file);
  const held = (path: string): Uint8Array => {
    const file = byPath.get(path);
    if (file === undefined) throw new Error(`no file ${path} in the tree`);
    return file.bytes;
  };
  return {
    files: byPath,
    async *read(paths) {
      for (const path of paths) yield [path, held(path)];
    },
    held,
    async close() {},
  };
}
