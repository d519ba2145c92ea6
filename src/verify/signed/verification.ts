/** One verification: the snapshot tag, `keys/root`, the steps from what is trusted, then what may be served. */
import type { Candidate, RootOfTrust, Verdict, VerdictCache, Violation } from '../dialect.ts';
import type { ClaimChecker } from './claims.ts';
import { showDate } from './dates.ts';
import { FileIndex } from './file-index.ts';
import { treeReader } from './file-reader.ts';
import type { SignedFile, ValidFile } from './form.ts';
import { type ArrivalSettings, Journey } from './journey.ts';
import { type Bootstrap, readPresent, sharedPaths } from './present-reading.ts';
import { isProblem, type Problem, problem, violation } from './problem.ts';
import { Repository } from './repository.ts';
import { ROOT_PATH, type RootFile } from './root-file.ts';
import { readSignedFiles } from './signed-files.ts';
import { isStale, readSnapshot, type Snapshot, snapshotProblem } from './snapshot.ts';
import { kindOf } from './step.ts';
import { SNAPSHOT_PATH, SNAPSHOT_TAG } from './tag-messages.ts';
import { treeSha256 } from './tree-sha256.ts';
import { printTrustedState, type TrustedState } from './trusted-state.ts';
import type { VersionPolicy } from './version-verdict.ts';

/** What a repository's configuration says, in the form that verifying needs. */
export interface Settings extends ArrivalSettings {
  readonly policy: VersionPolicy;
  /** Milliseconds. */
  readonly maxAge: number | undefined;
  readonly requireGit: boolean;
  readonly cache: VerdictCache | undefined;
  readonly checker: ClaimChecker;
}

export class Verification {
  readonly #settings: Settings;
  readonly #candidate: Candidate;
  readonly #state: TrustedState | undefined;
  readonly #now: number;
  readonly #depth: number;

  constructor(settings: Settings, candidate: Candidate, state: TrustedState | undefined, now: number) {
    this.#settings = settings;
    this.#candidate = candidate;
    this.#state = state;
    this.#now = now;
    this.#depth = settings.limits.opam_depth;
  }

  async run(): Promise<Verdict> {
    const refusals = this.#candidate.refusals ?? [];
    if (refusals.length > 0) {
      return this.#refuse(refusals.map(({ path, message }) => violation(problem('TREE', message), path)));
    }
    const snapshot = await this.#readSnapshot();
    if (snapshot !== undefined && isProblem(snapshot)) return this.#refuse([this.#ofSnapshot(snapshot)]);
    const root = await this.#readRoot();
    const journey = new Journey(this.#settings, this.#candidate, root, this.#now);
    const repository = this.#state === undefined ? await journey.begin() : await journey.goOn(this.#state);
    if (!(repository instanceof Repository)) return this.#refuse(repository, root);
    const { authorities } = repository;
    const found = await this.#snapshotProblem(snapshot, authorities.root);
    if (found !== undefined) return this.#refuse([this.#ofSnapshot(found)], authorities.rootFile);
    return this.#accept(repository, snapshot);
  }

  /** Point 10: what is not git carries no tag, and a configuration can demand git. */
  async #readSnapshot(): Promise<Snapshot | Problem | undefined> {
    const { git } = this.#candidate;
    if (git !== undefined) return readSnapshot(await git.history.tag(SNAPSHOT_TAG), git.commit, this.#depth);
    if (!this.#settings.requireGit) return undefined;
    return problem('P10', 'the upstream is not git, and the configuration demands a signed snapshot');
  }

  async #readRoot(): Promise<SignedFile<RootFile> | undefined> {
    const { tree } = this.#candidate;
    const file = tree.files.get(ROOT_PATH);
    if (file === undefined) return undefined;
    const { limits, reading } = this.#settings;
    return (await readSignedFiles(treeReader(tree), [file], limits.key_file, reading)).root;
  }

  async #snapshotProblem(snapshot: Snapshot | undefined, root: RootFile): Promise<Problem | undefined> {
    if (snapshot === undefined) return undefined;
    const { floor: date, commit } = this.#state ?? {};
    const floor = date === undefined ? undefined : { date, ...(commit === undefined ? {} : { commit }) };
    const found = snapshotProblem(snapshot, root, floor, this.#now);
    const { treeSha256: signed } = snapshot.content;
    if (found !== undefined || signed === undefined) return found;
    const measured = await treeSha256(this.#candidate.tree);
    if (measured === signed) return undefined;
    return problem('P11', `its tree-sha256 is ${signed}, and the tree's is ${measured}`);
  }

  async #accept(repository: Repository, snapshot: Snapshot | undefined): Promise<Verdict> {
    const { authorities } = repository;
    const { tree } = this.#candidate;
    const { policy, limits, cache, checker, maxAge } = this.#settings;
    const index = this.#isFromAnotherKind() ? new FileIndex(tree.files.values()) : repository.index;
    const bootstrap = await this.#bootstrap(authorities.root);
    const versions = await readPresent({
      tree,
      index,
      authorities,
      policy,
      limits,
      bootstrap,
      cache,
      checker,
    });
    return {
      versions,
      shared: sharedPaths(index),
      violations: [],
      root: rootOfTrust(authorities.rootFile.content),
      warnings: this.#warnings(),
      trusted: printTrustedState(this.#nextState(authorities.rootFile, snapshot)),
      ...(snapshot === undefined
        ? {}
        : {
            stale: isStale(snapshot, maxAge, this.#now),
            snapshot: { commit: snapshot.content.commit, date: snapshot.content.date },
          }),
    };
  }

  /** A step between two trees of different kinds leaves ids of the old one where the bytes are the same. */
  #isFromAnotherKind(): boolean {
    const { tree, previous } = this.#candidate;
    const stepped = this.#state !== undefined && previous !== undefined;
    return stepped && kindOfTree(previous) !== kindOfTree(tree);
  }

  /** Point 6. */
  async #bootstrap({ bootstrapKeys, bootstrapCommit }: RootFile): Promise<Bootstrap> {
    const { git } = this.#candidate;
    if (git === undefined) return 'anywhere';
    if (bootstrapKeys.length === 0 || bootstrapCommit === undefined) return undefined;
    const tree = await git.history.treeAt(bootstrapCommit);
    await tree?.close();
    return tree;
  }

  #nextState(root: ValidFile<RootFile>, snapshot: Snapshot | undefined): TrustedState {
    const anchors = this.#settings.anchors ?? this.#state?.anchors;
    const floor = Math.max(
      this.#state?.floor ?? Number.NEGATIVE_INFINITY,
      snapshot?.content.date ?? Number.NEGATIVE_INFINITY,
    );
    return {
      root,
      ...(anchors === undefined ? {} : { anchors }),
      ...(snapshot === undefined ? {} : { commit: snapshot.content.commit }),
      ...(Number.isFinite(floor) ? { floor } : {}),
    };
  }

  /** Point 4: said loudly. */
  #warnings(): readonly string[] {
    if (this.#settings.trust.kind !== 'none') return [];
    return ['no trust anchors are given: nothing proves that the root keys are those of the repository'];
  }

  #refuse(violations: readonly Violation[], root?: SignedFile<RootFile>): Verdict {
    const known = this.#state?.root ?? (root?.valid === true ? root : undefined);
    return {
      versions: new Map(),
      shared: [],
      violations,
      warnings: this.#warnings(),
      ...(known === undefined ? {} : { root: rootOfTrust(known.content) }),
    };
  }

  #ofSnapshot(found: Problem): Violation {
    return violation(found, SNAPSHOT_PATH, this.#candidate.git?.commit);
  }
}

function rootOfTrust({ date, rootKeys, rootQuorum }: RootFile): RootOfTrust {
  const fingerprints = [...new Set(rootKeys.map((key) => key.key.fingerprint))];
  return { date: showDate(date), fingerprints, quorum: rootQuorum };
}

/** All files of a tree have ids of one kind. */
function kindOfTree({ files }: Candidate['tree']): string | undefined {
  for (const { id } of files.values()) return kindOf(id);
  return undefined;
}
