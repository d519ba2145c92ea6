/**
 * Paths that differ only in the case of letters cannot be served side by side: on a disk that does not tell them apart
 * one lies in the other's folder, and every mirror refuses a tree that has both (tree-rules.ts). No upstream has them,
 * but versions that stay after it removed them may meet what it brings. The same goes for a file where they have a
 * folder.
 */
import { folderOf } from '../index/version-files.ts';
import type { AcceptedState } from './accepted-state.ts';
import type { RuledVersion } from './derivation.ts';

export const CASE_COLLISION = 'case-collision';

interface StayingFolder {
  readonly path: string;
  /** `name.version` of those that lie in it. */
  readonly versions: string[];
}

/** Of an offer (offer.ts). */
export interface Offered {
  readonly touched: ReadonlySet<string>;
  /** Paths by version. */
  readonly offered: ReadonlyMap<string, readonly string[]>;
  /** Files of no version. */
  readonly fresh: readonly string[];
}

/**
 * The versions that cannot stand beside what is offered, by that: told as `name.version`, or as a path that belongs to
 * no version. Empty nearly always.
 */
export type Collisions = ReadonlyMap<string, readonly string[]>;

export function caseCollisions(offer: Offered, last: AcceptedState): Collisions {
  const folders = stayingFolders(stayingVersions(offer, last));
  const collisions = new Map<string, readonly string[]>();
  if (folders.size === 0) return collisions;
  const meet = (what: string, path: string): void => {
    const met = metBy(path, folders);
    if (met.length > 0) collisions.set(what, met);
  };
  const { touched, offered, fresh } = offer;
  for (const version of touched) if (offered.has(version)) meet(version, `${folderOf(version)}opam`);
  for (const path of fresh) meet(path, path);
  return collisions;
}

/** Versions that may stand although the upstream offers them no more. */
function* stayingVersions(
  { touched, offered }: Offered,
  { removed, held }: AcceptedState,
): Generator<string> {
  for (const version of Object.keys(removed)) if (!offered.has(version)) yield version;
  for (const { version, served } of held) if (served === 'last-good' && !offered.has(version)) yield version;
  for (const version of touched) if (!offered.has(version)) yield version;
}

/** What is held stays, and keeps out what cannot stand beside it; what was removed makes way. */
export function settleCollisions(
  collisions: Collisions,
  isHeld: (coming: string) => boolean,
  stays: (version: string) => boolean,
): { readonly blocked: ReadonlyMap<string, RuledVersion>; readonly replaced: ReadonlySet<string> } {
  const blocked = new Map<string, RuledVersion>();
  const replaced = new Set<string>();
  for (const [coming, met] of collisions) {
    const held = met.find(stays);
    if (held !== undefined) {
      const reason = `it cannot be served beside ${held}, which is held, since their paths differ only in case`;
      blocked.set(coming, { version: coming, rule: CASE_COLLISION, reason });
    } else if (!isHeld(coming)) for (const version of met) replaced.add(version);
  }
  return { blocked, replaced };
}

function stayingFolders(versions: Iterable<string>): ReadonlyMap<string, StayingFolder> {
  const folders = new Map<string, StayingFolder>();
  for (const version of versions) {
    for (const path of prefixes(folderOf(version))) {
      const folder = folders.get(fold(path)) ?? { path, versions: [] };
      folder.versions.push(version);
      folders.set(fold(path), folder);
    }
  }
  return folders;
}

function metBy(path: string, folders: ReadonlyMap<string, StayingFolder>): readonly string[] {
  for (const prefix of [...prefixes(path), path]) {
    const folder = folders.get(fold(prefix));
    // Where the whole path is spelled as a folder is, it is a file in the folder's place.
    if (folder !== undefined && (folder.path !== prefix || prefix === path)) return folder.versions;
  }
  return [];
}

/** The folders that the path lies in, without slashes at their ends. */
function* prefixes(path: string): Generator<string> {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) yield path.slice(0, end);
}

/** As in tree-rules.ts: paths are ASCII. */
function fold(path: string): string {
  return path.toLowerCase();
}
