/** How each repository stands, for /readyz, `serai status` and the page. */
import type { Clock } from '../../clock.ts';
import type { Config, RepositoryConfig } from '../../config.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import { shownAddress } from '../../upstream/http-errors.ts';
import { denials } from '../policy/decisions.ts';
import type { RuledVersion } from '../policy/derivation.ts';
import { countsByRule } from '../policy/holds.ts';
import type { ServedIndexes } from '../served-index.ts';
import { type Freshness, freshnessOf, stalenessOf } from './freshness.ts';
import { isoTime } from './iso-time.ts';
import { decodeSummary, type Summary } from './summary.ts';

export interface StateSource {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  /** In a server: what it holds in memory decides on readiness. */
  readonly served?: ServedIndexes;
}

/** Times are ISO 8601, UTC. */
export interface RepositoryState {
  readonly name: string;
  /** Empty for an overlay. */
  readonly upstream: string;
  /** Of an overlay, the one that owns its names first. */
  readonly sources?: readonly string[];
  readonly dialect: string;
  /** A snapshot is published and can be read. */
  readonly ready: boolean;
  readonly snapshot?: string;
  readonly commit?: string;
  readonly publishedAt?: string;
  readonly packages?: number;
  readonly versions?: number;
  readonly archives?: number;
  /** Versions that upstream has and clients do not get. */
  readonly held?: readonly RuledVersion[];
  /** Versions that clients get in the form from before a change that is held. */
  readonly keptBack?: readonly RuledVersion[];
  /** Versions that are served with a word of warning: how many by each rule, and the first of them. */
  readonly warned?: {
    readonly counts: Readonly<Record<string, number>>;
    readonly first: readonly RuledVersion[];
  };
  /** Versions that are served although upstream removed them. */
  readonly removed?: number;
  /** Versions among the held that only wait for `min_age`. */
  readonly waiting?: number;
  /** Denials in force here, of persons and of the configuration. */
  readonly denials?: number;
  readonly attemptedAt?: string;
  readonly syncedAt?: string;
  /** Of the last sync, or of reading the snapshot back. */
  readonly failure?: { readonly code: string; readonly message: string };
  /** Of a signed repository. */
  readonly freshness?: Freshness;
  readonly signedAt?: string;
  readonly root?: NonNullable<Summary['root']>;
  /** What must be said loudly: above all that nothing proves whose keys these are. */
  readonly warnings?: readonly string[];
}

/** Warned versions that are named; serai explain tells of each. */
const WARNED_SHOWN = 10;

export function repositoryStates(source: StateSource): Promise<readonly RepositoryState[]> {
  return Promise.all(Object.keys(source.config.repository).map((name) => stateOf(name, source)));
}

async function stateOf(
  name: string,
  { config, catalogue, clock, served }: StateSource,
): Promise<RepositoryState> {
  const snapshot = await catalogue.currentSnapshot(name);
  const sync = await catalogue.syncState(name);
  const broken = served?.broken(name);
  const failure = broken === undefined ? sync?.failure : { code: broken.code, message: broken.message };
  const settings = config.repository[name];
  const state = {
    name,
    upstream: shownAddress(settings?.upstream ?? ''),
    ...(settings?.sources === undefined ? {} : { sources: settings.sources }),
    dialect: settings?.dialect ?? '',
    ready: served === undefined ? snapshot !== undefined : served.current(name) !== undefined,
    ...(sync === undefined ? {} : { attemptedAt: isoTime(sync.attemptedAt) }),
    ...(sync?.succeededAt === undefined ? {} : { syncedAt: isoTime(sync.succeededAt) }),
    ...(failure === undefined ? {} : { failure }),
    denials: (await denials(name, { config, catalogue })).length,
  };
  if (snapshot === undefined) return state;
  const summary = decodeSummary(snapshot.summary);
  const { packages, versions, archives, held, keptBack, warned, removed } = summary;
  const now = clock.now();
  const summaries = new Map([[name, summary]]);
  for (const source of settings?.sources ?? []) {
    const standing = await catalogue.currentSnapshot(source);
    if (standing !== undefined) summaries.set(source, decodeSummary(standing.summary));
  }
  const { isStale, isStopped } = stalenessOf(name, config, (each) => summaries.get(each), now);
  const freshness = isStale ? 'stale' : freshnessOf(settings, summary, now);
  return {
    ...state,
    ready: state.ready && !isStopped,
    ...signedState(summary, settings, freshness),
    snapshot: snapshot.id,
    publishedAt: isoTime(snapshot.publishedAt),
    ...(snapshot.commit === undefined ? {} : { commit: snapshot.commit }),
    packages,
    versions,
    archives,
    held,
    keptBack,
    warned: { counts: countsByRule(warned), first: warned.slice(0, WARNED_SHOWN) },
    removed,
    waiting: held.filter(({ rule }) => rule === 'min-age').length,
  };
}

function signedState(
  { signedAt, root, warnings }: Summary,
  settings: RepositoryConfig | undefined,
  freshness: Freshness,
): Partial<RepositoryState> {
  const said = warnings === undefined ? {} : { warnings };
  // An overlay has parts that nobody signs: it is never shown as fresh.
  if (settings?.dialect !== 'signed') return { ...said, ...(freshness === 'stale' ? { freshness } : {}) };
  return {
    freshness,
    ...(signedAt === undefined ? {} : { signedAt: isoTime(signedAt) }),
    ...(root === undefined ? {} : { root }),
    ...said,
  };
}
