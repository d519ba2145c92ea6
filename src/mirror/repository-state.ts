/** How each repository stands, for /readyz, `serai status` and the page. */
import type { Config } from '../config.ts';
import type { Catalogue } from '../store/catalogue.ts';
import type { ServedIndexes } from './served-index.ts';
import { decodeSummary } from './summary.ts';

export interface StateSource {
  readonly config: Config;
  readonly catalogue: Catalogue;
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
}

export function repositoryStates(source: StateSource): Promise<readonly RepositoryState[]> {
  return Promise.all(Object.keys(source.config.repository).map((name) => stateOf(name, source)));
}

async function stateOf(name: string, { config, catalogue, served }: StateSource): Promise<RepositoryState> {
  const snapshot = await catalogue.currentSnapshot(name);
  const sync = await catalogue.syncState(name);
  const broken = served?.broken(name);
  const failure = broken === undefined ? sync?.failure : { code: broken.code, message: broken.message };
  const settings = config.repository[name];
  const state = {
    name,
    upstream: shownUpstream(settings?.upstream ?? ''),
    dialect: settings?.dialect ?? '',
    ready: served === undefined ? snapshot !== undefined : served.current(name) !== undefined,
    ...(sync === undefined ? {} : { attemptedAt: isoDate(sync.attemptedAt) }),
    ...(sync?.succeededAt === undefined ? {} : { syncedAt: isoDate(sync.succeededAt) }),
    ...(failure === undefined ? {} : { failure }),
  };
  if (snapshot === undefined) return state;
  const { packages, versions, archives, held } = decodeSummary(snapshot.summary);
  return {
    ...state,
    snapshot: snapshot.id,
    publishedAt: isoDate(snapshot.publishedAt),
    ...(snapshot.commit === undefined ? {} : { commit: snapshot.commit }),
    packages,
    versions,
    archives,
    held,
  };
}

function isoDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Without the password that may stand in it. */
function shownUpstream(upstream: string): string {
  if (!URL.canParse(upstream)) return upstream;
  const url = new URL(upstream);
  if (url.username === '' && url.password === '') return upstream;
  url.username = '';
  url.password = '';
  return url.href;
}
