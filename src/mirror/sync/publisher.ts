/** From an accepted tree to a published snapshot: all of it in one transaction, or nothing. */
import type { Limits } from '../../limits.ts';
import { readRepoFile, rewriteRepoFile } from '../../opam/repo.ts';
import type { Tree, TreeFile } from '../../opam/tree.ts';
import type { AcceptedTree, EventInput, FirstSeen, Publication, Snapshot } from '../../store/catalogue.ts';
import type { BlobKeepers } from '../archives/damaged-blobs.ts';
import type { SignedSources } from '../archives/signed-archives.ts';
import type { FileFacts } from '../index/file-facts.ts';
import { repoPiece, storeIndex, withRepo } from '../index/index-file.ts';
import { type IndexPlan, type PlanCounts, type PlannedPiece, planIndex } from '../index/index-plan.ts';
import { joinReads } from '../index/joined-reads.ts';
import { snapshotId } from '../index/snapshot-id.ts';
import { loadStandingTree, StandingTree, UnreadablePiece } from '../index/standing-tree.ts';
import type { StoredPieces } from '../index/stored-pieces.ts';
import { type AcceptedState, encodeAcceptedState } from '../policy/accepted-state.ts';
import { servingEvents } from '../policy/change-events.ts';
import { derive } from '../policy/derivation.ts';
import { newlySeen, seenTimes } from '../policy/first-seen.ts';
import { outgrown, servedChange } from '../policy/served-change.ts';
import type { ServingRules } from '../policy/serving-rules.ts';
import { eventOf } from '../report/events.ts';
import { encodeSummary, type Summary, summarize } from '../report/summary.ts';
import { concernedVersions } from './derived-versions.ts';
import { type LastPublication, loadLast } from './last-publication.ts';
import { measureServed } from './measured-tree.ts';
import { refuseShrunken, withUnreadable } from './offered-versions.ts';
import { planServed, readFrom, servesVersion, sumOf } from './served-plan.ts';

export interface PublisherOptions extends BlobKeepers {
  readonly repository: string;
  readonly limits: Limits;
}

export interface PublishInput {
  /** What changes in the accepted tree; of the first tree everything. */
  readonly fresh: readonly TreeFile[];
  readonly gone: readonly string[];
  /** Reads fresh files. */
  readonly read: Tree['read'];
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
  readonly #unreadable = new Set<string>();
  #last: LastPublication | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** What was published last, by whichever process, with the accepted tree that it was derived from. */
  async last(): Promise<LastPublication> {
    this.#last = await loadLast({ ...this.#options, unreadable: this.#unreadable }, this.#last);
    return this.#last;
  }

  /** The same without pieces whose bytes are lost: what is kept of them cannot be, and all else goes on. */
  async readableLast(stored: StoredPieces): Promise<LastPublication> {
    const last = await this.last();
    const keys = [...new Set([...last.accepted.pieces, ...last.served.pieces].map(({ key }) => key))];
    const found = await stored.find(keys);
    const lost = keys.filter((key) => !found.has(key));
    if (lost.length === 0) return last;
    const { catalogue } = this.#options;
    const readable = ({ pieces }: StandingTree): StandingTree =>
      new StandingTree(
        pieces.filter(({ key }) => found.has(key)),
        catalogue,
      );
    return {
      ...last,
      accepted: readable(last.accepted),
      served: readable(last.served),
      lost: new Set([...last.lost, ...lost]),
      loose: new Map([...last.loose, ...(await this.#factsOf(lost))]),
    };
  }

  /** What is known of the files of pieces whose bytes are lost: it need not be found again. */
  async #factsOf(keys: readonly string[]): Promise<LastPublication['loose']> {
    const facts = new Map<string, FileFacts>();
    const { tree } = await loadStandingTree(keys, this.#options.catalogue);
    for (const index of tree.pieces.keys()) {
      try {
        await tree.load([index]);
        for (const file of tree.filesIn(index)) facts.set(file.path, file);
      } catch (error) {
        if (!(error instanceof UnreadablePiece)) throw error;
      }
    }
    return facts;
  }

  /** What is known of this piece cannot be read: from now on it counts as lost. False when it does already. */
  lose({ key }: UnreadablePiece): boolean {
    const isNew = !this.#unreadable.has(key);
    this.#unreadable.add(key);
    return isNew;
  }

  /** Whether all of the present snapshot can be read back; what cannot is made anew by the next `publish`. */
  async isWhole(stored: StoredPieces): Promise<boolean> {
    const { catalogue, repository } = this.#options;
    const current = await catalogue.currentSnapshot(repository);
    if (current === undefined) return true;
    const last = await this.last();
    if (last.state === undefined || last.lost.size > 0) return false;
    const keys = [...new Set([...current.pieces, ...last.accepted.pieces.map(({ key }) => key)])];
    const found = await stored.find(keys);
    return keys.every((key) => found.has(key));
  }

  /**
   * Publishes what is derived from the accepted tree of `last` with its changes, or finds that it is what is served
   * already. Throws UnreadablePiece.
   */
  async publish(input: PublishInput, last: LastPublication, stored: StoredPieces): Promise<PublishOutcome> {
    const { catalogue, repository, limits } = this.#options;
    const { rules, now } = input;
    const fresh = new Set(input.fresh.map(({ path }) => path));
    const read = joinReads(fresh, input.read, readFrom(stored, last.accepted));
    const plan = await planIndex({
      standing: last.accepted,
      fresh: input.fresh,
      gone: input.gone,
      read,
      known: input.facts === undefined ? last.loose : new Map([...last.loose, ...input.facts]),
      catalogue,
      limits,
      ready: (keys) => stored.find(keys.filter((key) => !last.lost.has(key))),
    });
    const state = withUnreadable(input.state, plan);
    if (input.minimumRemaining !== undefined) refuseShrunken(repository, state, last, input.minimumRemaining);
    const seen = newlySeen({ ...input, ...plan, state, last });
    const concerned = await concernedVersions(last, plan, state, rules, now);
    const derivation = derive({
      ...concerned,
      decide: rules.decide,
      firstSeen: rules.needsAges ? seenTimes(await catalogue.firstSeen(repository), seen) : () => undefined,
      removed: state.removed,
      keepRemoved: rules.keepRemoved,
      now,
    });
    const served = await planServed({
      last,
      plan,
      concerned: concerned.facts,
      gone: concerned.gone,
      derivation,
      read,
      catalogue,
      stored,
      limits,
    });
    const measured = await measureServed({ ...this.#options, last, served, signed: input.signed });
    const summary = summarize({
      counts: measured.counts,
      state,
      derivation,
      serves: (version) => servesVersion(served.tree, version),
      rules: rules.digest,
    });

    const repoBytes = state.repo === undefined ? undefined : Buffer.from(state.repo, 'latin1');
    const id = snapshotId(served.tree.pieces, repoBytes);
    const repoText = rewriteRepoFile(readRepoFile(repoBytes), id);
    const repo = await repoPiece(repoText, stored);
    const keys = withRepo(served.tree.pieces, repo);
    const accepted = { pieces: plan.tree.pieces.map(({ key }) => key), state: encodeAcceptedState(state) };
    const counts = served === plan ? plan.counts : sumOf(plan.counts, served.counts);
    const entering = [...served.entering, ...(served === plan ? [] : plan.entering), repo];
    const known = {
      accepted: plan.tree,
      served: served.tree,
      lost: new Set<string>(),
      loose: looseAfter(last, input, plan),
    };
    const settle = (publication: Pick<LastPublication, 'current' | 'summary' | 'state'>): void => {
      plan.tree.unload();
      served.tree.unload();
      this.#unreadable.clear();
      this.#last = { ...known, ...publication };
    };
    const { current } = last;
    if (
      current?.id === id &&
      last.lost.size === 0 &&
      !changesAnything(last, entering, summary, accepted) &&
      (input.trusted === undefined || input.trusted === (await catalogue.trusted(repository)))
    ) {
      settle({ current, summary, state });
      return { kind: 'unchanged', snapshot: current, summary, counts };
    }

    const { fresh: learned, size, sha256 } = await storeIndex(keys, entering, stored, this.#options);
    const snapshot: Snapshot = {
      id,
      publishedAt: now,
      ...(input.commit === undefined ? {} : { commit: input.commit }),
      pieces: keys,
      size,
      sha256,
      repo: repoText,
      summary: encodeSummary(summary),
    };
    const { withdrawn, restored } = await servedChange({
      repository,
      catalogue,
      before: last.summary,
      held: summary.held,
      accepted: [last.accepted, plan.tree],
      served: served.tree,
      entering: measured.entering,
    });
    const { versions, held } = summary;
    await catalogue.publish({
      repository,
      snapshot,
      pieces: learned,
      archives: measured.declared,
      withdrawn: [...withdrawn, ...outgrown(served.entering, derivation.edits, concerned.facts)],
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
    settle({ current: snapshot, summary, state });
    return { kind: 'published', snapshot, summary, counts };
  }
}

/** Facts of files that cannot be read: of this plan, and of those before that nothing has touched. */
function looseAfter(
  last: LastPublication,
  { fresh, gone }: PublishInput,
  { problems }: IndexPlan,
): LastPublication['loose'] {
  const after = new Map(last.loose);
  for (const path of [...fresh.map((file) => file.path), ...gone]) after.delete(path);
  for (const facts of problems) after.set(facts.path, facts);
  return after;
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
    return identity === '' || servesVersion(accepted, version) ? [] : [version];
  });
  return added.length === 0 ? {} : { added: { count: added.length, versions: added.slice(0, ADDED_NAMED) } };
}

/** With the same snapshot: bytes that were lost, an accepted tree that moved on, other words about it. */
function changesAnything(
  { current, state, accepted: before }: LastPublication,
  entering: readonly PlannedPiece[],
  summary: Summary,
  accepted: AcceptedTree,
): boolean {
  if (entering.some((piece) => 'deflated' in piece)) return true;
  if (encodeSummary(summary) !== current?.summary) return true;
  if (state === undefined || encodeAcceptedState(state) !== accepted.state) return true;
  return (
    before.pieces.length !== accepted.pieces.length ||
    before.pieces.some(({ key }, index) => key !== accepted.pieces[index])
  );
}
