/** The files of a tree by version. */
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';

/** Paths by `name.version`; those that belong to no version are left out. */
export function filesByVersion(paths: Iterable<string>): Map<string, string[]> {
  const versions = new Map<string, string[]>();
  let last: { readonly folder: string; readonly paths: string[] } | undefined;
  for (const path of paths) {
    // The files of a version mostly follow one another.
    if (last !== undefined && path.startsWith(last.folder)) {
      last.paths.push(path);
      continue;
    }
    const place = packageIdOfPath(path);
    if (place === undefined) continue;
    const version = showPackageId(place.id);
    const known = versions.get(version) ?? [];
    known.push(path);
    versions.set(version, known);
    last = { folder: path.slice(0, path.length - place.file.length), paths: known };
  }
  return versions;
}

/** The package that `name.version` is a version of. */
export function packageNameOf(version: string): string {
  return version.slice(0, version.indexOf('.'));
}

/** Where the files of `name.version` stand, with a slash at its end. */
export function folderOf(version: string): string {
  return `packages/${packageNameOf(version)}/${version}/`;
}
