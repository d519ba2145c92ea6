/**
 * The rules that every tree from outside obeys, whether it comes as git, a tar or a folder (HOSTILE 15, 16,
 * and the limits below them). Pure: paths and sizes go in, a TreeError comes out: `tree-refused` for the
 * form, `limit-exceeded` for a bound. Each names the path.
 */
import { type ErrorCode, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';

export type PathLimits = Pick<Limits, 'path_bytes' | 'path_depth'>;
export type FileLimits = Pick<Limits, 'opam_file' | 'key_file' | 'other_file'>;
export type TreeLimits = PathLimits & FileLimits & Pick<Limits, 'tree_entries' | 'tree_content'>;

/** What may not stand in a tree. */
export class TreeError extends SeraiError {
  /** Of the entry, as it came: each character is one byte (latin1). */
  readonly path: string;

  constructor(code: ErrorCode, path: string, message: string) {
    super(code, message);
    this.path = path;
  }
}

/** Top-level names that are regular files; nothing lies below them. */
const ROOT_FILES: ReadonlySet<string> = new Set(['repo', 'version']);
/** Top-level names that are folders; everything below them belongs to the tree. */
const ROOT_FOLDERS: ReadonlySet<string> = new Set(['packages', 'compilers', 'keys', 'seal']);

const ALLOWED = /^[A-Za-z0-9._+~/@-]+$/;
const ABSOLUTE_OR_DOTS = /^\/|(?:^|\/)\.\.?(?:\/|$)/;
const EMPTY_COMPONENT = /^$|\/(?:\/|$)/;
const DEVELOPER_KEY = /^keys\/dev\/[^/]+$/;
const SHOWN_CHARACTERS = 120;

/**
 * True for what an opam repository is made of: `repo`, `version`, the folders `packages`, `compilers`,
 * `keys` and `seal`, and all below those. Anything else (`.github`, `README.md`) is neither read nor served.
 */
export function isTreePath(path: string): boolean {
  const slash = path.indexOf('/');
  if (slash < 0) return ROOT_FILES.has(path) || ROOT_FOLDERS.has(path);
  return ROOT_FOLDERS.has(path.slice(0, slash));
}

/**
 * Refuses a path that is absolute, has an empty, `.` or `..` component, has a character outside
 * `[A-Za-z0-9._+~/@-]`, or is longer or deeper than the limits. One character is one byte (latin1).
 */
export function checkPath(path: string, limits: PathLimits): void {
  if (isPlain(path, limits)) return;
  checkForm(path);
  if (!ALLOWED.test(path)) throw refused(path, 'has a character outside [A-Za-z0-9._+~/@-]');
  if (path.length > limits.path_bytes) throw exceeded(path, 'path_bytes', limits.path_bytes, path.length);
  const depth = depthOf(path);
  if (depth > limits.path_depth) throw exceeded(path, 'path_depth', limits.path_depth, depth);
}

/**
 * Whether an entry is to be read (true, its path has passed `checkPath`) or skipped as outside the tree
 * (false). A path that is absolute or has an empty, `.` or `..` component is refused in either case.
 */
export function belongsToTree(path: string, limits: PathLimits): boolean {
  if (isPlain(path, limits)) return isTreePath(path);
  checkForm(path);
  if (!isTreePath(path)) return false;
  checkPath(path, limits);
  return true;
}

/** The name of the limit that bounds this file's size; also the key that raises it in `[limits]`. */
export function fileLimitName(path: string): keyof FileLimits {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (path.startsWith('keys/')) return 'key_file';
  if (name === 'opam') return 'opam_file';
  if (name === 'signature' || name === 'delegation') return 'key_file';
  if (name.endsWith('.delegate') || name.endsWith('.signature')) return 'key_file';
  return 'other_file';
}

/** The bytes that the file at `path` may have at most. */
export function fileLimit(path: string, limits: FileLimits): number {
  return limits[fileLimitName(path)];
}

/** The error for an entry of the tree that is neither a regular file nor a folder, such as `a symlink`. */
export function refusedKind(path: string, kind: string): TreeError {
  return refused(path, `is ${kind}; only regular files and folders may be in a repository`);
}

/** A path from outside as it may stand in a message: quoted, unprintable bytes escaped, shortened. */
export function showPath(path: string): string {
  const short = path.length > SHOWN_CHARACTERS ? `${path.slice(0, SHOWN_CHARACTERS)}…` : path;
  return JSON.stringify(short).replace(
    /[\u007f-\u00ff]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16)}`,
  );
}

/** What stands at a path: an entry of its own, or a folder that is known only from what lies in it. */
interface Seen {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'implied folder';
}

/**
 * Counts one tree's entries and content bytes against the limits, and refuses names that a file system
 * could not keep apart: duplicates, names differing only in the case of ASCII letters (but of developer
 * keys, for which the signed dialect has a rule of its own), a file that is a folder elsewhere. Every method but `skip` takes paths of the tree, and checks them by `checkPath`.
 */
export class TreeBudget {
  readonly #limits: TreeLimits;
  readonly #seen = new Map<string, Seen>();
  #entries = 0;
  #content = 0;

  constructor(limits: TreeLimits) {
    this.#limits = limits;
  }

  /** Entries so far, those that were skipped included. */
  get entries(): number {
    return this.#entries;
  }

  /** Bytes of the files so far, those that were skipped included. */
  get content(): number {
    return this.#content;
  }

  /** An entry outside the tree: it counts, with the bytes that it makes us read past, but is not looked at. */
  skip(path: string, size = 0): void {
    this.#count(path);
    this.#weigh(path, size);
  }

  /** A folder that has an entry of its own; `path` without a trailing slash. */
  addFolder(path: string): void {
    checkPath(path, this.#limits);
    if (ROOT_FILES.has(path)) throw refused(path, 'is a folder, and must be a regular file');
    this.#count(path);
    this.#place(path, 'folder');
  }

  /** A regular file of `size` bytes. */
  addFile(path: string, size: number): void {
    this.addName(path);
    this.addContent(path, size);
  }

  /** A regular file whose size is not known yet: `addContent` has to follow. */
  addName(path: string): void {
    checkPath(path, this.#limits);
    if (ROOT_FOLDERS.has(path)) throw refused(path, 'is a file, and must be a folder');
    this.#count(path);
    this.#place(path, 'file');
  }

  /** The size of a file that was named by `addName`, in bytes. */
  addContent(path: string, size: number): void {
    const name = fileLimitName(path);
    if (size > this.#limits[name]) throw exceeded(path, name, this.#limits[name], size);
    this.#weigh(path, size);
  }

  #count(path: string): void {
    this.#entries++;
    if (this.#entries > this.#limits.tree_entries) {
      throw exceeded(path, 'tree_entries', this.#limits.tree_entries, this.#entries);
    }
  }

  #weigh(path: string, size: number): void {
    this.#content += size;
    if (this.#content > this.#limits.tree_content) {
      throw exceeded(path, 'tree_content', this.#limits.tree_content, this.#content);
    }
  }

  #place(path: string, kind: 'file' | 'folder'): void {
    const folded = DEVELOPER_KEY.test(path) ? path : path.toLowerCase();
    const before = this.#seen.get(folded);
    if (before !== undefined) {
      if (before.path !== path) throw refused(path, `differs only in case from ${showPath(before.path)}`);
      if (before.kind === kind) throw refused(path, 'is there twice');
      if (before.kind === 'file' || kind === 'file') throw refused(path, 'is both a file and a folder');
    }
    this.#seen.set(folded, { path, kind });
    this.#placeParents(path, folded);
  }

  /** A parent that is known already has its own parents known, so the walk up ends at the first such. */
  #placeParents(path: string, folded: string): void {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      const before = this.#seen.get(folded.slice(0, end));
      if (before === undefined) {
        this.#seen.set(folded.slice(0, end), { path: parent, kind: 'implied folder' });
        continue;
      }
      if (before.path !== parent)
        throw refused(
          path,
          `lies in ${showPath(parent)}, which differs only in case from ${showPath(before.path)}`,
        );
      if (before.kind === 'file') throw refused(path, `lies in ${showPath(parent)}, which is a file`);
      return;
    }
  }
}

function checkForm(path: string): void {
  if (ABSOLUTE_OR_DOTS.test(path)) throw refused(path, 'is absolute, or has a "." or ".." component');
  if (EMPTY_COMPONENT.test(path)) throw refused(path, 'is empty, or has an empty component');
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** 1 for each byte that may stand in a path. */
const ALLOWED_BYTES = Uint8Array.from({ length: 256 }, (_, code) =>
  ALLOWED.test(String.fromCharCode(code)) ? 1 : 0,
);

/**
 * True when `checkPath` finds nothing, seen in one walk over the path: trees have tens of thousands, and each is
 * checked more than once. What it doubts, `checkPath` judges and names: components that begin with a dot too.
 */
function isPlain(path: string, { path_bytes, path_depth }: PathLimits): boolean {
  if (path.length > path_bytes) return false;
  let before = SLASH;
  let depth = 1;
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (ALLOWED_BYTES[code] !== 1) return false;
    if (before === SLASH && (code === SLASH || code === DOT)) return false;
    if (code === SLASH) depth += 1;
    before = code;
  }
  return before !== SLASH && depth <= path_depth;
}

function depthOf(path: string): number {
  let depth = 1;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth++;
  return depth;
}

/** The error for an entry of the tree; `why` follows its path. */
export function refused(path: string, why: string): TreeError {
  const message = `the path ${showPath(path)} ${why}; the upstream's tree is refused`;
  return new TreeError('tree-refused', path, message);
}

/** The error for a bound that the entry, or the tree with it, goes beyond. */
export function exceeded(path: string, name: keyof TreeLimits, limit: number, found: number): TreeError {
  return new TreeError(
    'limit-exceeded',
    path,
    `at the path ${showPath(path)} the tree exceeds ${name} = ${limit} (${found}); if the upstream is right, raise limits.${name} in serai.toml`,
  );
}
