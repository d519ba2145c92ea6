/**
 * What a publication takes from clients beside the index, and gives back: a policy holds for the blob as for the
 * index, in every form that the version ever had (HOSTILE 6 and 27).
 */
import type { SourceEdit } from '../../opam/source-edits.ts';
import type { ArchiveDeclaration, Catalogue } from '../../store/catalogue.ts';
import { undeclared } from '../archives/signed-archives.ts';
import type { FileFacts } from '../index/file-facts.ts';
import { filesByVersion, folderOf, packageNameOf } from '../index/version-files.ts';
import type { Summary } from '../report/summary.ts';
import { archivesOfIdentity } from './archive-identity.ts';

interface Holder {
  readonly files: readonly FileFacts[];
}

export interface ServedChange {
  readonly withdrawn: readonly ArchiveDeclaration[];
  readonly restored: readonly ArchiveDeclaration[];
}

export interface ServedChangeInput {
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly before: Pick<Summary, 'held'> | undefined;
  readonly held: Summary['held'];
  /** Of accepted files, by path, before and now. */
  readonly facts: readonly [before: ReadonlyMap<string, FileFacts>, now: ReadonlyMap<string, FileFacts>];
  /** Of the served pieces, bound to what is signed. */
  readonly served: readonly (Holder & { readonly key: string })[];
}

export async function servedChange(input: ServedChangeInput): Promise<ServedChange> {
  const wasHeld = new Set(input.before?.held.map(({ version }) => version));
  const isHeld = new Set(input.held.map(({ version }) => version));
  if (wasHeld.size === 0 && isHeld.size === 0) return { withdrawn: [], restored: [] };
  const paths = new Set(pathsOf(input));
  const served = filesByVersion(paths);
  // One that verification withheld and that is gone stays withdrawn.
  const over = [...wasHeld].filter((version) => !isHeld.has(version) && served.has(version));
  // What is restored may share a checksum with what is to stay withdrawn, and what is not served any more may have been
  // the reason that something was not withdrawn: so that is said again.
  const anew = over.length > 0 || isLess(paths, input);
  const taken = anew ? [...isHeld] : [...isHeld].filter((version) => !wasHeld.has(version));
  const held = await archivesOf(taken, input);
  return { withdrawn: undeclared(held, input.served), restored: await archivesOf(over, input) };
}

/**
 * The sets that strengthened files of these pieces declared before: an archive that has their weak hashes alone is none
 * any more. Listed again by the pieces themselves are the sets with the strong ones.
 */
export function outgrown(
  fresh: readonly Holder[],
  edits: ReadonlyMap<string, readonly SourceEdit[]>,
  accepted: ReadonlyMap<string, FileFacts>,
): ArchiveDeclaration[] {
  if (edits.size === 0) return [];
  return fresh.flatMap(({ files }) =>
    files.flatMap(({ path }) => {
      const strengthened = (edits.get(path) ?? []).filter(({ checksums }) => checksums !== undefined);
      const names = new Set(strengthened.map(({ name }) => name));
      const archives = accepted.get(path)?.archives ?? [];
      return archives
        .filter(({ name }) => names.has(name))
        .map(({ checksums }) => ({ checksums, sources: [] }));
    }),
  );
}

function* pathsOf({ served }: ServedChangeInput): Generator<string> {
  for (const { files } of served) for (const { path } of files) yield path;
}

/** Whether a file that declared archives is other than it was, or not served. */
function isLess(paths: ReadonlySet<string>, { facts: [before, now] }: ServedChangeInput): boolean {
  for (const [path, { sha256, archives, others }] of before)
    if (archives.length + others.length > 0 && !(paths.has(path) && now.get(path)?.sha256 === sha256))
      return true;
  return false;
}

/** Names asked about one by one; beyond, all are read at once. */
const FEW_NAMES = 50;

async function archivesOf(
  versions: readonly string[],
  { repository, catalogue, facts }: ServedChangeInput,
): Promise<ArchiveDeclaration[]> {
  if (versions.length === 0) return [];
  const pins = new Map((await catalogue.pins(repository)).map(({ key, checksums }) => [key, checksums]));
  const wanted = new Set(versions);
  const names = new Set(versions.map(packageNameOf));
  const archives: ArchiveDeclaration[] = [];
  for (const name of names.size > FEW_NAMES ? [undefined] : names)
    for (const { version, identity } of await catalogue.firstSeen(repository, name))
      if (wanted.has(version) && identity !== '')
        archives.push(...archivesOfIdentity(identity, (key) => pins.get(key)));
  for (const version of versions)
    for (const base of ['opam', 'url'])
      for (const known of facts) {
        const file = known.get(folderOf(version) + base);
        archives.push(...(file?.archives ?? []));
        for (const { src } of file?.others ?? []) {
          const checksums = pins.get(`src ${src}`);
          if (checksums !== undefined) archives.push({ checksums, sources: [] });
        }
      }
  return archives;
}
