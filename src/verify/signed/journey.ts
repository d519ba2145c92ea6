/** How trust reaches a candidate: by the first reading, or by the steps from what was trusted (points 4, 12, 14). */
import { SeraiError } from '../../errors.ts';
import type { Candidate, Violation } from '../dialect.ts';
import { type FileReader, historyReader, treeReader } from './file-reader.ts';
import { type Anchors, firstRoot, sameAnchors, type Trust } from './first-trust.ts';
import type { SignedFile, ValidFile } from './form.ts';
import { isProblem, type Problem, problem, violation } from './problem.ts';
import { type ReadingLimits, Repository, type RootJudge } from './repository.ts';
import { rollbackProblem, rootStepProblem } from './root-chain.ts';
import { ROOT_PATH, type RootFile, type RootReading } from './root-file.ts';
import { chainSteps, type TreeStep, treeStep, wholeStep } from './step.ts';
import { SNAPSHOT_PATH } from './tag-messages.ts';
import type { TrustedState } from './trusted-state.ts';
import { walk } from './walk.ts';

export interface ArrivalSettings {
  readonly trust: Trust;
  readonly anchors: Anchors | undefined;
  readonly limits: ReadingLimits;
  readonly reading: RootReading;
}

/** The candidate's repository under a root that may be trusted, or why there is none. */
export type Arrival = Repository | readonly Violation[];

type RootOf = SignedFile<RootFile> | undefined;

interface Way {
  readonly from: Candidate['tree'];
  readonly steps: AsyncIterable<TreeStep>;
  readonly reader: FileReader;
}

export class Journey {
  readonly #settings: ArrivalSettings;
  readonly #candidate: Candidate;
  /** The candidate's own `keys/root`. */
  readonly #root: RootOf;
  readonly #now: number;

  constructor(settings: ArrivalSettings, candidate: Candidate, root: RootOf, now: number) {
    this.#settings = settings;
    this.#candidate = candidate;
    this.#root = root;
    this.#now = now;
  }

  /** Point 14: on the first reading only `keys/root`, anchors and the snapshot refuse. */
  async begin(): Promise<Arrival> {
    const { tree } = this.#candidate;
    const root = firstRoot(this.#root, this.#settings.trust, this.#now);
    return isProblem(root) ? [this.#ofRoot(root)] : this.#repositoryOf(tree, root, treeReader(tree));
  }

  /** Point 12. */
  async goOn(state: TrustedState): Promise<Arrival> {
    const anchored = this.#isAnchoredAnew(state) ? this.#newlyAnchored(state.root) : undefined;
    if (anchored !== undefined && isProblem(anchored)) return [this.#ofRoot(anchored)];
    const judgeRoot: RootJudge = (trusted, next) => rootStepProblem(trusted, next, this.#now);
    const way = await this.#wayFrom(state);
    if (!('steps' in way)) return [way];
    const repository = await this.#repositoryOf(way.from, anchored ?? state.root, way.reader);
    const history = this.#candidate.git?.history;
    const violations = await walk({
      repository,
      steps: way.steps,
      judgeRoot: anchored === undefined ? judgeRoot : undefined,
      history,
      depth: this.#settings.limits.opam_depth,
    });
    if (violations.length > 0) return violations;
    // Steps that left something out would have let it pass unseen.
    if (history !== undefined && state.commit !== undefined && !repository.index.isOf(this.#candidate.tree)) {
      throw new SeraiError('internal', "the steps of the history do not lead to the candidate's tree");
    }
    return repository;
  }

  /** Point 3: a mirror that slept through the expiry of a quorum is given new anchors by its user. */
  #isAnchoredAnew(state: TrustedState): boolean {
    const { anchors } = this.#settings;
    return anchors !== undefined && !sameAnchors(state.anchors, anchors);
  }

  /** New anchors take the place of the old quorum, and of nothing else: the date moves forward only. */
  #newlyAnchored(trusted: ValidFile<RootFile>): ValidFile<RootFile> | Problem {
    const next = firstRoot(this.#root, this.#settings.trust, this.#now);
    return isProblem(next) ? next : (rollbackProblem(trusted, next) ?? next);
  }

  /** From the trusted tree to the candidate: the tree to begin with, the steps, and where to read their files. */
  async #wayFrom({ commit: from }: TrustedState): Promise<Way | Violation> {
    const { tree, git, previous } = this.#candidate;
    if (git === undefined || from === undefined) {
      if (previous === undefined) {
        throw new SeraiError(
          'internal',
          'the last accepted tree is needed to judge this candidate, and was not given',
        );
      }
      const reader = treeReader(tree, previous);
      return { from: previous, steps: treeStep(previous, tree, git?.commit), reader };
    }
    const { commit, history } = git;
    const reader = historyReader(history);
    if (from === commit) return { from: tree, steps: noSteps(), reader: treeReader(tree) };
    const trustedTree = (await history.isAncestor(from, commit)) ? await history.treeAt(from) : undefined;
    if (trustedTree === undefined) {
      const found = problem('P12', `the trusted commit ${from} is no ancestor of ${commit}`);
      return violation(found, SNAPSHOT_PATH, commit);
    }
    // Its list of files is all that is needed: their bytes are read as blobs.
    await trustedTree.close();
    const onChain = await history.isOnFirstParentChain(from, commit);
    const steps = onChain ? chainSteps(history, from, commit) : wholeStep(history, from, commit);
    return { from: trustedTree, steps, reader };
  }

  #repositoryOf(tree: Candidate['tree'], root: ValidFile<RootFile>, reader: FileReader): Promise<Repository> {
    const { limits, reading } = this.#settings;
    return Repository.of(tree, root, { reader, limits, reading });
  }

  #ofRoot(found: Problem): Violation {
    return violation(found, ROOT_PATH, this.#candidate.git?.commit);
  }
}

async function* noSteps(): AsyncIterable<TreeStep> {}
