/**
 * What a publication takes from clients beside the index, and gives back: a policy holds for the blob as for the
 * index, in every form that the version ever had (HOSTILE 6 and 27).
 */
import type { ArchiveDeclaration, Catalogue } from '../store/catalogue.ts';
import { archivesOfIdentity } from './archive-identity.ts';
import type { FileFacts } from './file-facts.ts';
import { undeclared } from './signed-archives.ts';
import type { Summary } from './summary.ts';
import { filesByVersion } from './version-files.ts';

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
  readonly facts: readonly ReadonlyMap<string, FileFacts>[];
  /** Of the served pieces, bound to what is signed. */
  readonly served: readonly (Holder & { readonly key: string })[];
}

export async function servedChange(input: ServedChangeInput): Promise<ServedChange> {
  const wasHeld = new Set(input.before?.held.map(({ version }) => version));
  const isHeld = new Set(input.held.map(({ version }) => version));
  const ended = [...wasHeld].filter((version) => !isHeld.has(version));
  // One that verification withheld and that is gone stays withdrawn.
  const served = ended.length === 0 ? undefined : filesByVersion(pathsOf(input));
  const over = ended.filter((version) => served?.has(version) === true);
  // What is restored may share a checksum with what is to stay withdrawn, so that is said again.
  const taken = over.length > 0 ? [...isHeld] : [...isHeld].filter((version) => !wasHeld.has(version));
  const held = await archivesOf(taken, input);
  return { withdrawn: undeclared(held, input.served), restored: await archivesOf(over, input) };
}

function* pathsOf({ served }: ServedChangeInput): Generator<string> {
  for (const { files } of served) for (const { path } of files) yield path;
}

async function archivesOf(
  versions: readonly string[],
  { repository, catalogue, facts }: ServedChangeInput,
): Promise<ArchiveDeclaration[]> {
  const archives: ArchiveDeclaration[] = [];
  const byName = Map.groupBy(versions, (version) => version.slice(0, version.indexOf('.')));
  for (const [name, ofName] of byName) {
    const wanted = new Set(ofName);
    for (const { version, identity } of await catalogue.firstSeen(repository, name))
      if (wanted.has(version) && identity !== '') archives.push(...archivesOfIdentity(identity));
    for (const version of ofName)
      for (const base of ['opam', 'url'])
        for (const known of facts) archives.push(...(known.get(folderOf(version) + base)?.archives ?? []));
  }
  return archives;
}

function folderOf(version: string): string {
  return `packages/${version.slice(0, version.indexOf('.'))}/${version}/`;
}
