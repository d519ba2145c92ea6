/** Archives of signed versions: what the signers stand for is demanded beside what the opam file says. */
import { type Checksum, showChecksum } from '../../hashes.ts';
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import { parseChecksum } from '../../opam/sources.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import type { SignedSource, Verdict } from '../../verify/dialect.ts';
import type { FileFacts } from '../index/file-facts.ts';
import type { PieceFiles } from '../index/standing-tree.ts';
import { readVerdict } from '../trust/stored-verdict.ts';

/** What the signers of each version stand for, by `name.version`; empty where nothing is signed. */
export type SignedSources = ReadonlyMap<string, readonly SignedSource[]>;

export function signedSourcesOf(verdict: Verdict): SignedSources {
  const signed = new Map<string, readonly SignedSource[]>();
  for (const [version, { sources }] of verdict.versions) if (sources.length > 0) signed.set(version, sources);
  return signed;
}

/** The same as the verdicts of the last sync said, without the versions in `held`: those are served in another form. */
export async function storedSignedSources(
  repository: string,
  held: readonly { readonly version: string }[],
  catalogue: Pick<Catalogue, 'verdicts'>,
): Promise<SignedSources> {
  const isHeld = new Set(held.map(({ version }) => version));
  const signed = new Map<string, readonly SignedSource[]>();
  for (const { version, verdict } of await catalogue.verdicts(repository)) {
    const sources = readVerdict(verdict)?.sources ?? [];
    if (sources.length > 0 && !isHeld.has(version)) signed.set(version, sources);
  }
  return signed;
}

/** The piece with each archive bound to its signed size and hashes (SIGNED-FORMAT.md, points 8 and 9). */
export function bindSigned(piece: PieceFiles, signed: SignedSources): PieceFiles {
  if (signed.size === 0) return piece;
  return { ...piece, files: piece.files.map((file) => bindFile(file, signed)) };
}

function bindFile(file: FileFacts, bySigners: SignedSources): FileFacts {
  const place = packageIdOfPath(file.path);
  if (place === undefined || file.archives.length === 0) return file;
  const sources = bySigners.get(showPackageId(place.id)) ?? [];
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
