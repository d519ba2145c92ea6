/** Where the files of a tree are put that is read from a stream, until somebody wants their bytes. */
import { memoryTree, type Tree, type TreeFile } from '../opam/tree.ts';
import { Slabs } from './slabs.ts';

export interface HeldFiles {
  /** Memory for the bytes of the next file; it stays what it is until that file is kept. */
  take(size: number): Uint8Array;
  /** `bytes` were taken for it. */
  keep(file: TreeFile, bytes: Uint8Array): void;
  /** Of all that was kept; nothing more is kept then. Closing it frees what is held. */
  tree(): Tree;
  /** Frees what is held, where no tree comes of it. */
  drop(): void;
}

/** In memory. */
export class FilesInMemory implements HeldFiles {
  readonly #files: (TreeFile & { readonly bytes: Uint8Array })[] = [];
  readonly #memory = new Slabs();

  take(size: number): Uint8Array {
    return this.#memory.take(size);
  }

  keep(file: TreeFile, bytes: Uint8Array): void {
    this.#files.push({ ...file, bytes });
  }

  tree(): Tree {
    return memoryTree(this.#files);
  }

  drop(): void {}
}
