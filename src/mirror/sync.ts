/**
 * One repository's way through: fetch, verify, admit, publish. A step that fails leaves everything to its
 * right as it was, and is remembered for people.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Config, RepositoryConfig } from '../config.ts';
import { asSeraiError, SeraiError } from '../errors.ts';
import type { Tree } from '../opam/tree.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Catalogue, SyncState } from '../store/catalogue.ts';
import { acquireLock } from '../store/lock.ts';
import type { Fetcher } from '../upstream/fetcher.ts';
import type { Dialect } from '../verify/dialect.ts';
import { unsignedDialect } from '../verify/unsigned.ts';
import { admit } from './admission.ts';
import { fetchCandidate } from './fetch-candidate.ts';
import { Publisher, type PublishOutcome } from './publisher.ts';

export type SyncStage = 'fetching' | 'verifying' | 'publishing';

export interface SyncOptions {
  readonly config: Config;
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly fetcher: Fetcher;
  readonly clock: Clock;
}

export type SyncReport =
  /** The upstream said that nothing changed. */
  { readonly kind: 'not-modified' } | PublishOutcome;

export class RepositorySync {
  readonly #options: SyncOptions;
  readonly #settings: RepositoryConfig;
  readonly #publisher: Publisher;

  constructor(options: SyncOptions) {
    this.#options = options;
    const settings = options.config.repository[options.repository];
    if (settings === undefined)
      throw new SeraiError('usage', `there is no repository ${options.repository} in the configuration`);
    this.#settings = settings;
    const { repository, catalogue, blobs, config } = options;
    this.#publisher = new Publisher({ repository, catalogue, blobs, limits: config.limits });
  }

  /** One sync; what went wrong is in the catalogue when this throws. */
  async run(progress: (stage: SyncStage) => void, signal?: AbortSignal): Promise<SyncReport> {
    const { catalogue, clock, config, repository } = this.#options;
    const lock = join(config.data, 'locks', `${repository}.sqlite`);
    await mkdir(dirname(lock), { recursive: true });
    const unlock = await acquireLock(lock, config.limits.index_timeout, clock, signal);
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
        const { code, message } = failure;
        await catalogue.saveSyncState(repository, { ...before, attemptedAt, failure: { code, message } });
        throw failure;
      }
    } finally {
      unlock();
    }
  }

  async #attempt(
    before: SyncState | undefined,
    progress: (stage: SyncStage) => void,
    signal: AbortSignal | undefined,
  ): Promise<{ report: SyncReport; validator: string | undefined }> {
    const { config, repository, fetcher } = this.#options;
    const { upstream } = this.#settings;
    progress('fetching');
    const candidate = await fetchCandidate({
      upstream,
      gitDir: join(config.data, 'git', `${repository}.git`),
      fetcher,
      limits: config.limits,
      addresses: { allowPrivate: config.allow_private_addresses, privateHosts: config.private_hosts },
      validator: await this.#usableValidator(before?.validator),
      signal,
    });
    if (candidate.kind === 'unchanged')
      return { report: { kind: 'not-modified' }, validator: before?.validator };
    try {
      const report = await this.#accept(candidate.tree, candidate.commit, progress);
      const validator =
        candidate.validator === undefined
          ? undefined
          : encodeValidator({ upstream, snapshot: report.snapshot.id, value: candidate.validator });
      return { report, validator };
    } finally {
      await candidate.tree.close();
    }
  }

  async #accept(
    tree: Tree,
    commit: string | undefined,
    progress: (stage: SyncStage) => void,
  ): Promise<PublishOutcome> {
    const { catalogue, clock, repository } = this.#options;
    const now = clock.now();
    progress('verifying');
    const verdict = await dialectOf(this.#settings).verify(
      { tree },
      await catalogue.trusted(repository),
      now,
    );
    if (verdict.violations.length > 0) {
      const lines = verdict.violations.map(({ rule, path, message }) => `${rule} ${path}: ${message}`);
      throw new SeraiError(
        'snapshot-refused',
        [`repository ${repository}: the update is refused; what was published stays`, ...lines].join('\n  '),
      );
    }
    progress('publishing');
    const { paths, held } = admit(verdict);
    return this.#publisher.publish({
      tree,
      paths,
      held,
      upstreamUrl: this.#settings.upstream,
      minimumRemaining: this.#settings.minimum_remaining,
      now,
      ...(commit === undefined ? {} : { commit }),
      ...(verdict.trusted === undefined ? {} : { trusted: verdict.trusted }),
    });
  }

  /** A validator counts only for the same upstream, and while the snapshot that it brought is the present one. */
  async #usableValidator(text: string | undefined): Promise<string | undefined> {
    const validator = decodeValidator(text);
    if (validator === undefined || validator.upstream !== this.#settings.upstream) return undefined;
    const current = await this.#options.catalogue.currentSnapshot(this.#options.repository);
    return current?.id === validator.snapshot ? validator.value : undefined;
  }
}

function dialectOf(settings: RepositoryConfig): Dialect {
  switch (settings.dialect) {
    case 'unsigned':
      return unsignedDialect;
  }
}

const validatorSchema = z.object({ upstream: z.string(), snapshot: z.string(), value: z.string() });

function encodeValidator(validator: z.infer<typeof validatorSchema>): string {
  return JSON.stringify(validator);
}

/** A validator that cannot be read costs one whole fetch, so it is no error. */
function decodeValidator(text: string | undefined): z.infer<typeof validatorSchema> | undefined {
  if (text === undefined) return undefined;
  try {
    return validatorSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
