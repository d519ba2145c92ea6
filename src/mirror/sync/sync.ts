/**
 * One repository's way through: fetch, verify, accept, publish. A step that fails leaves everything to its right as
 * it was, and is remembered for people.
 */
import type { Clock } from '../../clock.ts';
import type { Config, RepositoryConfig } from '../../config.ts';
import { asSeraiError, SeraiError } from '../../errors.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue, SyncState } from '../../store/catalogue.ts';
import type { Fetcher } from '../../upstream/fetcher.ts';
import type { TreeSize } from '../../upstream/git-step.ts';
import type { Dialect } from '../../verify/dialect.ts';
import { findCaches } from '../archives/archive-caches.ts';
import { type SignedSources, signedSourcesOf } from '../archives/signed-archives.ts';
import { refreshAdvisories } from '../fetch/advisories.ts';
import type { ChangedCandidate, FetchedCandidate } from '../fetch/candidate.ts';
import { fetchCandidate, requestFor } from '../fetch/fetch-candidate.ts';
import { overlayCandidate } from '../fetch/overlay.ts';
import { upstreamWords } from '../fetch/upstream-words.ts';
import { UnreadablePiece } from '../index/standing-tree.ts';
import { StoredPieces } from '../index/stored-pieces.ts';
import { acceptTree } from '../policy/acceptance.ts';
import { Rederivation } from '../policy/rederivation.ts';
import { pinnedBy, servingRules } from '../policy/serving-rules.ts';
import { Strengthening } from '../policy/strengthening.ts';
import { eventOf } from '../report/events.ts';
import { createJudge, type Judge, judgeBy } from '../trust/judge.ts';
import { archivesToPin } from './archives-to-pin.ts';
import { findLastCandidate, type LastCandidateOptions, textOfCandidate } from './last-candidate.ts';
import { lockFetching, lockPublishing } from './locks.ts';
import { Publisher, type PublishOutcome } from './publisher.ts';
import { isRefusal, refusal } from './refusals.ts';
import { readFrom } from './served-plan.ts';

export type SyncStage = 'fetching' | 'verifying' | 'publishing' | 'strengthening';

export interface SyncOptions {
  readonly config: Config;
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  /** In place of the one that the configuration names. */
  readonly dialect?: Dialect;
}

export type SyncReport =
  /** The upstream said that nothing changed. */
  { readonly kind: 'not-modified' } | PublishOutcome;

interface Accepted {
  readonly outcome: PublishOutcome;
  /** Of the candidate that was taken. */
  readonly validator: string | undefined;
  readonly size: TreeSize | undefined;
  /** Digest of the releases that it was judged with. */
  readonly releases: string;
}

export class RepositorySync {
  readonly #options: SyncOptions;
  readonly #settings: RepositoryConfig;
  readonly #judge: Judge;
  readonly #publisher: Publisher;
  readonly #last: LastCandidateOptions;
  readonly #rederivation: Rederivation;
  readonly #strengthening: Strengthening;

  constructor(options: SyncOptions) {
    this.#options = options;
    const { config, repository, catalogue } = options;
    const settings = config.repository[repository];
    if (settings === undefined)
      throw new SeraiError('usage', `there is no repository ${repository} in the configuration`);
    this.#settings = settings;
    this.#judge =
      options.dialect === undefined ? createJudge({ ...options, settings }) : judgeBy(options.dialect);
    this.#publisher = new Publisher({ ...options, limits: config.limits });
    this.#last = { ...options, settings, publisher: this.#publisher };
    this.#rederivation = new Rederivation({ ...options, publisher: this.#publisher });
    this.#strengthening = new Strengthening({
      ...options,
      limits: config.limits,
      caches: findCaches(config, catalogue),
    });
  }

  /** One sync; what went wrong is in the catalogue when this throws. */
  async run(progress: (stage: SyncStage) => void, signal?: AbortSignal): Promise<SyncReport> {
    const { catalogue, clock, repository } = this.#options;
    const unlock = await lockFetching(this.#options, signal);
    try {
      const before = await catalogue.syncState(repository);
      const attemptedAt = clock.now();
      try {
        const { report, validator } = await this.#attempt(before, progress, signal);
        await catalogue.saveSyncState(repository, {
          attemptedAt,
          succeededAt: clock.now(),
          ...(validator === undefined ? {} : { validator }),
        });
        return (await this.#strengthen(progress, signal)) ?? report;
      } catch (error) {
        const failure = asSeraiError(error, 'internal', `syncing ${repository}`);
        await this.#remember(failure, before, attemptedAt);
        throw failure;
      }
    } finally {
      unlock();
    }
  }

  /**
   * Makes what is served follow a decision at once, without any upstream. An overlay follows its sources, which are
   * to be rederived before it. Undefined when nothing was ever accepted, or nothing could have become other.
   */
  async rederive(signal?: AbortSignal): Promise<PublishOutcome | undefined> {
    const { catalogue, repository } = this.#options;
    const derived = await this.#rederivation.run(signal);
    const { sources } = this.#settings;
    if (sources === undefined || (await catalogue.accepted(repository)) === undefined) return derived;
    const candidate = await overlayCandidate(sources, undefined, this.#options);
    if (candidate.kind === 'unchanged') return derived;
    return (await this.#accept(candidate, new StoredPieces(this.#options), () => undefined, signal)).outcome;
  }

  /** Being told to stop is no failure of the upstream's. */
  async #remember({ code, message }: SeraiError, before: SyncState | undefined, at: number): Promise<void> {
    if (code === 'aborted') return;
    const { catalogue, repository } = this.#options;
    try {
      await catalogue.saveSyncState(repository, { ...before, attemptedAt: at, failure: { code, message } });
      // Said once, not with every try.
      if (isRefusal(code) && before?.failure?.message !== message)
        await catalogue.appendEvent(eventOf('refused', at, repository, { code, message }));
    } catch {
      // A store that cannot be written to is what failed, or comes second to it: the first error matters more.
    }
  }

  async #attempt(
    before: SyncState | undefined,
    progress: (stage: SyncStage) => void,
    signal: AbortSignal | undefined,
  ): Promise<{ report: SyncReport; validator: string | undefined }> {
    const { config } = this.#options;
    throwIfAborted(signal);
    progress('fetching');
    // What the operator wants, and time, do not wait for an upstream; what is wrong with the store shows below.
    const rederived = await this.#rederivation.run(signal).catch(() => undefined);
    await refreshAdvisories({ ...this.#options, limits: config.limits, signal });
    const stored = new StoredPieces(this.#options);
    const candidate = await this.#fetch(before, stored, signal);
    if (candidate.kind === 'unchanged') {
      const derived = await this.#rederivation.run(signal);
      return { report: derived ?? rederived ?? { kind: 'not-modified' }, validator: before?.validator };
    }
    try {
      throwIfAborted(signal);
      const { outcome, releases, ...accepted } = await this.#accept(candidate, stored, progress, signal);
      const validator = await textOfCandidate(accepted, releases, this.#last);
      return { report: outcome, validator };
    } catch (error) {
      // What is lost is made anew from the whole of what the upstream has.
      if (!(error instanceof UnreadablePiece) || !this.#publisher.lose(error)) throw error;
    } finally {
      await candidate.tree.close();
    }
    return this.#attempt(before, progress, signal);
  }

  async #fetch(
    before: SyncState | undefined,
    stored: StoredPieces,
    signal: AbortSignal | undefined,
  ): Promise<FetchedCandidate> {
    const { sources } = this.#settings;
    const last = findLastCandidate(before?.validator, stored, this.#last);
    // It may fail before it is waited for.
    last.catch(() => undefined);
    try {
      if (sources !== undefined)
        return await overlayCandidate(sources, (await last)?.validator, this.#options);
      return await fetchCandidate({ ...(await requestFor(this.#options)), last, signal });
    } finally {
      // It may mend the store, which is nobody's business any more once the fetch has ended.
      await last.catch(() => undefined);
    }
  }

  async #accept(
    offered: ChangedCandidate,
    stored: StoredPieces,
    progress: (stage: SyncStage) => void,
    signal: AbortSignal | undefined,
  ): Promise<Accepted> {
    const { config, catalogue, clock, repository } = this.#options;
    const { minimum_remaining: minimumRemaining, sources } = this.#settings;
    const now = clock.now();
    progress('verifying');
    const judged = await this.#judged(offered, now);
    throwIfAborted(signal);
    const unlock = await lockPublishing(this.#options, signal);
    try {
      // Read under the lock: a decision made while the upstream was fetched counts.
      const rules = await servingRules(repository, { config, catalogue });
      // So does what a source has published meanwhile, perhaps without a version that was denied.
      const newer =
        sources === undefined ? undefined : await overlayCandidate(sources, offered.validator, this.#options);
      const { candidate, judgement, words } =
        newer?.kind === 'changed' ? await this.#judged(newer, now) : judged;
      const { verdict, settle, trusted, verdicts } = judgement;
      const last = await this.#publisher.readableLast(stored);
      const accepted = await acceptTree({
        repository,
        candidate: candidate.tree,
        verdict,
        step: candidate.step,
        heldElsewhere: candidate.held,
        previous:
          last.state === undefined
            ? undefined
            : { tree: last.accepted, read: readFrom(stored, last.accepted), state: last.state },
        policy: rules.changes,
        keepRemoved: rules.keepRemoved,
        released: rules.released,
        firstSeen: (name) => catalogue.firstSeen(repository, name),
        pins: rules.pins,
        depth: config.limits.opam_depth,
        now,
      });
      throwIfAborted(signal);
      progress('publishing');
      const commit = candidate.git?.commit;
      const publication = {
        ...accepted,
        read: (paths: Iterable<string>) => candidate.tree.read(paths),
        state: { ...words, ...accepted.state },
        rules,
        signed: withoutHeld(candidate.signed ?? signedSourcesOf(verdict), accepted.state.held),
        ...(trusted === undefined ? {} : { trusted }),
        ...(verdicts === undefined ? {} : { verdicts }),
        facts: candidate.facts,
        firstSeen: candidate.firstSeen,
        // What the sources lost was measured there, or is the operator's will.
        ...(sources === undefined ? { minimumRemaining } : {}),
        now,
        ...(commit === undefined ? {} : { commit }),
      };
      const outcome = await this.#publisher.publish(publication, last, stored);
      settle();
      const { validator, size } = candidate;
      return { outcome, validator, size, releases: rules.releases };
    } finally {
      unlock();
    }
  }

  /** Throws `snapshot-refused` when the candidate breaks a rule of its dialect. */
  async #judged(candidate: ChangedCandidate, now: number) {
    const judgement = await this.#judge.judge(candidate, now);
    const { verdict } = judgement;
    if (verdict.violations.length > 0) throw refusal(this.#options.repository, verdict.violations);
    const words = await upstreamWords(candidate.tree, verdict, this.#settings.upstream);
    const warnings = [...words.warnings, ...(candidate.warnings ?? [])];
    return { candidate, judgement, words: { ...words, warnings } };
  }

  /** Fetches what is to be pinned, and serves it so; undefined when there was nothing, or nothing could be had. */
  async #strengthen(
    progress: (stage: SyncStage) => void,
    signal: AbortSignal | undefined,
  ): Promise<PublishOutcome | undefined> {
    const { catalogue, repository } = this.#options;
    const pinned = pinnedBy(this.#settings);
    if (!pinned.weak && !pinned.missing) return undefined;
    const archives = await archivesToPin(await this.#publisher.last(), pinned, { catalogue, repository });
    if (archives.size === 0) return undefined;
    progress('strengthening');
    if ((await this.#strengthening.run(archives, signal)) === 0) return undefined;
    return this.#rederivation.run(signal);
  }
}

/** A version in its last good form is not the one that was signed last. */
function withoutHeld(signed: SignedSources, held: readonly { readonly version: string }[]): SignedSources {
  if (held.length === 0) return signed;
  const versions = new Set(held.map(({ version }) => version));
  return new Map([...signed].filter(([version]) => !versions.has(version)));
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new SeraiError('aborted', 'the sync was told to stop');
}
