/**
 * What the upstream offers against what stands: which versions and other files may have become other. Found by
 * comparing two whole trees, or told by whoever knows what changed between them.
 */
import type { Tree, TreeFile } from '../../opam/tree.ts';
import type { Verdict } from '../../verify/dialect.ts';
import { type FileFacts, readListing, sameBytes } from '../index/file-facts.ts';
import { sha256Of } from '../index/snapshot-id.ts';
import type { StandingTree } from '../index/standing-tree.ts';
import { filesByVersion } from '../index/version-files.ts';
import { admit } from '../trust/admission.ts';
import type { AcceptedState } from './accepted-state.ts';
import { CASE_COLLISION } from './case-collision.ts';
import type { RuledVersion } from './derivation.ts';
import { withoutMisplaced } from './misplaced.ts';

/**
 * What is known of the step from the tree that was accepted last. The candidate then has the files of these versions,
 * and these other files, and `repo`; all else is offered as it was.
 */
export interface KnownStep {
  /** `name.version` of those in whose folders something changed. */
  readonly versions: ReadonlySet<string>;
  /** Changed paths that belong to no version. */
  readonly others: ReadonlySet<string>;
  /** Those of `versions` that were offered before. */
  readonly offeredBefore: ReadonlySet<string>;
}

export interface Offer {
  /** Versions that may be other than they stand. */
  readonly touched: ReadonlySet<string>;
  /** Paths by version; of a known step the touched ones alone. */
  readonly offered: ReadonlyMap<string, readonly string[]>;
  /** Files of no version that are new or other, and those that stand and are offered no more. */
  readonly fresh: readonly string[];
  readonly gone: readonly string[];
  /** Versions in all. */
  readonly count: number;
  readonly withheld: readonly RuledVersion[];
  /** What is to be remembered of versions that are not touched. */
  readonly carried: Pick<AcceptedState, 'held' | 'unreadable'>;
  /** Whether a file that stands is the same as the candidate's at its path. */
  readonly isSame: (path: string) => boolean;
}

const NOTHING_CARRIED = { held: [], unreadable: [] };

/** Everything, where nothing was accepted yet. */
export function firstOffer(verdict: Verdict, heldElsewhere: readonly RuledVersion[]): Offer {
  const { paths, withheld } = admitted(verdict, heldElsewhere);
  const offered = filesByVersion(paths);
  const ofVersions = new Set([...offered.values()].flat());
  return {
    touched: new Set(offered.keys()),
    offered,
    fresh: paths.filter((path) => !ofVersions.has(path)),
    gone: [],
    count: offered.size,
    withheld,
    carried: NOTHING_CARRIED,
    isSame: () => false,
  };
}

/** By comparing the whole candidate with all that stands. */
export async function wholeOffer(
  candidate: Tree,
  verdict: Verdict,
  heldElsewhere: readonly RuledVersion[],
  standing: StandingTree,
  removed: Readonly<Record<string, number>>,
): Promise<Offer> {
  const { paths, withheld } = admitted(verdict, heldElsewhere);
  const offered = filesByVersion(paths);
  const before = new Map<string, string>();
  for (const { listing } of standing.pieces)
    for (const { path, sha256 } of readListing(listing)) before.set(path, sha256);
  const isSame = await comparison(candidate, standing, before);
  const versionsBefore = filesByVersion(before.keys());
  const touched = new Set<string>();
  for (const [version, files] of offered) {
    const stood = versionsBefore.get(version);
    const same =
      stood !== undefined &&
      removed[version] === undefined &&
      stood.length === files.length &&
      files.every((path) => isSame(path));
    if (!same) touched.add(version);
  }
  for (const version of versionsBefore.keys()) if (!offered.has(version)) touched.add(version);
  const ofVersions = new Set([...offered.values(), ...versionsBefore.values()].flat());
  const others = paths.filter((path) => !ofVersions.has(path));
  const isOffered = new Set(others);
  return {
    touched,
    offered,
    fresh: others.filter((path) => !isSame(path)),
    gone: [...before.keys()].filter((path) => !ofVersions.has(path) && !isOffered.has(path)),
    count: offered.size,
    withheld,
    carried: NOTHING_CARRIED,
    isSame,
  };
}

/** Of a step that is known: only what changed is looked at, and all else stays as it was judged. */
export async function stepOffer(
  step: KnownStep,
  candidate: Tree,
  verdict: Verdict,
  standing: StandingTree,
  last: AcceptedState,
): Promise<Offer> {
  const { paths } = admitted(verdict, []);
  const offered = new Map([...filesByVersion(paths)].filter(([version]) => step.versions.has(version)));
  const others = new Set(paths.filter((path) => step.others.has(path)));
  const before = new Map<string, string>();
  for (const path of [...[...offered.values()].flat(), ...step.others]) {
    const sha256 = standing.sha256At(path);
    if (sha256 !== undefined) before.set(path, sha256);
  }
  const isSame = await comparison(candidate, standing, before);
  const isUntouched = ({ version }: { readonly version: string }): boolean => !step.versions.has(version);
  return {
    touched: step.versions,
    offered,
    fresh: [...others].filter((path) => !isSame(path)),
    gone: [...step.others].filter((path) => before.has(path) && !others.has(path)),
    count: last.offered - step.offeredBefore.size + offered.size,
    withheld: last.withheld.filter(
      ({ version, rule }) =>
        rule !== CASE_COLLISION || !(step.versions.has(version) || step.others.has(version)),
    ),
    carried: { held: last.held.filter(isUntouched), unreadable: last.unreadable.filter(isUntouched) },
    isSame,
  };
}

function admitted(
  verdict: Verdict,
  heldElsewhere: readonly RuledVersion[],
): { readonly paths: readonly string[]; readonly withheld: readonly RuledVersion[] } {
  const { paths: all, held } = admit(verdict);
  const { paths, misplaced } = withoutMisplaced(all.filter((path) => path !== 'repo'));
  const byVerification = held.map(({ version, rule, reason }) => ({ version, rule, reason }));
  return { paths, withheld: [...byVerification, ...heldElsewhere, ...misplaced] };
}

/**
 * Compares by ids, and by SHA-256 where the ids are of another kind than they were: the upstream was an index and is
 * git, or so. `before` has the SHA-256 of the files that stand, by path.
 */
async function comparison(
  candidate: Tree,
  standing: StandingTree,
  before: ReadonlyMap<string, string>,
): Promise<(path: string) => boolean> {
  const others: TreeFile[] = [];
  for (const path of before.keys()) {
    const file = candidate.files.get(path);
    if (file !== undefined && !file.id.startsWith('sha256:')) others.push(file);
  }
  const facts: ReadonlyMap<string, FileFacts> =
    others.length === 0 ? new Map() : await standing.factsAt(others.map(({ path }) => path));
  const toMeasure = others.filter(({ path, id }) => kindOf(facts.get(path)?.id) !== kindOf(id));
  const measured = new Map<string, string>();
  for await (const [path, bytes] of candidate.read(toMeasure.map(({ path }) => path)))
    measured.set(path, sha256Of(bytes));
  return (path) => {
    const file = candidate.files.get(path);
    const stood = before.get(path);
    if (file === undefined || stood === undefined) return false;
    if (file.id.startsWith('sha256:')) return file.id === `sha256:${stood}`;
    const known = facts.get(path);
    return (known !== undefined && sameBytes(known, file)) || measured.get(path) === stood;
  };
}

function kindOf(id: string | undefined): string | undefined {
  return id?.slice(0, id.indexOf(':'));
}
