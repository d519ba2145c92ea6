/** What the log tells of single versions. */
import type { Catalogue } from '../../store/catalogue.ts';
import { scanEvents } from './event-scan.ts';
import { ruledDetailOf } from './events.ts';
import { isoTime } from './iso-time.ts';

/** One thing that happened to a version. */
export interface VersionEvent {
  readonly sequence: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly kind: string;
  /** The class of the change, or the rule of the hold. */
  readonly rule: string;
  readonly reason?: string;
}

/** Kept of each version: the last ones. */
const KEPT = 10;

/** By version, oldest first; of those that are wanted. The whole log is gone through. */
export async function versionHistory(
  repository: string,
  wanted: (version: string) => boolean,
  catalogue: Pick<Catalogue, 'events'>,
): Promise<ReadonlyMap<string, readonly VersionEvent[]>> {
  const history = new Map<string, VersionEvent[]>();
  for await (const event of scanEvents(catalogue)) {
    if (event.repository !== repository) continue;
    const { sequence, kind } = event;
    const told = ruledDetailOf(event);
    if (told === undefined) continue;
    const { rule, reason } = told;
    for (const version of told.versions.filter(wanted)) {
      const known = history.get(version) ?? [];
      const at = isoTime(event.at);
      known.push({ sequence, at, kind, rule, ...(reason === undefined ? {} : { reason }) });
      if (known.length > KEPT) known.shift();
      history.set(version, known);
    }
  }
  return history;
}
