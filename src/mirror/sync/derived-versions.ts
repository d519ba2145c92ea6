/** Which versions have to be decided about, and what is known of their files: all, or those that changed. */
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import type { FileFacts } from '../index/file-facts.ts';
import type { IndexPlan } from '../index/index-plan.ts';
import type { StandingTree } from '../index/standing-tree.ts';
import { filesByVersion, folderOf } from '../index/version-files.ts';
import type { AcceptedState } from '../policy/accepted-state.ts';
import type { Derivation } from '../policy/derivation.ts';
import type { ServingRules } from '../policy/serving-rules.ts';
import type { Summary } from '../report/summary.ts';
import type { LastPublication } from './last-publication.ts';

export interface ConcernedVersions {
  /** Paths of accepted files, by version. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
  /** Of those files, and of files of no version that changed, by path. */
  readonly facts: ReadonlyMap<string, FileFacts>;
  /** Paths that were accepted and are no more. */
  readonly gone: readonly string[];
  /** What holds of all other versions. */
  readonly before: Pick<Derivation, 'held' | 'warnings' | 'changesAt'>;
}

const NOTHING: ConcernedVersions['before'] = { held: [], warnings: [] };

/** Throws UnreadablePiece. */
export async function concernedVersions(
  last: LastPublication,
  plan: IndexPlan,
  state: AcceptedState,
  rules: ServingRules,
  now: number,
): Promise<ConcernedVersions> {
  const { tree } = plan;
  const changed = changedPaths(plan);
  const { summary } = last;
  if (summary === undefined || !isUnder(summary, rules, now) || last.lost.size > 0) {
    await tree.loadAll();
    const facts = new Map<string, FileFacts>();
    for (const index of tree.pieces.keys())
      for (const file of tree.filesIn(index)) facts.set(file.path, file);
    return { versions: filesByVersion(facts.keys()), facts, gone: changed.gone, before: NOTHING };
  }
  const versions = new Set(changed.versions);
  const removedBefore = last.state?.removed ?? {};
  for (const version of Object.keys({ ...removedBefore, ...state.removed }))
    if (removedBefore[version] !== state.removed[version]) versions.add(version);
  const facts = new Map<string, FileFacts>(changed.others.map((file) => [file.path, file]));
  for (const file of await filesOfVersions(tree, versions)) facts.set(file.path, file);
  const isOther = ({ version }: { readonly version: string }): boolean => !versions.has(version);
  const { held, heldByPolicy = 0, warned, changesAt } = summary;
  return {
    versions: filesByVersion(facts.keys()),
    facts,
    gone: changed.gone,
    before: {
      held: held.slice(held.length - heldByPolicy).filter(isOther),
      warnings: warned.filter(isOther),
      ...(changesAt === undefined ? {} : { changesAt }),
    },
  };
}

/** Whether what was decided then is decided alike now. */
export function isUnder(summary: Summary, { digest }: Pick<ServingRules, 'digest'>, now: number): boolean {
  if (summary.heldByPolicy === undefined || summary.rules !== digest) return false;
  return summary.changesAt === undefined || now < summary.changesAt;
}

interface ChangedPaths {
  readonly versions: ReadonlySet<string>;
  /** Changed files that belong to no version. */
  readonly others: readonly FileFacts[];
  readonly gone: readonly string[];
}

function changedPaths({ entering, leaving }: IndexPlan): ChangedPaths {
  const stood = new Map<string, string>();
  for (const { files } of leaving) for (const { path, sha256 } of files) stood.set(path, sha256);
  const versions = new Set<string>();
  const others: FileFacts[] = [];
  for (const { files } of entering)
    for (const file of files) {
      const isSame = stood.get(file.path) === file.sha256;
      stood.delete(file.path);
      if (isSame) continue;
      const version = versionAt(file.path);
      if (version === undefined) others.push(file);
      else versions.add(version);
    }
  for (const path of stood.keys()) {
    const version = versionAt(path);
    if (version !== undefined) versions.add(version);
  }
  return { versions, others, gone: [...stood.keys()] };
}

function versionAt(path: string): string | undefined {
  const place = packageIdOfPath(path);
  return place === undefined ? undefined : showPackageId(place.id);
}

/** What is known of all files of these versions, in the order of the tree. */
export async function filesOfVersions(
  tree: StandingTree,
  versions: ReadonlySet<string>,
): Promise<readonly FileFacts[]> {
  // A version's files are all in one piece, and none sorts behind this.
  const indexes = [...new Set(Array.from(versions, (version) => tree.pieceAt(`${folderOf(version)}\u00ff`)))]
    .filter((index) => index >= 0)
    .sort((a, b) => a - b);
  await tree.load(indexes);
  return indexes.flatMap((index) =>
    tree.filesIn(index).filter(({ path }) => {
      const version = versionAt(path);
      return version !== undefined && versions.has(version);
    }),
  );
}
