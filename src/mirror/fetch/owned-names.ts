/**
 * The package names that a repository owns in the overlays made of it: those that it ever had a version of, and those
 * that are reserved for it. What it had stays its own when it is removed, held, denied, withheld or cannot be read, for
 * as long as the catalogue lasts.
 *
 * A name that is in nothing but an update which was refused as a whole is not owned: whoever can send an upstream's
 * mirror a forged tree could otherwise take every public name away for ever. Names that are to be safe before the
 * mirror has seen them are for `reserved`.
 */

import type { Config } from '../../config.ts';
import { parsePackageId } from '../../opam/package-id.ts';
import type { Catalogue, Snapshot } from '../../store/catalogue.ts';
import { digestOf } from '../digest.ts';
import { decodeSummary } from '../report/summary.ts';

export interface OwnedNames {
  /**
   * In whatever case: on a client's disk that does not tell `Foo` from `foo`, a later source's `Foo` would lie in the
   * earlier one's folder.
   */
  has(name: string): boolean;
  /** Other when it owns other names. */
  readonly digest: string;
}

export interface OwnershipSource {
  readonly config: Config;
  readonly catalogue: Pick<Catalogue, 'firstSeen'>;
}

/** `snapshot` is the repository's present one. */
export async function ownedNames(
  repository: string,
  snapshot: Snapshot,
  { config, catalogue }: OwnershipSource,
): Promise<OwnedNames> {
  const seen = new Set<string>();
  for (const { version } of await catalogue.firstSeen(repository)) addNames(version, seen);
  const { held, keptBack } = decodeSummary(snapshot.summary);
  for (const { version } of [...held, ...keptBack]) addNames(version, seen);
  const reserved = (config.repository[repository]?.reserved ?? []).map(folded);
  const beginnings = reserved.filter((text) => text.endsWith('*')).map((text) => text.slice(0, -1));
  const names = new Set([...seen, ...reserved.filter((text) => !text.endsWith('*'))]);
  return {
    has: (name) => {
      const wanted = folded(name);
      return names.has(wanted) || beginnings.some((beginning) => wanted.startsWith(beginning));
    },
    digest: digestOf([[...names].sort(), [...beginnings].sort()]),
  };
}

/** From `name.version`, or from the folder that stands in its place where there is no such version. */
function addNames(version: string, names: Set<string>): void {
  for (const part of version.split('/')) {
    const id = parsePackageId(part);
    if (id !== undefined) names.add(folded(id.name));
  }
}

/** Names are ASCII. */
function folded(name: string): string {
  return name.toLowerCase();
}
