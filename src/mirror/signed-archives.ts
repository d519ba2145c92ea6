/** Archives of signed versions: what the signers stand for is demanded beside what the opam file says. */
import { type Checksum, showChecksum } from '../hashes.ts';
import { packageIdOfPath, showPackageId } from '../opam/package-id.ts';
import { parseChecksum } from '../opam/sources.ts';
import type { ArchiveDeclaration } from '../store/catalogue.ts';
import type { Verdict } from '../verify/dialect.ts';
import { archivesIn } from './declarations.ts';
import type { DeclaredArchive, FileFacts } from './file-facts.ts';
import type { Summary } from './summary.ts';

interface Holder {
  readonly key: string;
  readonly files: readonly FileFacts[];
}

/** The pieces with each archive bound to its signed size and hashes (SIGNED-FORMAT.md, points 8 and 9). */
export function bindSigned(pieces: readonly Holder[], verdict: Verdict): readonly Holder[] {
  const signed = [...verdict.versions.values()].some(({ sources }) => sources.length > 0);
  if (!signed) return pieces;
  return pieces.map((piece) => ({ ...piece, files: piece.files.map((file) => bindFile(file, verdict)) }));
}

function bindFile(file: FileFacts, verdict: Verdict): FileFacts {
  const place = packageIdOfPath(file.path);
  if (place === undefined || file.archives.length === 0) return file;
  const sources = verdict.versions.get(showPackageId(place.id))?.sources ?? [];
  if (sources.length === 0) return file;
  const archives = file.archives.map((archive) => {
    const signed = sources.find(({ source }) => source === (archive.name ?? 'archive'));
    if (signed === undefined) return archive;
    const checksums = signed.checksums.flatMap((text) => parseChecksum(text) ?? []);
    return { ...archive, checksums: union(archive.checksums, checksums), size: signed.size };
  });
  return { ...file, archives };
}

/** Kinds that both give agree, or the version would not have been admitted (point 8). */
function union(declared: readonly Checksum[], signed: readonly Checksum[]): Checksum[] {
  const known = new Set(declared.map((checksum) => showChecksum(checksum)));
  return [...declared, ...signed.filter((checksum) => !known.has(showChecksum(checksum)))];
}

/**
 * Archives of versions that were served before and are held now, but for those that another served version
 * declares: a policy holds for the blob as for the index (HOSTILE 6).
 */
export function withdrawnOf(
  held: Summary['held'],
  before: ReadonlyMap<string, FileFacts>,
  served: readonly Holder[],
): ArchiveDeclaration[] {
  const candidates: DeclaredArchive[] = [];
  for (const { version } of held) {
    const name = version.slice(0, version.indexOf('.'));
    for (const base of ['opam', 'url'])
      candidates.push(...(before.get(`packages/${name}/${version}/${base}`)?.archives ?? []));
  }
  if (candidates.length === 0) return [];
  const standing = new Set<string>();
  for (const archive of archivesIn(served))
    for (const checksum of archive.checksums) standing.add(showChecksum(checksum));
  return candidates.filter(
    ({ checksums }) => !checksums.some((checksum) => standing.has(showChecksum(checksum))),
  );
}
