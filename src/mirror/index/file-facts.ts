/**
 * What the mirror knows of one file of a tree, found once and kept with the piece it was published in: its
 * SHA-256, and of an opam file its archives. A file whose id is known is neither read nor parsed again.
 */
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { reasonOf, SeraiError } from '../../errors.ts';
import { HASH_KINDS, HEX_LENGTH, isHexOf, measuredSha256, parseSha256, type Sha256 } from '../../hashes.ts';
import { parseJson } from '../../json.ts';
import type { Limits } from '../../limits.ts';
import { parsePackageId } from '../../opam/package-id.ts';
import { parseOpamFile } from '../../opam/parser.ts';
import { type Source, type SourceKind, sourceOf, sourcesOf } from '../../opam/sources.ts';
import type { OpamFile } from '../../opam/syntax.ts';
import { OpamSyntaxError, sourceText, syntaxError } from '../../opam/syntax.ts';
import type { FileId, TreeFile } from '../../opam/tree.ts';
import type { ArchiveDeclaration, PieceContent } from '../../store/catalogue.ts';
import { sha256Of } from './snapshot-id.ts';

/** An archive as an opam file declares it; `name` is an extra-source's, absent for the `url` section. */
export interface DeclaredArchive extends ArchiveDeclaration {
  readonly name?: string;
  /** As written; where there is one, clients drop all checksums. */
  readonly malformed?: readonly string[];
}

/** A source that no archive of the mirror can stand for: without a checksum, or under version control. */
export interface OtherSource {
  readonly name?: string;
  readonly src: string;
  readonly kind: SourceKind;
  readonly malformed: readonly string[];
}

export interface FileFacts {
  readonly path: string;
  readonly id: FileId;
  /** In bytes. */
  readonly size: number;
  readonly sha256: Sha256;
  readonly archives: readonly DeclaredArchive[];
  readonly others: readonly OtherSource[];
  /** Why the file cannot be served: it is no opam file. */
  readonly problem?: string;
}

/** Whether the facts are of this very file's bytes, as far as ids tell. */
export function sameBytes(facts: FileFacts, file: TreeFile): boolean {
  return facts.id === file.id || file.id === `sha256:${facts.sha256}`;
}

/** Taken from the id where that is one: the reader of the tree has measured it. */
export function sha256OfFile(file: TreeFile, bytes: Uint8Array): Sha256 {
  return file.id.startsWith('sha256:') ? measuredSha256(file.id.slice('sha256:'.length)) : sha256Of(bytes);
}

/** Finds one file's facts from its bytes; parses it if archives can stand in it. */
export function findFacts(file: TreeFile, sha256: Sha256, bytes: Uint8Array, limits: Limits): FileFacts {
  const { path, id } = file;
  const facts = { path, id, size: bytes.length, sha256 };
  const base = opamFileName(path);
  if (base === undefined) return { ...facts, archives: [], others: [] };
  try {
    requireText(bytes);
    const parsed = parseOpamFile(bytes, { depth: limits.opam_depth });
    return { ...facts, ...declaredIn(parsed, base) };
  } catch (error) {
    if (!(error instanceof OpamSyntaxError)) throw error;
    return { ...facts, archives: [], others: [], problem: `${path}: ${reasonOf(error)}` };
  }
}

/**
 * `opam` or `url` for a version's own file, wherever below `packages/` its folder stands: opam looks for
 * folders called `name.version` at any depth. A file of that name in `files/` is any file.
 */
function opamFileName(path: string): 'opam' | 'url' | undefined {
  if (!path.startsWith('packages/')) return undefined;
  const end = path.lastIndexOf('/');
  const base = path.slice(end + 1);
  if (base !== 'opam' && base !== 'url') return undefined;
  const folder = path.slice(path.lastIndexOf('/', end - 1) + 1, end);
  return parsePackageId(folder) === undefined ? undefined : base;
}

/**
 * opam files are text: a NUL or what is not UTF-8 is an error (HOSTILE 17; no real file has either). Throws
 * OpamSyntaxError.
 */
export function requireText(bytes: Uint8Array): void {
  const nul = bytes.indexOf(0);
  if (nul !== -1) throw syntaxError(sourceText(bytes), nul, 'a NUL byte in a text');
  if (isUtf8(bytes)) return;
  const replaced = Buffer.from(Buffer.from(bytes).toString('utf8'), 'utf8');
  let at = 0;
  while (at < bytes.length && bytes[at] === replaced[at]) at += 1;
  throw syntaxError(sourceText(bytes), at, 'a byte that is not UTF-8');
}

function declaredIn(file: OpamFile, base: string): Pick<FileFacts, 'archives' | 'others'> {
  const archives: DeclaredArchive[] = [];
  const others: OtherSource[] = [];
  const sources: readonly Source[] = base === 'url' ? [sourceOf(file.items)] : sourcesOf(file);
  const names = new Set<string | undefined>();
  for (const source of sources) {
    const { kind } = source;
    // Of several of one name opam takes the first.
    if (names.has(source.name)) continue;
    names.add(source.name);
    const name = source.name === undefined ? {} : { name: copyOf(source.name) };
    const malformed = source.malformed.map(copyOf);
    if (kind !== 'archive' || source.checksums.length === 0) {
      others.push({ ...name, src: copyOf(source.src), kind, malformed });
      continue;
    }
    archives.push({
      checksums: source.checksums.map((checksum) => ({ kind: checksum.kind, hex: copyOf(checksum.hex) })),
      sources: [source.src, ...source.mirrors].filter((url) => /^https?:\/\//i.test(url)).map(copyOf),
      ...name,
      ...(malformed.length === 0 ? {} : { malformed }),
    });
  }
  return { archives, others };
}

/**
 * The parser's texts are views on the whole file's, which would stay in memory with them: for the real
 * repository 25 MiB, as long as the facts are kept.
 */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

const archiveRow = z.tuple([
  z.array(z.tuple([z.enum(HASH_KINDS), z.string()]).refine(([kind, hex]) => isHexOf(kind, hex))),
  z.array(z.string()),
  z.string().nullable(),
  z.array(z.string()),
]);

const otherRow = z.tuple([
  z.string().nullable(),
  z.string(),
  z.enum(['archive', 'version-control']),
  z.array(z.string()),
]);

const factsRow = z.tuple([
  z.string().regex(/^(git|sha256|derived):[0-9a-f]+$/),
  z.int().min(0),
  z.array(archiveRow),
  z.array(otherRow),
]);

const factsRows = z.array(factsRow);

/** A line as `sha256sum` prints it (SIGNED-FORMAT.md, point 11). */
export function listingLine({ path, sha256 }: Pick<FileFacts, 'path' | 'sha256'>): string {
  return `${sha256}  ${path}\n`;
}

export function listingOf(files: readonly Pick<FileFacts, 'path' | 'sha256'>[]): string {
  let listing = '';
  for (const file of files) listing += listingLine(file);
  return listing;
}

/** What is in a piece as text, compact, for the catalogue. Files with a problem are never in a piece. */
export function encodeContent(files: readonly FileFacts[]): PieceContent {
  const facts = files.map((file) => [
    file.id,
    file.size,
    file.archives.map((archive) => [
      archive.checksums.map((checksum) => [checksum.kind, checksum.hex]),
      archive.sources,
      archive.name ?? null,
      archive.malformed ?? [],
    ]),
    file.others.map(({ name, src, kind, malformed }) => [name ?? null, src, kind, malformed]),
  ]);
  return { listing: listingOf(files), facts: JSON.stringify(facts) };
}

/** The files of a listing. Throws `store-corrupt` when it is none. */
export function readListing(listing: string): { readonly path: string; readonly sha256: Sha256 }[] {
  const lines = listing.split('\n');
  if (lines.pop() !== '') throw corrupt();
  return lines.map((line) => {
    const sha256 = parseSha256(line.slice(0, SHA256_DIGITS));
    if (sha256 === undefined || line.slice(SHA256_DIGITS, PATH_AT) !== '  ') throw corrupt();
    return { path: line.slice(PATH_AT), sha256 };
  });
}

/** Throws `store-corrupt` when the texts are not what {@link encodeContent} wrote. */
export function decodeContent({ listing, facts }: PieceContent): readonly FileFacts[] {
  const parsed = factsRows.safeParse(parseJson(facts));
  const files = readListing(listing);
  if (!parsed.success || parsed.data.length !== files.length) throw corrupt(parsed.error);
  return parsed.data.map(([id, size, archives, others], index) => {
    const { path = '', sha256 } = files[index] ?? {};
    if (sha256 === undefined) throw corrupt();
    return {
      path,
      // The schema has matched it.
      id: id as FileId,
      size,
      sha256,
      archives: archives.map(([checksums, sources, name, malformed]) => ({
        checksums: checksums.map(([kind, hex]) => ({ kind, hex })),
        sources,
        ...(name === null ? {} : { name }),
        ...(malformed.length === 0 ? {} : { malformed }),
      })),
      others: others.map(([name, src, kind, malformed]) => ({
        ...(name === null ? {} : { name }),
        src,
        kind,
        malformed,
      })),
    };
  });
}

function corrupt(cause?: unknown): SeraiError {
  return new SeraiError('store-corrupt', 'the catalogue holds facts of files that cannot be read', { cause });
}

const SHA256_DIGITS = HEX_LENGTH.sha256;
/** In a line of a listing, behind the digits and two blanks. */
export const PATH_AT: number = SHA256_DIGITS + 2;
