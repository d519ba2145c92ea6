/** The packages that an offer concerns: how their versions stand, and what is offered of them. */
import { packageIdOfPath } from '../../opam/package-id.ts';
import type { Tree } from '../../opam/tree.ts';
import type { FileFacts } from '../index/file-facts.ts';
import type { StandingTree } from '../index/standing-tree.ts';
import { filesByVersion, packageNameOf } from '../index/version-files.ts';
import type { AcceptedState } from './accepted-state.ts';
import type { StepInput } from './guard-step.ts';
import type { Offer } from './offer.ts';

export interface StandingState {
  readonly tree: StandingTree;
  /** Reads files that stand. */
  readonly read: Tree['read'];
  readonly state: AcceptedState;
}

export interface ConcernedPackages extends Pick<StepInput, 'before' | 'standing' | 'offered'> {
  readonly names: ReadonlySet<string>;
}

/**
 * All versions of the packages that the offer touches, and of those that `more` are of: those that stand, with their
 * facts, and those that are offered.
 */
export async function concernedPackages(
  { touched, offered }: Offer,
  more: readonly string[],
  { tree, read, state }: StandingState,
): Promise<ConcernedPackages> {
  const names = new Set([...touched, ...more].map(packageNameOf));
  const facts = new Map<string, FileFacts>();
  // A package's files are all in one piece.
  const indexes = [...new Set(Array.from(names, (name) => tree.pieceAt(lastPathOf(name))))];
  await tree.load(indexes.filter((index) => index >= 0));
  for (const index of indexes) {
    if (index < 0) continue;
    for (const file of tree.filesIn(index)) {
      const place = packageIdOfPath(file.path);
      if (place !== undefined && names.has(place.id.name)) facts.set(file.path, file);
    }
  }
  const standing = filesByVersion(facts.keys());
  const all = new Map(offered);
  // What is not touched and was not removed is offered as it stands.
  for (const [version, files] of standing)
    if (!touched.has(version) && !all.has(version) && state.removed[version] === undefined)
      all.set(version, files);
  return { names, before: { facts, read }, standing, offered: all };
}

/** Behind every path of the package, and before those of the next one. */
function lastPathOf(name: string): string {
  return `packages/${name}/\u00ff`;
}
