/**
 * Versions that stand in another place than `packages/<name>/<name>.<version>/`. opam takes every folder below
 * `packages/` that is called `name.version` for a version (seen with 2.1.2), at any depth; neither signatures nor the
 * guard nor any policy look there, so nothing of it is served (HOSTILE 6).
 */

import { packageIdOfPath, parsePackageId } from '../../opam/package-id.ts';
import { folderOf } from '../index/version-files.ts';
import type { RuledVersion } from './derivation.ts';

export interface Placed {
  /** In the order given. */
  readonly paths: readonly string[];
  /** By folder, since a version of that name may stand in its own place as well. */
  readonly misplaced: readonly RuledVersion[];
}

export function withoutMisplaced(paths: readonly string[]): Placed {
  const folders = new Set<string>();
  const placed = paths.filter((path) => {
    const folder = misplacedFolder(path);
    if (folder !== undefined) folders.add(folder);
    return folder === undefined;
  });
  if (folders.size === 0) return { paths, misplaced: [] };
  const misplaced = [...folders].map((folder) => {
    const id = nameOf(folder);
    return { version: folder, rule: 'misplaced', reason: `${id} is looked for at ${folderOf(id)} only` };
  });
  return { paths: placed, misplaced };
}

/** The folder that a client would take for a version, with a slash at its end. */
export function misplacedFolder(path: string): string | undefined {
  if (!path.startsWith('packages/')) return undefined;
  const place = packageIdOfPath(path);
  if (place === undefined) return firstVersionFolder(path);
  // Where a version's own folder has no file `opam`, clients look further down for one.
  const end = place.file.endsWith('/opam') ? path.length - 'opam'.length : undefined;
  return end !== undefined && isVersionFolder(path.slice(0, end)) ? path.slice(0, end) : undefined;
}

function firstVersionFolder(path: string): string | undefined {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1))
    if (isVersionFolder(path.slice(0, end + 1))) return path.slice(0, end + 1);
  return undefined;
}

function isVersionFolder(folder: string): boolean {
  return parsePackageId(nameOf(folder)) !== undefined;
}

function nameOf(folder: string): string {
  return folder.slice(folder.lastIndexOf('/', folder.length - 2) + 1, -1);
}
