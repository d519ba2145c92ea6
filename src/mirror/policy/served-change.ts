/**
 * What a publication takes from clients beside the index, and gives back: a policy holds for the blob as for the
 * index, in every form that the version ever had (HOSTILE 6 and 27).
 */

import { type Checksum, showChecksum } from '../../hashes.ts';
import type { SourceEdit } from '../../opam/source-edits.ts';
import type { ArchiveDeclaration, Catalogue } from '../../store/catalogue.ts';
import { archivesIn } from '../archives/declarations.ts';
import type { FileFacts } from '../index/file-facts.ts';
import type { PieceFiles, StandingTree } from '../index/standing-tree.ts';
import { folderOf, packageNameOf } from '../index/version-files.ts';
import type { Summary } from '../report/summary.ts';
import { archivesOfIdentity } from './archive-identity.ts';

export interface ServedChange {
  readonly withdrawn: readonly ArchiveDeclaration[];
  readonly restored: readonly ArchiveDeclaration[];
}

export interface ServedChangeInput {
  readonly repository: string;
  readonly catalogue: Pick<Catalogue, 'naming' | 'firstSeen' | 'pins'>;
  readonly before: Pick<Summary, 'held'> | undefined;
  readonly held: Summary['held'];
  /** The accepted trees, before and now. */
  readonly accepted: readonly [before: StandingTree, now: StandingTree];
  /** What is served now, and of that the pieces that were not served before, bound to what is signed. */
  readonly served: StandingTree;
  readonly entering: readonly PieceFiles[];
}

/** What is withdrawn, and said again of what is held still: what it was spared for may be served no more. */
export async function servedChange(input: ServedChangeInput): Promise<ServedChange> {
  const { served } = input;
  const wasHeld = new Set(input.before?.held.map(({ version }) => version));
  const isHeld = new Set(input.held.map(({ version }) => version));
  if (wasHeld.size === 0 && isHeld.size === 0) return { withdrawn: [], restored: [] };
  // One that verification withheld and that is gone stays withdrawn.
  const over = [...wasHeld].filter(
    (version) => !isHeld.has(version) && served.has(`${folderOf(version)}opam`),
  );
  const held = await archivesOf([...isHeld], input);
  return { withdrawn: await undeclared(held, input), restored: await archivesOf(over, input) };
}

/** Of these archives those that no served file declares with any of their checksums. */
async function undeclared(
  archives: readonly ArchiveDeclaration[],
  { repository, catalogue, served, entering }: ServedChangeInput,
): Promise<ArchiveDeclaration[]> {
  const asked = new Map<string, Checksum>();
  for (const { checksums } of archives)
    for (const checksum of checksums) asked.set(showChecksum(checksum), checksum);
  if (asked.size === 0) return [];
  const standing = new Set<string>();
  for (const archive of archivesIn(entering))
    for (const checksum of archive.checksums) standing.add(showChecksum(checksum));
  const enters = new Set(entering.map(({ key }) => key));
  const stays = new Set(served.pieces.map(({ key }) => key).filter((key) => !enters.has(key)));
  const texts = [...asked.keys()];
  const pieces = await catalogue.naming(repository, [...asked.values()]);
  for (const [index, text] of texts.entries())
    if (pieces[index]?.some((key) => stays.has(key)) === true) standing.add(text);
  return archives.filter(
    ({ checksums }) => !checksums.some((checksum) => standing.has(showChecksum(checksum))),
  );
}

/**
 * The sets that strengthened files of these pieces declared before: an archive that has their weak hashes alone is none
 * any more. Listed again by the pieces themselves are the sets with the strong ones.
 */
export function outgrown(
  fresh: readonly PieceFiles[],
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

/** Names asked about one by one; beyond, all are read at once. */
const FEW_NAMES = 50;

async function archivesOf(
  versions: readonly string[],
  { repository, catalogue, accepted }: ServedChangeInput,
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
  const paths = versions.flatMap((version) => [`${folderOf(version)}opam`, `${folderOf(version)}url`]);
  for (const tree of accepted)
    for (const { archives: declared, others } of (await tree.factsAt(paths)).values()) {
      archives.push(...declared);
      for (const { src } of others) {
        const checksums = pins.get(`src ${src}`);
        if (checksums !== undefined) archives.push({ checksums, sources: [] });
      }
    }
  return archives;
}
