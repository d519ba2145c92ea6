/** Which versions a snapshot serves, and what changed from one to another. */
import { SeraiError } from '../../errors.ts';
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import type { AcceptedTree, Catalogue, Snapshot } from '../../store/catalogue.ts';
import { readListing } from '../index/file-facts.ts';

type Pieces = Pick<Catalogue, 'listings'>;

/** What is served, and the accepted tree behind it. Throws `not-found` before the first publication. */
export async function published(
  repository: string,
  catalogue: Pick<Catalogue, 'currentSnapshot' | 'accepted'>,
): Promise<{ readonly snapshot: Snapshot; readonly tree: AcceptedTree }> {
  const snapshot = await catalogue.currentSnapshot(repository);
  const tree = await catalogue.accepted(repository);
  if (snapshot !== undefined && tree !== undefined) return { snapshot, tree };
  throw new SeraiError(
    'not-found',
    `repository ${repository} has never been published; serai status tells why`,
  );
}

export interface VersionChanges {
  /** `name.version`, sorted. */
  readonly dropped: readonly string[];
  readonly added: readonly string[];
}

/** What `after` serves otherwise than `before`; pieces that both have are not looked at. */
export async function versionChanges(
  before: Snapshot,
  after: Snapshot,
  catalogue: Pieces,
): Promise<VersionChanges> {
  const was = await versionsIn(without(before.pieces, after.pieces), catalogue);
  const is = await versionsIn(without(after.pieces, before.pieces), catalogue);
  return { dropped: without(was, is).sort(), added: without(is, was).sort() };
}

function without(all: Iterable<string>, others: Iterable<string>): string[] {
  const known = new Set(others);
  return [...all].filter((each) => !known.has(each));
}

async function versionsIn(keys: readonly string[], catalogue: Pieces): Promise<Set<string>> {
  const versions = new Set<string>();
  for (const listing of (await catalogue.listings(keys)).values()) {
    for (const { path } of readListing(listing)) {
      const place = packageIdOfPath(path);
      if (place?.file === 'opam') versions.add(showPackageId(place.id));
    }
  }
  return versions;
}
