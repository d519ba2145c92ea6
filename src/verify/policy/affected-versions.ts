/**
 * Which versions an advisory means, by the algorithm of OSV's schema
 * (https://ossf.github.io/osv-schema/#evaluation) in opam's version order.
 */
import { compareVersions } from '../../opam/version.ts';
import { orderKey } from '../guard/order-key.ts';

export const EVENT_KINDS = ['introduced', 'fixed', 'last_affected', 'limit'] as const;

export interface RangeEvent {
  readonly kind: (typeof EVENT_KINDS)[number];
  /** `introduced` in `0` comes before every version; a `limit` of `*` after every one. */
  readonly version: string;
}

/** One range's events, in any order. */
export type Range = readonly RangeEvent[];

/** Of events at one version: a problem that comes back with its fix is there, and one may end where it begins. */
const RANK: Readonly<Record<RangeEvent['kind'], number>> = {
  fixed: 0,
  introduced: 1,
  last_affected: 2,
  limit: 3,
};

/** Whether a version is in one of the ranges, or equal to one of the versions listed. */
export function affectedVersions(
  ranges: readonly Range[],
  versions: readonly string[],
): (version: string) => boolean {
  const listed = new Set(versions.map(orderKey));
  const sorted = ranges.map((events) => [...events].sort(compareEvents));
  return (version) => listed.has(orderKey(version)) || sorted.some((events) => isInRange(version, events));
}

/** Whether a range names the version as one in which the problem is mended. */
export function isFixedIn(version: string, ranges: readonly Range[]): boolean {
  return ranges.some((events) =>
    events.some((event) => event.kind === 'fixed' && compareVersions(event.version, version) === 0),
  );
}

function compareEvents(a: RangeEvent, b: RangeEvent): number {
  const first = Number(isOrigin(b)) - Number(isOrigin(a));
  return first || compareVersions(a.version, b.version) || RANK[a.kind] - RANK[b.kind];
}

function isOrigin({ kind, version }: RangeEvent): boolean {
  return kind === 'introduced' && version === '0';
}

function isInRange(version: string, sorted: Range): boolean {
  if (!isBeforeLimits(version, sorted)) return false;
  let affected = false;
  for (const event of sorted) {
    const order = isOrigin(event) ? 1 : compareVersions(version, event.version);
    if (event.kind === 'introduced' && order >= 0) affected = true;
    else if (event.kind === 'fixed' && order >= 0) affected = false;
    else if (event.kind === 'last_affected' && order > 0) affected = false;
  }
  return affected;
}

/** Before any of them is enough; without one there is none to be before. */
function isBeforeLimits(version: string, events: Range): boolean {
  const limits = events.filter(({ kind }) => kind === 'limit');
  return (
    limits.length === 0 ||
    limits.some((limit) => limit.version === '*' || compareVersions(version, limit.version) < 0)
  );
}
