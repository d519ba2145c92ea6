/** Why a version is served, or is not: for `serai explain`. Read from the store alone. */
import { SeraiError } from '../errors.ts';
import { showChecksum } from '../hashes.ts';
import { packageIdOfPath, parsePackageId, parsePackageName, showPackageId } from '../opam/package-id.ts';
import { compareVersions } from '../opam/version.ts';
import type { Catalogue } from '../store/catalogue.ts';
import { decodeFacts } from './file-facts.ts';
import { decodeSummary } from './summary.ts';
import { readVerdict } from './verdict-memory.ts';

export interface Explanation {
  readonly version: string;
  readonly served: boolean;
  /** Trust level and who signed, where the repository is signed. */
  readonly level?: string;
  readonly signers?: readonly string[];
  /** From root to file, a line each. */
  readonly chain?: readonly string[];
  /** Why it is not served. */
  readonly reason?: string;
  readonly archives: readonly {
    readonly checksums: readonly string[];
    readonly sources: readonly string[];
    /** Its bytes are in the store. */
    readonly stored: boolean;
  }[];
}

/** `what` is `name` or `name.version`. Throws `usage` for neither, `not-found` when nothing is known of it. */
export async function explain(
  catalogue: Catalogue,
  repository: string,
  what: string,
): Promise<readonly Explanation[]> {
  const id = parsePackageId(what);
  const name = id?.name ?? parsePackageName(what);
  if (name === undefined) throw new SeraiError('usage', `${what} is neither a package nor a package.version`);
  const snapshot = await catalogue.currentSnapshot(repository);
  if (snapshot === undefined)
    throw new SeraiError(
      'not-found',
      `repository ${repository} has never been published; serai status tells why`,
    );

  const found = new Map<string, Explanation>();
  for (const { version, reason } of decodeSummary(snapshot.summary).held)
    if (version.startsWith(`${name}.`)) found.set(version, { version, served: false, reason, archives: [] });
  for (const piece of (await catalogue.pieces(snapshot.pieces)).values()) {
    for (const file of decodeFacts(piece.facts)) {
      const place = packageIdOfPath(file.path);
      if (place?.id.name !== name || place.file !== 'opam') continue;
      const archives = [];
      for (const { checksums, sources } of file.archives) {
        const [first] = checksums;
        const listed = first === undefined ? [] : await catalogue.listed(repository, first);
        archives.push({
          checksums: checksums.map((checksum) => showChecksum(checksum)),
          sources,
          stored: listed.some(({ blob }) => blob !== undefined),
        });
      }
      const version = showPackageId(place.id);
      found.set(version, { version, served: true, archives });
    }
  }
  for (const stored of await catalogue.verdicts(repository, name)) {
    const verdict = readVerdict(stored.verdict);
    if (verdict === undefined) continue;
    const known = found.get(stored.version) ?? { version: stored.version, served: false, archives: [] };
    const { level, signers, chain, withheld } = verdict;
    const reason = withheld === undefined ? known.reason : `${withheld.rule}: ${withheld.reason}`;
    found.set(stored.version, {
      ...known,
      level,
      signers,
      chain,
      ...(reason === undefined ? {} : { reason }),
    });
  }
  const explanations = [...found.values()].filter(({ version }) => id === undefined || version === what);
  if (explanations.length === 0)
    throw new SeraiError(
      'not-found',
      `neither ${repository} nor its upstream's last accepted tree has ${what}`,
    );
  return explanations.sort((a, b) =>
    compareVersions(a.version.slice(name.length + 1), b.version.slice(name.length + 1)),
  );
}
