/**
 * One repository's way through: fetch, verify, admit, publish. A step that fails leaves everything to its
 * right as it was, and is remembered for people.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Config, RepositoryConfig } from '../config.ts';
import { asSeraiError, SeraiError } from '../errors.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Catalogue, SyncState } from '../store/catalogue.ts';
import { acquireLock } from '../store/lock.ts';
import type { Fetcher } from '../upstream/fetcher.ts';
import type { Dialect, Violation } from '../verify/dialect.ts';
import { admit } from './admission.ts';
import { type ChangedCandidate, fetchCandidate, requestFor } from './fetch-candidate.ts';
import { createJudge, type Judge, judgeBy } from './judge.ts';
import { Publisher, type PublishOutcome } from './publisher.ts';
import { decodeValidator, encodeValidator, rulesOf } from './sync-validator.ts';

export type SyncStage = 'fetching' | 'verifying' | 'publishing';

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

/** Violations that an error tells of; the first are enough to see what is wrong. */
const SHOWN_VIOLATIONS = 20;

export type SyncReport =
  /** The upstream said that nothing changed. */
  { readonly kind: 'not-modified' } | PublishOutcome;

export class RepositorySync {
  readonly #options: SyncOptions;
  readonly #settings: RepositoryConfig;
  readonly #judge: Judge;
  readonly #publisher: Publisher;

  constructor(options: SyncOptions) {
    this.#options = options;
    const settings = options.config.repository[options.repository];
    if (settings === undefined)
      throw new SeraiError('usage', `there is no repository ${options.repository} in the configuration`);
    this.#settings = settings;
    this.#judge =
      options.dialect === undefined ? createJudge({ ...options, settings }) : judgeBy(options.dialect);
    this.#publisher = new Publisher({ ...options, limits: options.config.limits });
  }

  /** One sync; what went wrong is in the catalogue when this throws. */
  async run(progress: (stage: SyncStage) => void, signal?: AbortSignal): Promise<SyncReport> {
    const { catalogue, clock, repository } = this.#options;
    const unlock = await this.#lock(signal);
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
        return report;
      } catch (error) {
        const failure = asSeraiError(error, 'internal', `syncing ${repository}`);
        await this.#remember(failure, before, attemptedAt);
        throw failure;
      }
    } finally {
      unlock();
    }
  }

  async #lock(signal: AbortSignal | undefined): Promise<() => void> {
    const { config, clock, repository } = this.#options;
    const lock = join(config.data, 'locks', `${repository}.sqlite`);
    try {
      await mkdir(dirname(lock), { recursive: true });
      return await acquireLock(lock, config.limits.index_timeout, clock, signal);
    } catch (error) {
      throwIfAborted(signal);
      throw asSeraiError(error, 'store-failed', `the lock ${lock} cannot be taken`);
    }
  }

  /** Being told to stop is no failure of the upstream's. */
  async #remember({ code, message }: SeraiError, before: SyncState | undefined, at: number): Promise<void> {
    if (code === 'aborted') return;
    const { catalogue, repository } = this.#options;
    try {
      await catalogue.saveSyncState(repository, { ...before, attemptedAt: at, failure: { code, message } });
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
    const { upstream } = this.#settings;
    throwIfAborted(signal);
    progress('fetching');
    const candidate = await fetchCandidate({
      ...(await requestFor(this.#options)),
      validator: await this.#usableValidator(before?.validator),
      signal,
    });
    if (candidate.kind === 'unchanged')
      return { report: { kind: 'not-modified' }, validator: before?.validator };
    try {
      throwIfAborted(signal);
      const report = await this.#accept(candidate, progress, signal);
      const validator =
        candidate.validator === undefined
          ? undefined
          : encodeValidator({
              upstream,
              snapshot: report.snapshot.id,
              rules: rulesOf(this.#settings, config),
              value: candidate.validator,
            });
      return { report, validator };
    } finally {
      await candidate.tree.close();
    }
  }

  async #accept(
    candidate: ChangedCandidate,
    progress: (stage: SyncStage) => void,
    signal: AbortSignal | undefined,
  ): Promise<PublishOutcome> {
    const { clock, repository } = this.#options;
    const now = clock.now();
    progress('verifying');
    const { verdict, settle, ...judgement } = await this.#judge.judge(candidate, now);
    if (verdict.violations.length > 0) throw refusal(repository, verdict.violations);
    throwIfAborted(signal);
    progress('publishing');
    const commit = candidate.git?.commit;
    const outcome = await this.#publisher.publish({
      tree: candidate.tree,
      ...admit(verdict),
      verdict,
      ...judgement,
      upstreamUrl: this.#settings.upstream,
      minimumRemaining: this.#settings.minimum_remaining,
      now,
      ...(commit === undefined ? {} : { commit }),
    });
    settle();
    return outcome;
  }

  /**
   * With a validator the upstream may answer that nothing changed, and then nothing is made: so it counts only
   * while what it brought is what a whole sync would lead to, and can be read back from the store.
   */
  async #usableValidator(text: string | undefined): Promise<string | undefined> {
    const { catalogue, config, repository } = this.#options;
    const validator = decodeValidator(text);
    if (validator === undefined || validator.upstream !== this.#settings.upstream) return undefined;
    if (validator.rules !== rulesOf(this.#settings, config)) return undefined;
    const current = await catalogue.currentSnapshot(repository);
    if (current?.id !== validator.snapshot || !(await this.#publisher.isWhole())) return undefined;
    return validator.value;
  }
}

function refusal(repository: string, violations: readonly Violation[]): SeraiError {
  const lines = violations.slice(0, SHOWN_VIOLATIONS).map(({ rule, path, commit, message, keys }) => {
    const where = commit === undefined ? path : `${path} at ${commit}`;
    return `${rule} ${where}: ${message}${keys.length === 0 ? '' : ` (keys: ${keys.join(', ')})`}`;
  });
  if (violations.length > lines.length) lines.push(`and ${violations.length - lines.length} more`);
  const first = `repository ${repository}: the update is refused; what was published stays`;
  return new SeraiError('snapshot-refused', [first, ...lines].join('\n  '));
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new SeraiError('aborted', 'the sync was told to stop');
}
