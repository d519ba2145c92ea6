/**
 * A version's archive identity: the sets of checksums of its archive and extra-sources, as one text that is kept
 * for ever (issue 4, point 1), and what the guard makes of it when a version comes back.
 */
import { z } from 'zod';
import { SeraiError } from '../../errors.ts';
import { type Checksum, showChecksum } from '../../hashes.ts';
import { parseJson } from '../../json.ts';
import { parseChecksum } from '../../opam/sources.ts';
import type { ArchiveDeclaration } from '../../store/catalogue.ts';
import type { SourceView, VersionSources } from '../../verify/guard/sources.ts';
import type { FileFacts } from '../index/file-facts.ts';

/** `[name or null, checksums sorted, the address where there are none]`, sorted by name. */
const identityRows = z.array(z.tuple([z.string().nullable(), z.array(z.string()), z.string()]));

type Row = z.infer<typeof identityRows>[number];

/** From the facts of a version's `opam` and `url` files. */
export function identityOf(files: readonly FileFacts[]): string {
  const rows = files.flatMap((file): Row[] => [
    ...file.archives.map(
      ({ name, checksums }): Row => [name ?? null, sorted(checksums.map(showChecksum)), ''],
    ),
    ...file.others.map(({ name, src }): Row => [name ?? null, [], src]),
  ]);
  return JSON.stringify(rows.sort(([a], [b]) => compareNames(a, b)));
}

/** As {@link identityOf}, from what the guard reads of the same files. */
export function identityOfSources({ archive, extras }: VersionSources): string {
  const row = (name: string | null, view: SourceView): Row => {
    const checksums = sorted(view.checksums);
    return [name, checksums, checksums.length === 0 ? view.src : ''];
  };
  const rows = [...extras].map(([name, view]) => row(name, view));
  if (archive !== undefined) rows.push(row(null, archive));
  return JSON.stringify(rows.sort(([a], [b]) => compareNames(a, b)));
}

/** What the guard compares a version with that comes back. */
export function sourcesOfIdentity(identity: string): VersionSources {
  const extras = new Map<string, SourceView>();
  let archive: SourceView | undefined;
  for (const [name, checksums, src] of rowsOf(identity)) {
    const view = { src, mirrors: '', checksums, malformed: [], rest: '' };
    if (name === null) archive ??= view;
    else if (!extras.has(name)) extras.set(name, view);
  }
  return archive === undefined ? { extras } : { archive, extras };
}

/** The archives that the identity names, and of those without a checksum what is `pinned` under their address. */
export function archivesOfIdentity(
  identity: string,
  pinned: (key: string) => readonly Checksum[] | undefined,
): ArchiveDeclaration[] {
  return rowsOf(identity)
    .map(([, texts, src]) => ({
      checksums:
        texts.length > 0 ? texts.flatMap((text) => parseChecksum(text) ?? []) : (pinned(`src ${src}`) ?? []),
      sources: [],
    }))
    .filter(({ checksums }) => checksums.length > 0);
}

function rowsOf(identity: string): readonly Row[] {
  const parsed = identityRows.safeParse(parseJson(identity));
  if (parsed.success) return parsed.data;
  throw new SeraiError('store-corrupt', 'the catalogue holds an archive identity that cannot be read', {
    cause: parsed.error,
  });
}

function sorted(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}

/** The archive itself first. */
function compareNames(a: string | null, b: string | null): number {
  if (a === b) return 0;
  return a === null || (b !== null && a < b) ? -1 : 1;
}
