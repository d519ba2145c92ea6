/** Caches in opam's layout, from which archives may be had beside their own addresses. */
import type { Config } from '../config.ts';
import type { Checksum } from '../hashes.ts';
import type { Catalogue } from '../store/catalogue.ts';
import { decodeSummary } from './summary.ts';

export interface ArchiveCaches {
  /** Asked before the declared sources, and after them. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** What the upstream's `repo` names, and what the configuration adds; an overlay has those of its sources. */
export async function archiveCaches(
  repository: string,
  config: Config,
  catalogue: Catalogue,
): Promise<ArchiveCaches> {
  const names = [repository, ...(config.repository[repository]?.sources ?? [])];
  const before: string[] = [];
  const after: string[] = [];
  for (const name of names) {
    const snapshot = await catalogue.currentSnapshot(name);
    if (snapshot !== undefined) before.push(...decodeSummary(snapshot.summary).archiveMirrors);
    after.push(...(config.repository[name]?.archive_fallbacks ?? []));
  }
  return { before, after };
}

/** Where the caches would have an archive with these checksums. */
export function cacheAddresses(caches: readonly string[], checksums: readonly Checksum[]): string[] {
  return caches.flatMap((cache) =>
    checksums.map(({ kind, hex }) => `${cache.replace(/\/+$/, '')}/${kind}/${hex.slice(0, 2)}/${hex}`),
  );
}
