/** What stands where in a tree: the paths of signed files and of versions, in both layouts (point 13). */
import { packageIdOfPath, parsePackageName } from '../../opam/package-id.ts';
import { DEVELOPER_KEYS } from './developer-key-file.ts';
import { ROOT_PATH } from './root-file.ts';

export type Layout = 'packages' | 'compilers';

/** What a delegation is about: a package's name, or a compiler's patch. */
export interface Subject {
  readonly layout: Layout;
  readonly name: string;
  /** Unique over both layouts. */
  readonly key: string;
  /** Where its delegation stands. */
  readonly delegation: string;
}

export interface VersionPlace {
  readonly subject: Subject;
  readonly version: string;
  /** As verdicts name it. */
  readonly label: string;
  /** With a slash at its end; files of a version are named relative to it. */
  readonly folder: string;
  /** The file that `package-files` or `compiler-files` must name. */
  readonly main: string;
  readonly signature: string;
}

export type Place =
  | { readonly kind: 'root' }
  | { readonly kind: 'developer-key' }
  | { readonly kind: 'delegation'; readonly subject: Subject }
  | { readonly kind: 'version'; readonly folder: string; readonly file: string }
  | { readonly kind: 'other' };

const COMPILER_PART = /^[A-Za-z0-9][A-Za-z0-9_+.~-]*$/;
const DELEGATE_SUFFIX = '.delegate';
const OTHER: Place = { kind: 'other' };

export function placeOf(path: string): Place {
  if (path.startsWith('packages/')) return packagePlace(path);
  if (path.startsWith('compilers/')) return compilerPlace(path);
  if (path === ROOT_PATH) return { kind: 'root' };
  if (path.startsWith(DEVELOPER_KEYS) && !path.includes('/', DEVELOPER_KEYS.length))
    return { kind: 'developer-key' };
  return OTHER;
}

/** The version whose folder this is, as `placeOf` found it. */
export function versionPlace(folder: string): VersionPlace {
  const base = folder.slice(folder.lastIndexOf('/', folder.length - 2) + 1, -1);
  if (folder.startsWith('packages/')) {
    const dot = base.indexOf('.');
    const subject = subjectOf('packages', base.slice(0, dot));
    return {
      subject,
      version: base.slice(dot + 1),
      label: base,
      folder,
      main: 'opam',
      signature: 'signature',
    };
  }
  const version = folder.slice('compilers/'.length, folder.length - base.length - 2);
  return {
    subject: subjectOf('compilers', base.slice(version.length + 1)),
    version,
    label: folder.slice(0, -1),
    folder,
    main: `${base}.comp`,
    signature: `${base}.signature`,
  };
}

export function subjectOf(layout: Layout, name: string): Subject {
  const delegation =
    layout === 'packages' ? `packages/${name}/delegation` : `compilers/${name}${DELEGATE_SUFFIX}`;
  return { layout, name, key: `${layout}/${name}`, delegation };
}

function packagePlace(path: string): Place {
  const place = packageIdOfPath(path);
  if (place !== undefined) {
    return { kind: 'version', folder: path.slice(0, path.length - place.file.length), file: place.file };
  }
  const [, name = '', file, ...more] = path.split('/');
  if (file !== 'delegation' || more.length > 0 || parsePackageName(name) === undefined) return OTHER;
  return { kind: 'delegation', subject: subjectOf('packages', name) };
}

/** `compilers/<p>.delegate`, or a file below `compilers/<v>/<v>+<p>/`. */
function compilerPlace(path: string): Place {
  const [, first = '', second] = path.split('/', 3);
  if (second === undefined) {
    const patch = first.slice(0, -DELEGATE_SUFFIX.length);
    if (!first.endsWith(DELEGATE_SUFFIX) || !COMPILER_PART.test(patch)) return OTHER;
    return { kind: 'delegation', subject: subjectOf('compilers', patch) };
  }
  const folder = `compilers/${first}/${second}/`;
  const patch = second.slice(first.length + 1);
  const formed = COMPILER_PART.test(first) && second.startsWith(`${first}+`) && COMPILER_PART.test(patch);
  if (!formed || !path.startsWith(folder)) return OTHER;
  return { kind: 'version', folder, file: path.slice(folder.length) };
}
