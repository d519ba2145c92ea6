/** How old a signed snapshot may be (SIGNED-FORMAT.md, point 10); asked anew whenever it is shown. */
import type { Config, RepositoryConfig } from '../../config.ts';
import type { Summary } from './summary.ts';

/** Unknown where nothing signed tells a date: never shown as fresh. */
export type Freshness = 'fresh' | 'stale' | 'unknown';

export function freshnessOf(
  settings: Pick<RepositoryConfig, 'max_age'> | undefined,
  summary: Pick<Summary, 'signedAt'>,
  now: number,
): Freshness {
  const maxAge = settings?.max_age;
  if (summary.signedAt === undefined || maxAge === undefined) return 'unknown';
  return now - summary.signedAt > maxAge ? 'stale' : 'fresh';
}

export interface Staleness {
  readonly isStale: boolean;
  /** The configuration wants no answer rather than a stale one. */
  readonly isStopped: boolean;
}

/** Of what a repository serves at `now`; an overlay is as stale as the stalest of its sources. */
export function stalenessOf(
  repository: string,
  config: Pick<Config, 'repository'>,
  summaryOf: (name: string) => Pick<Summary, 'signedAt'> | undefined,
  now: number,
): Staleness {
  const names = config.repository[repository]?.sources ?? [repository];
  const stale = names.filter((name) => {
    const summary = summaryOf(name);
    return summary !== undefined && freshnessOf(config.repository[name], summary, now) === 'stale';
  });
  const isStopped = stale.some((name) => config.repository[name]?.stop_when_stale === true);
  return { isStale: stale.length > 0, isStopped };
}
