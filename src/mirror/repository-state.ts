/** How each repository stands, for /readyz, `serai status` and the page. */
import type { Clock } from '../clock.ts';
import type { Config, RepositoryConfig } from '../config.ts';
import type { Catalogue } from '../store/catalogue.ts';
import { shownAddress } from '../upstream/http-errors.ts';
import { type Freshness, freshnessOf } from './freshness.ts';
import type { ServedIndexes } from './served-index.ts';
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
  readonly upstream: string;
  readonly dialect: string;
  /** A snapshot is published and can be read. */
  readonly ready: boolean;
  readonly snapshot?: string;
  readonly commit?: string;
  readonly publishedAt?: string;
  readonly packages?: number;
  readonly versions?: number;
  readonly archives?: number;
  readonly held?: readonly { readonly version: string; readonly reason: string }[];
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
    dialect: settings?.dialect ?? '',
    ready: served === undefined ? snapshot !== undefined : served.current(name) !== undefined,
    ...(sync === undefined ? {} : { attemptedAt: isoDate(sync.attemptedAt) }),
    ...(sync?.succeededAt === undefined ? {} : { syncedAt: isoDate(sync.succeededAt) }),
    ...(failure === undefined ? {} : { failure }),
  };
  if (snapshot === undefined) return state;
  const summary = decodeSummary(snapshot.summary);
  const { packages, versions, archives, held } = summary;
  const freshness = freshnessOf(settings, summary, clock.now());
  const stopped = freshness === 'stale' && settings?.stop_when_stale === true;
  return {
    ...state,
    ready: state.ready && !stopped,
    ...signedState(summary, settings, freshness),
    snapshot: snapshot.id,
    publishedAt: isoDate(snapshot.publishedAt),
    ...(snapshot.commit === undefined ? {} : { commit: snapshot.commit }),
    packages,
    versions,
    archives,
    held,
  };
}

function signedState(
  { signedAt, root, warnings }: Summary,
  settings: RepositoryConfig | undefined,
  freshness: Freshness,
): Partial<RepositoryState> {
  if (settings?.dialect !== 'signed') return {};
  return {
    freshness,
    ...(signedAt === undefined ? {} : { signedAt: isoDate(signedAt) }),
    ...(root === undefined ? {} : { root }),
    ...(warnings === undefined ? {} : { warnings }),
  };
}

function isoDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
