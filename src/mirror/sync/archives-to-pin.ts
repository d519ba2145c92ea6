/** The archives whose strong hashes a repository's policy wants, and that nobody has pinned yet. */
import type { Catalogue } from '../../store/catalogue.ts';
import { pinnableSources } from '../policy/derivation.ts';
import { filesOfVersions } from './derived-versions.ts';
import type { LastPublication } from './last-publication.ts';

/** By what they are pinned under; empty before anything was published. */
export async function archivesToPin(
  { accepted, summary }: LastPublication,
  wanted: { readonly weak: boolean; readonly missing: boolean },
  { catalogue, repository }: { readonly catalogue: Catalogue; readonly repository: string },
): Promise<ReturnType<typeof pinnableSources>> {
  if (summary === undefined) return new Map();
  // What is not pinned yet is warned of, or held by a rule that comes before (serving.ts).
  const warned = summary.warned.filter(({ rule }) => rule === 'weak-hashes' || rule === 'missing-hashes');
  const versions = new Set([...warned, ...summary.held].map(({ version }) => version));
  const archives = new Map(pinnableSources(await filesOfVersions(accepted, versions), wanted));
  if (archives.size === 0) return archives;
  for (const { key } of await catalogue.pins(repository)) archives.delete(key);
  return archives;
}
