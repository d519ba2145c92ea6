/** How old a signed snapshot may be (SIGNED-FORMAT.md, point 10); asked anew whenever it is shown. */
import type { RepositoryConfig } from '../config.ts';
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
