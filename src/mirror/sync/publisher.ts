/** From an accepted tree to a published snapshot: all of it in one transaction, or nothing. */
import type { Limits } from '../../limits.ts';
import { readRepoFile, rewriteRepoFile } from '../../opam/repo.ts';
import type { Tree } from '../../opam/tree.ts';
import type { AcceptedTree, EventInput, FirstSeen, Publication, Snapshot } from '../../store/catalogue.ts';
import type { BlobKeepers } from '../archives/damaged-blobs.ts';
import { declarationsOf } from '../archives/declarations.ts';
import { bindSigned, type SignedSources } from '../archives/signed-archives.ts';
import type { FileFacts } from '../index/file-facts.ts';
import { repoPiece, storeIndex, withRepo } from '../index/index-file.ts';
import { type IndexPlan, type PlanCounts, type PlannedPiece, planIndex } from '../index/index-plan.ts';
import { snapshotId } from '../index/snapshot-id.ts';
import { StoredPieces } from '../index/stored-pieces.ts';
import { folderOf } from '../index/version-files.ts';
import { type AcceptedState, encodeAcceptedState } from '../policy/accepted-state.ts';
import { servingEvents } from '../policy/change-events.ts';
import { derive } from '../policy/derivation.ts';
import { newlySeen, seenTimes } from '../policy/first-seen.ts';
import { outgrown, servedChange } from '../policy/served-change.ts';
import type { ServingRules } from '../policy/serving-rules.ts';
import { eventOf } from '../report/events.ts';
import { encodeSummary, type Summary, summarize } from '../report/summary.ts';
import { byPath, type LastPublication, loadLast } from './last-publication.ts';
import { refuseShrunken, withUnreadable } from './offered-versions.ts';
import { derivedFacts, planServed, sumOf } from './served-plan.ts';

export interface PublisherOptions extends BlobKeepers {
  readonly repository: string;
  readonly limits: Limits;
}

export interface PublishInput {
  /** The accepted tree. */
  readonly tree: Tree;
  /** Its paths in C order, without `repo`. */
  readonly paths: readonly string[];
  readonly state: AcceptedState;
  readonly rules: ServingRules;
  readonly commit?: string;
  readonly signed: SignedSources;
  readonly trusted?: string;
  readonly verdicts?: NonNullable<Publication['verdicts']>;
  /** Versions that were seen and are held out of the tree. */
  readonly seen?: readonly string[];
  /** Of an overlay: when a version was first seen in the source that it comes from. */
  readonly firstSeen?: ((version: string) => FirstSeen | undefined) | undefined;
  /** What the log tells beside the publication. */
  readonly events: readonly EventInput[];
  /** Facts of files from elsewhere, by path, so that they are not found again. */
  readonly facts?: ReadonlyMap<string, FileFacts> | undefined;
  /** Share (0 to 1) of the versions offered last that must remain; undefined when it is the same tree. */
  readonly minimumRemaining?: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface PublishOutcome {
  readonly kind: 'published' | 'unchanged';
  readonly snapshot: Snapshot;
  readonly summary: Summary;
  readonly counts: PlanCounts;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #last: LastPublication | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** What was published last, by whichever process, with the accepted tree that it was derived from. */
  async last(): Promise<LastPublication> {
    this.#last = await loadLast(this.#options, this.#last);
    return this.#last;
  }

  /** Whether all of the present snapshot can be read back; what cannot is made anew by the next `publish`. */
  async isWhole(): Promise<boolean> {
    const { catalogue, repository } = this.#options;
    const current = await catalogue.currentSnapshot(repository);
    if (current === undefined) return true;
    const accepted = await catalogue.accepted(repository);
    if (accepted === undefined) return false;
    const keys = [...new Set([...current.pieces, ...accepted.pieces])];
    const stored = await new StoredPieces(this.#options).find(keys);
    return keys.every((key) => stored.has(key));
  }

  /** Publishes what is derived from the tree, or finds that it is what is served already. */
  async publish(input: PublishInput): Promise<PublishOutcome> {
    const { catalogue, blobs, repository, limits } = this.#options;
    const { rules, now } = input;
    const last = await this.last();
    const stored = new StoredPieces(this.#options);
    const plan = await planIndex({
      tree: input.tree,
      paths: input.paths,
      known: input.facts === undefined ? last.accepted : new Map([...last.accepted, ...input.facts]),
      limits,
      ready: (keys) => stored.find(keys.filter((key) => !last.unreadable.has(key))),
    });
    const state = withUnreadable(input.state, plan);
    if (input.minimumRemaining !== undefined) refuseShrunken(repository, state, last, input.minimumRemaining);
    const facts = readableFacts(plan);
    const seen = newlySeen({ ...input, state, last, facts });
    const derivation = derive({
      facts,
      decide: rules.decide,
      rules: rules.digest,
      firstSeen: rules.needsAges ? seenTimes(await catalogue.firstSeen(repository), seen) : () => undefined,
      removed: state.removed,
      keepRemoved: rules.keepRemoved,
      now,
    });
    const served = await planServed({ accepted: input.tree, plan, facts, derivation, last, stored, limits });
    const summary = summarize(served.pieces, state, derivation, rules.digest);

    const repoBytes = state.repo === undefined ? undefined : Buffer.from(state.repo, 'latin1');
    const id = snapshotId(served.pieces, repoBytes);
    const repoText = rewriteRepoFile(readRepoFile(repoBytes), id);
    const planned = withRepo(served.pieces, await repoPiece(repoText, stored));
    const accepted = { pieces: plan.pieces.map(({ key }) => key), state: encodeAcceptedState(state) };
    const counts = served === plan ? plan.counts : sumOf(plan.counts, served.counts);
    const known = {
      accepted: byPath(plan.facts),
      derived: derivedFacts(served),
      pieces: plan.pieces.map(({ key, files }) => ({ key, files })),
    };
    const { current } = last;
    if (
      current?.id === id &&
      !changesAnything(last, [...planned, ...plan.pieces], summary, accepted) &&
      (input.trusted === undefined || input.trusted === (await catalogue.trusted(repository)))
    ) {
      this.#last = { ...last, ...known };
      return { kind: 'unchanged', snapshot: current, summary, counts };
    }

    const { pieces, fresh, size, sha256 } = await storeIndex(planned, plan.pieces, blobs, catalogue);
    const snapshot: Snapshot = {
      id,
      publishedAt: now,
      ...(input.commit === undefined ? {} : { commit: input.commit }),
      pieces: pieces.map((piece) => piece.key),
      size,
      sha256,
      repo: repoText,
      summary: encodeSummary(summary),
    };
    const before = new Set(current?.pieces ?? []);
    const bound = bindSigned(planned, input.signed);
    const { withdrawn, restored } = await servedChange({
      repository,
      catalogue,
      before: last.summary,
      held: summary.held,
      facts: [last.accepted, facts],
      served: bound,
    });
    const { versions, held } = summary;
    await catalogue.publish({
      repository,
      snapshot,
      pieces: fresh,
      archives: declarationsOf(bound, (piece) => !before.has(piece.key)),
      withdrawn: [
        ...withdrawn,
        ...outgrown(
          planned.filter(({ key }) => !before.has(key)),
          derivation.edits,
          facts,
        ),
      ],
      restored,
      accepted,
      firstSeen: seen,
      ...(input.trusted === undefined ? {} : { trusted: input.trusted }),
      ...(input.verdicts === undefined ? {} : { verdicts: input.verdicts }),
      events: [
        ...input.events,
        ...servingEvents(
          repository,
          now,
          { held: last.summary?.held ?? [], changes: last.state?.held ?? [] },
          { held, changes: state.held },
        ),
        eventOf('published', now, repository, {
          snapshot: id,
          commit: input.commit,
          versions,
          held: held.length,
          ...addedTo(last, seen),
        }),
      ],
    });
    this.#last = {
      ...known,
      unreadable: new Set(),
      current: snapshot,
      summary,
      state,
    };
    return { kind: 'published', snapshot, summary, counts };
  }
}

/** Versions that the event of a publication names; all are counted. */
const ADDED_NAMED = 50;

/** What came with this publication; the versions of the first tree are too many to be news. */
function addedTo(
  { state, accepted }: LastPublication,
  seen: readonly FirstSeen[],
): { readonly added?: { readonly count: number; readonly versions: readonly string[] } } {
  if (state === undefined) return {};
  const added = seen.flatMap(({ version, identity }) => {
    return identity === '' || accepted.has(`${folderOf(version)}opam`) ? [] : [version];
  });
  return added.length === 0 ? {} : { added: { count: added.length, versions: added.slice(0, ADDED_NAMED) } };
}

/** With the same snapshot: bytes that were lost, an accepted tree that moved on, other words about it. */
function changesAnything(
  { current, state, pieces }: LastPublication,
  planned: readonly PlannedPiece[],
  summary: Summary,
  accepted: AcceptedTree,
): boolean {
  if (planned.some((piece) => 'deflated' in piece)) return true;
  if (encodeSummary(summary) !== current?.summary) return true;
  if (state === undefined || encodeAcceptedState(state) !== accepted.state) return true;
  return pieces.map(({ key }) => key).join() !== accepted.pieces.join();
}

/** Facts of the files that the index has; of a version that cannot be read there are none. */
function readableFacts(plan: IndexPlan): ReadonlyMap<string, FileFacts> {
  return byPath(plan.pieces.flatMap(({ files }) => files));
}
