/** Caches in opam's layout, from which archives may be had beside their own addresses. */
import type { Config } from '../../config.ts';
import type { Checksum } from '../../hashes.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import { decodeSummary } from '../report/summary.ts';

export interface ArchiveCaches {
  /** Asked before the declared sources, and after them. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * What the upstream's `repo` names, and what the configuration adds, for an archive with these checksums. An overlay
 * has those of the sources that list the archive themselves: a private archive's hash is never told to a public cache.
 * `archive_fallbacks` of the overlay itself are asked for everything that it lists.
 */
export type FindCaches = (repository: string, checksums: readonly Checksum[]) => Promise<ArchiveCaches>;

/** Reads each publication's summary once, however many archives are asked for. */
export function findCaches(
  config: Config,
  catalogue: Pick<Catalogue, 'currentHead' | 'currentPublication' | 'listed'>,
): FindCaches {
  const known = new Map<string, { readonly publication: number; readonly mirrors: readonly string[] }>();

  /** Of this turn of the event loop, in which many archives may be asked for. */
  const publications = new Map<string, Promise<number | undefined>>();

  function publicationOf(name: string): Promise<number | undefined> {
    const asked = publications.get(name);
    if (asked !== undefined) return asked;
    if (publications.size === 0) setImmediate(() => publications.clear());
    const publication = catalogue.currentPublication(name);
    publications.set(name, publication);
    return publication;
  }

  async function mirrorsOf(name: string): Promise<readonly string[]> {
    const publication = await publicationOf(name);
    if (publication === undefined) return [];
    const before = known.get(name);
    if (before?.publication === publication) return before.mirrors;
    // Asked for after the number: of what is published between the two, the number is read anew the next time.
    const snapshot = await catalogue.currentHead(name);
    const mirrors = snapshot === undefined ? [] : decodeSummary(snapshot.summary).archiveMirrors;
    known.set(name, { publication, mirrors });
    return mirrors;
  }

  return async (repository, checksums) => {
    const names: string[] = [];
    for (const name of config.repository[repository]?.sources ?? [])
      if (await lists(name, checksums, catalogue)) names.push(name);
    names.push(repository);
    const before: string[] = [];
    const after: string[] = [];
    for (const name of names) {
      before.push(...(await mirrorsOf(name)));
      after.push(...(config.repository[name]?.archive_fallbacks ?? []));
    }
    return { before, after };
  };
}

async function lists(
  repository: string,
  checksums: readonly Checksum[],
  catalogue: Pick<Catalogue, 'listed'>,
): Promise<boolean> {
  for (const checksum of checksums)
    if ((await catalogue.listed(repository, checksum)).length > 0) return true;
  return false;
}

/** Where the caches would have an archive with these checksums. */
export function cacheAddresses(caches: readonly string[], checksums: readonly Checksum[]): string[] {
  return caches.flatMap((cache) =>
    checksums.map(({ kind, hex }) => `${cache.replace(/\/+$/, '')}/${kind}/${hex.slice(0, 2)}/${hex}`),
  );
}
