/** What is held or kept back in a repository, since when and until when, and what would end it. */
import { SeraiError } from '../../errors.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import { scanEvents } from '../report/event-scan.ts';
import { ruledDetailOf } from '../report/events.ts';
import { isoTime } from '../report/iso-time.ts';
import { decodeSummary, type Summary } from '../report/summary.ts';
import { type AcceptedState, decodeAcceptedState } from './accepted-state.ts';
import { CASE_COLLISION } from './case-collision.ts';
import type { RuledVersion } from './derivation.ts';
import { seenTimes } from './first-seen.ts';
import type { RulesSource } from './serving-rules.ts';

/** What a hold comes from, and so what ends it. */
export type HoldOrigin =
  /** The guard holds a change; a person can release that form. */
  | { readonly kind: 'change'; readonly form: string }
  /** A rule about the version, which a person can release it from. */
  | { readonly kind: 'rule' }
  /** Something else has to be done. */
  | { readonly kind: 'other'; readonly remedy: string };

/** Times are ISO 8601, UTC. */
export interface Hold extends RuledVersion {
  readonly repository: string;
  /** `last-good`: clients get the form that stood before. */
  readonly served: 'none' | 'last-good';
  readonly since?: string;
  /** When time alone ends it. */
  readonly until?: string;
  readonly origin: HoldOrigin;
}

/** Rules that a person can release a version from, whatever its form (verify/policy/serving.ts). */
const RELEASED_BY_RULE: ReadonlySet<string> = new Set([
  'min-age',
  'advisory',
  'weak-hashes',
  'missing-hashes',
]);

/** Those of one version, or all; without times. Empty before the first publication. */
export async function holdsOf(repository: string, source: RulesSource): Promise<readonly Hold[]> {
  const { config, catalogue } = source;
  const snapshot = await catalogue.currentSnapshot(repository);
  const accepted = await catalogue.accepted(repository);
  if (snapshot === undefined || accepted === undefined) return [];
  const state = decodeAcceptedState(accepted.state);
  const { held, keptBack } = decodeSummary(snapshot.summary);
  const isOverlay = config.repository[repository]?.sources !== undefined;
  const all = [
    ...keptBack.map((each) => ({ ...each, served: 'last-good' as const })),
    ...held.map((each) => ({ ...each, served: 'none' as const })),
  ];
  return all.map(({ version, rule, reason, served }) => {
    const change = state.held.find((each) => each.version === version && each.class === rule);
    const hold = { repository, version, rule, reason, served };
    const isChange = change !== undefined && (served === 'last-good') === (change.served === 'last-good');
    if (!isChange) return { ...hold, origin: originOf(hold, state, isOverlay) };
    return { ...hold, since: isoTime(change.at), origin: { kind: 'change', form: change.form } };
  });
}

function originOf(
  { version, rule, reason }: RuledVersion,
  state: AcceptedState,
  isOverlay: boolean,
): HoldOrigin {
  const isIn = (list: readonly RuledVersion[]): boolean =>
    list.some((each) => each.version === version && each.rule === rule && each.reason === reason);
  if (isIn(state.withheld)) {
    const source = isOverlay ? /^held in ([^:]+):/.exec(reason)?.[1] : undefined;
    const remedy =
      source === undefined
        ? (REMEDIES[rule] ??
          'it was not verified, and only the upstream can mend that; serai explain tells more')
        : `it is held in ${source}; release it there`;
    return { kind: 'other', remedy };
  }
  if (isIn(state.unreadable))
    return { kind: 'other', remedy: 'it cannot be read, and only the upstream can mend that' };
  if (RELEASED_BY_RULE.has(rule)) return { kind: 'rule' };
  return {
    kind: 'other',
    remedy: REMEDIES[rule] ?? 'the policy of the repository in serai.toml decides about it',
  };
}

const REMEDIES: Readonly<Record<string, string>> = {
  denied:
    'serai undeny takes a denial back, and one of the configuration ends in serai.toml; serai hold list shows both',
  [CASE_COLLISION]: 'release the other one: serai hold list shows it',
  'not-allowed': 'name it in allow of the repository in serai.toml',
  'checksum-malformed':
    'clients would verify nothing of it; if that is meant, set checksum-malformed = "warn" under policy of the repository in serai.toml',
  'outside-source':
    'with rewrite_sources only what this mirror has can be served; missing_hashes = "strengthen" mends it where the reason says so',
};

/** All of them with since and until; the log is gone through once. */
export async function timedHolds(
  repositories: readonly string[],
  source: RulesSource,
): Promise<readonly Hold[]> {
  const holds: Hold[] = [];
  for (const repository of repositories)
    holds.push(...(await withUntil(repository, await holdsOf(repository, source), source)));
  const since = await heldSince(holds, source.catalogue);
  return holds.map((hold) => {
    const at = hold.since === undefined ? since.get(keyOf(hold)) : undefined;
    return at === undefined ? hold : { ...hold, since: isoTime(at) };
  });
}

async function withUntil(
  repository: string,
  holds: readonly Hold[],
  { config, catalogue }: RulesSource,
): Promise<readonly Hold[]> {
  const minAge = config.repository[repository]?.min_age;
  if (minAge === undefined || !holds.some(({ rule }) => rule === 'min-age')) return holds;
  const firstSeen = seenTimes(await catalogue.firstSeen(repository), []);
  return holds.map((hold) => {
    const seen = hold.origin.kind === 'rule' && hold.rule === 'min-age' ? firstSeen(hold.version) : undefined;
    return seen === undefined ? hold : { ...hold, until: isoTime(seen.at + minAge) };
  });
}

/** As the log tells, by version and rule; the last time counts. */
async function heldSince(
  holds: readonly Hold[],
  catalogue: Pick<Catalogue, 'events'>,
): Promise<ReadonlyMap<string, number>> {
  const since = new Map<string, number>();
  const wanted = new Set(holds.filter((hold) => hold.since === undefined).map(keyOf));
  if (wanted.size === 0) return since;
  for await (const event of scanEvents(catalogue)) {
    const told = event.kind === 'held' ? ruledDetailOf(event) : undefined;
    for (const version of told?.versions ?? []) {
      const key = keyOf({ repository: event.repository, version, rule: told?.rule ?? '' });
      if (wanted.has(key)) since.set(key, event.at);
    }
  }
  return since;
}

function keyOf({ repository, version, rule }: Pick<Hold, 'repository' | 'version' | 'rule'>): string {
  return `${repository} ${version} ${rule}`;
}

/** The hold that a release would be about. Throws `not-found` when nothing holds the version. */
export async function holdOf(repository: string, version: string, source: RulesSource): Promise<Hold> {
  const holds = (await holdsOf(repository, source)).filter((hold) => hold.version === version);
  // What is served in the form from before is asked about its change first, which is why it is listed first.
  const [first] = holds;
  if (first !== undefined) return first;
  throw new SeraiError(
    'not-found',
    `nothing holds ${version} in ${repository}; serai hold list ${repository} shows what is held`,
  );
}

/** Counts by rule, the most first. */
export function countsByRule(versions: Summary['held']): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { rule } of versions) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}
