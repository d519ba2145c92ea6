/**
 * Making repositories follow a person's decision at once, sources before the overlays made of them, and telling what
 * it changed. One that fails does not stop the others: a denial must hold wherever it can.
 */
import { asSeraiError } from '../../errors.ts';
import type { PackageId } from '../../opam/package-id.ts';
import { parsePackageId } from '../../opam/package-id.ts';
import type { Snapshot } from '../../store/catalogue.ts';
import type { Mirror } from '../mirror.ts';
import { versionChanges } from '../report/served-versions.ts';
import { decodeSummary } from '../report/summary.ts';
import { overlaysOf, sourcesFirst } from '../sync/repository-order.ts';
import { RepositorySync } from '../sync/sync.ts';
import type { RuledVersion } from './derivation.ts';

/** What became of the versions that a decision is about. */
export interface Followed {
  readonly repository: string;
  /** Nothing was ever published of it, so there is nothing to change yet. */
  readonly published: boolean;
  /** `name.version`: not served any more, and served again. */
  readonly dropped: readonly string[];
  readonly added: readonly string[];
  /** Not served now, and by which rule. */
  readonly held: readonly RuledVersion[];
  /** It could not follow yet; the decision stands, and holds with its next sync. */
  readonly failure?: { readonly code: string; readonly message: string };
}

export type Followers = Pick<Mirror, 'config' | 'catalogue' | 'blobs' | 'fetcher' | 'clock'>;

/** What is published before a decision is written, to be compared with afterwards. */
export type Standing = ReadonlyMap<string, Snapshot | undefined>;

/** The repository and the overlays made of it, or all, in the order in which they follow. */
export async function standingOf(repository: string | undefined, mirror: Followers): Promise<Standing> {
  const { config, catalogue } = mirror;
  const concerned = repository === undefined ? undefined : [repository, ...overlaysOf(config, repository)];
  const standing = new Map<string, Snapshot | undefined>();
  for (const name of sourcesFirst(config, concerned))
    standing.set(name, await catalogue.currentSnapshot(name));
  return standing;
}

/** Each repository in `standing` follows; told are the versions that `matches`. */
export async function follow(
  standing: Standing,
  matches: (id: PackageId) => boolean,
  mirror: Followers,
): Promise<readonly Followed[]> {
  const followed: Followed[] = [];
  for (const [repository, before] of standing) {
    const nothing = { repository, published: before !== undefined, dropped: [], added: [], held: [] };
    if (before === undefined) {
      followed.push(nothing);
      continue;
    }
    try {
      await new RepositorySync({ ...mirror, repository }).rederive();
      followed.push({
        repository,
        published: true,
        ...(await changeOf(repository, before, matches, mirror)),
      });
    } catch (error) {
      const { code, message } = asSeraiError(error, 'internal', `deriving ${repository} anew`);
      followed.push({ ...nothing, failure: { code, message } });
    }
  }
  return followed;
}

async function changeOf(
  repository: string,
  before: Snapshot,
  matches: (id: PackageId) => boolean,
  { catalogue }: Followers,
): Promise<Pick<Followed, 'dropped' | 'added' | 'held'>> {
  const after = (await catalogue.currentSnapshot(repository)) ?? before;
  const isMeant = (version: string): boolean => {
    const id = parsePackageId(version);
    return id !== undefined && matches(id);
  };
  const { dropped, added } = await versionChanges(before, after, catalogue);
  return {
    dropped: dropped.filter(isMeant),
    added: added.filter(isMeant),
    held: decodeSummary(after.summary).held.filter(({ version }) => isMeant(version)),
  };
}
