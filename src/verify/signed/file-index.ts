/** Which files stand in a repository, kept up to date from step to step instead of being looked for anew. */
import type { FileId, Tree } from '../../opam/tree.ts';
import { placeOf, versionPlace } from './places.ts';

/** Files of a version by path relative to its folder. */
export type VersionFiles = ReadonlyMap<string, FileId>;

const NO_FILES: VersionFiles = new Map();

export class FileIndex {
  readonly #versions = new Map<string, Map<string, FileId>>();
  /** Folders of versions by their subject's key; gathered when it is first asked for. */
  #folders: Map<string, Set<string>> | undefined;
  /** The version that a file was put in last: in a tree's order the next file is mostly of the same one. */
  #last: { readonly folder: string; readonly files: Map<string, FileId> } | undefined;
  /** All files that belong to no version. */
  readonly #others = new Map<string, FileId>();

  constructor(files: Iterable<{ readonly path: string; readonly id: FileId }>) {
    for (const { path, id } of files) this.set(path, id);
  }

  /** Puts a file in, in another one's place or not; undefined takes it away. */
  set(path: string, id: FileId | undefined): void {
    const last = this.#last;
    // What lies below a version's folder is that version's, whatever its name.
    if (id !== undefined && last !== undefined && isBelow(path, last.folder)) {
      last.files.set(path.slice(last.folder.length), id);
      return;
    }
    const place = placeOf(path);
    if (place.kind !== 'version') {
      if (id === undefined) this.#others.delete(path);
      else this.#others.set(path, id);
    } else if (id === undefined) {
      this.#removeFile(place.folder, place.file);
    } else {
      const { folder } = place;
      const files = this.#versions.get(folder) ?? this.#addVersion(folder);
      files.set(place.file, id);
      this.#last = { folder, files };
    }
  }

  #idOf(path: string): FileId | undefined {
    const place = placeOf(path);
    return place.kind === 'version'
      ? this.#versions.get(place.folder)?.get(place.file)
      : this.#others.get(path);
  }

  /** Files that belong to no version. */
  others(): Iterable<readonly [path: string, id: FileId]> {
    return this.#others;
  }

  /** The id of a file that belongs to no version. */
  other(path: string): FileId | undefined {
    return this.#others.get(path);
  }

  /** Empty when there is no such version. */
  version(folder: string): VersionFiles {
    return this.#versions.get(folder) ?? NO_FILES;
  }

  versions(): Iterable<readonly [folder: string, files: VersionFiles]> {
    return this.#versions;
  }

  /** Folders of all versions of a subject. */
  foldersOf(subject: string): ReadonlySet<string> {
    this.#folders ??= foldersBySubject(this.#versions.keys());
    return this.#folders.get(subject) ?? new Set();
  }

  /** True when these are the tree's files, all of them and no others. */
  isOf({ files }: Tree): boolean {
    if (this.#size !== files.size) return false;
    for (const { path, id } of files.values()) if (this.#idOf(path) !== id) return false;
    return true;
  }

  get #size(): number {
    let size = this.#others.size;
    for (const files of this.#versions.values()) size += files.size;
    return size;
  }

  #addVersion(folder: string): Map<string, FileId> {
    const files = new Map<string, FileId>();
    this.#versions.set(folder, files);
    if (this.#folders !== undefined) addFolder(this.#folders, folder);
    return files;
  }

  #removeFile(folder: string, file: string): void {
    const files = this.#versions.get(folder);
    if (files === undefined) return;
    files.delete(file);
    if (files.size > 0) return;
    this.#versions.delete(folder);
    this.#last = undefined;
    const subject = versionPlace(folder).subject.key;
    const folders = this.#folders?.get(subject);
    folders?.delete(folder);
    if (folders?.size === 0) this.#folders?.delete(subject);
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.length > folder.length && path.startsWith(folder);
}

function foldersBySubject(folders: Iterable<string>): Map<string, Set<string>> {
  const bySubject = new Map<string, Set<string>>();
  for (const folder of folders) addFolder(bySubject, folder);
  return bySubject;
}

function addFolder(bySubject: Map<string, Set<string>>, folder: string): void {
  const subject = versionPlace(folder).subject.key;
  const folders = bySubject.get(subject);
  if (folders === undefined) bySubject.set(subject, new Set([folder]));
  else folders.add(folder);
}
