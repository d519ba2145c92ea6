/** A server's syncs: each repository at its interval, and the overlays made of one as soon as it has something new. */
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { asSeraiError } from '../errors.ts';
import { feedState } from '../mirror/fetch/advisories.ts';
import { overlaysOf, sourcesFirst } from '../mirror/sync/repository-order.ts';
import { keepSyncing } from '../mirror/sync/schedule.ts';
import type { SyncDone } from '../mirror/sync/sync-thread.ts';
import type { Catalogue } from '../store/catalogue.ts';

export interface SyncLoopsOptions {
  readonly config: Config;
  readonly catalogue: Pick<Catalogue, 'currentSnapshot' | 'feed'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Syncs one repository, and takes up what came of it. */
  readonly sync: (repository: string) => Promise<SyncDone>;
}

export class SyncLoops {
  readonly #options: SyncLoopsOptions;
  /** The failure of the advisory feed that was logged last; undefined while it can be read. */
  #toldFeed: string | undefined;

  constructor(options: SyncLoopsOptions) {
    this.#options = options;
  }

  /** One sync, and when it published something, those of the overlays made of it. */
  async sync(repository: string): Promise<SyncDone> {
    const report = await this.#options.sync(repository);
    await this.#tellFeed();
    if (report.kind !== 'published') return report;
    for (const overlay of overlaysOf(this.#options.config, repository)) await this.#follow(overlay);
    return report;
  }

  /** Begins; each promise resolves once the signal has aborted. */
  start(): readonly Promise<void>[] {
    const { config, clock, log, signal } = this.#options;
    const firsts = new Map<string, Promise<void>>();
    return sourcesFirst(config).map((repository) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      firsts.set(repository, promise);
      const sources = config.repository[repository]?.sources ?? [];
      return keepSyncing({
        interval: config.repository[repository]?.interval ?? 0,
        clock,
        random: Math.random,
        signal,
        sync: async () => {
          // An overlay asked for before its sources were ever tried could only fail.
          await Promise.all(sources.map((source) => firsts.get(source)));
          return this.sync(repository).finally(resolve);
        },
        succeeded: (report) => this.#tell(repository, report),
        failed: ({ code, message }, wait) =>
          log.error({ repository, code }, `${message}; next try in ${Math.round(wait / 1000)} s`),
      });
    });
  }

  /** A failure is the overlay's own; its loop tries again. One that lacks a source waits for that one. */
  async #follow(overlay: string): Promise<void> {
    const { config, catalogue, log, signal } = this.#options;
    for (const source of config.repository[overlay]?.sources ?? [])
      if ((await catalogue.currentSnapshot(source)) === undefined) return;
    try {
      this.#tell(overlay, await this.sync(overlay));
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = asSeraiError(error, 'internal', `syncing ${overlay}`);
      log.error({ repository: overlay, code }, message);
    }
  }

  #tell(repository: string, report: SyncDone): void {
    this.#options.log.info({ repository, kind: report.kind }, describeReport(repository, report));
  }

  /** The syncs go on by the advisories that were read before; that they age must be seen. */
  async #tellFeed(): Promise<void> {
    const { config, catalogue, log } = this.#options;
    const feed = await feedState(catalogue, config);
    const failure = feed?.failure;
    if (failure?.message === this.#toldFeed) return;
    this.#toldFeed = failure?.message;
    if (failure === undefined) log.info({ advisories: feed?.source }, 'the advisories can be read again');
    else
      log.error(
        { advisories: feed?.source, code: failure.code },
        `the advisories cannot be read: ${failure.message}; the ${feed?.documents} that were read before stay in force`,
      );
  }
}

function describeReport(repository: string, report: SyncDone): string {
  switch (report.kind) {
    case 'not-modified':
      return `synced ${repository}: the upstream has nothing new`;
    case 'unchanged':
      return `synced ${repository}: what is served is up to date`;
    case 'published':
      return `synced ${repository}: published ${report.summary.versions} versions as ${report.snapshot.slice(0, 16)}…`;
  }
}
