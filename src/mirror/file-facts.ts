/**
 * What the mirror knows of one file of a tree, found once and kept with the piece it was published in: its
 * SHA-256, and of an opam file its archives. A file whose id is known is neither read nor parsed again.
 */
import { z } from 'zod';
import { reasonOf, SeraiError } from '../errors.ts';
import { HASH_KINDS, isHexOf, parseSha256, type Sha256 } from '../hashes.ts';
import type { Limits } from '../limits.ts';
import { parseOpamFile } from '../opam/parser.ts';
import { type Source, sourceOf, sourcesOf } from '../opam/sources.ts';
import type { OpamFile } from '../opam/syntax.ts';
import { OpamSyntaxError, sourceText, syntaxError } from '../opam/syntax.ts';
import type { FileId } from '../opam/tree.ts';
import type { ArchiveDeclaration } from '../store/catalogue.ts';
import { sha256Of } from './snapshot-id.ts';

export interface FileFacts {
  readonly path: string;
  readonly id: FileId;
  /** In bytes. */
  readonly size: number;
  readonly sha256: Sha256;
  readonly archives: readonly ArchiveDeclaration[];
  /** Why the file cannot be served: it is no opam file. */
  readonly problem?: string;
}

/** Reads one file's facts from its bytes; parses it if archives can stand in it. */
export function factsOf(path: string, id: FileId, bytes: Uint8Array, limits: Limits): FileFacts {
  const sha256 = sha256Of(bytes);
  const facts = { path, id, size: bytes.length, sha256 };
  const base = path.slice(path.lastIndexOf('/') + 1);
  const opam = path.startsWith('packages/') && (base === 'opam' || base === 'url');
  if (!opam) return { ...facts, archives: [] };
  try {
    requireText(bytes);
    const file = parseOpamFile(bytes, { depth: limits.opam_depth });
    return { ...facts, archives: archivesOf(file, base) };
  } catch (error) {
    if (!(error instanceof OpamSyntaxError)) throw error;
    return { ...facts, archives: [], problem: `${path}: ${reasonOf(error)}` };
  }
}

/** opam files are text: a NUL or what is not UTF-8 is an error (HOSTILE 17; no real file has either). */
function requireText(bytes: Uint8Array): void {
  const nul = bytes.indexOf(0);
  if (nul !== -1) throw syntaxError(sourceText(bytes), nul, 'a NUL byte in a text');
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const valid = Buffer.from(Buffer.from(bytes).toString('utf8'), 'utf8');
    let at = 0;
    while (bytes[at] === valid[at]) at += 1;
    throw syntaxError(sourceText(bytes), at, 'a byte that is not UTF-8');
  }
}

function archivesOf(file: OpamFile, base: string): readonly ArchiveDeclaration[] {
  const sources: readonly Source[] = base === 'url' ? [sourceOf(file.items)] : sourcesOf(file);
  return sources
    .filter((source) => source.kind === 'archive' && source.checksums.length > 0)
    .map((source) => ({
      checksums: source.checksums,
      sources: [source.src, ...source.mirrors].filter((url) => /^https?:\/\//i.test(url)),
    }));
}

const archiveRow = z.tuple([
  z.array(z.tuple([z.enum(HASH_KINDS), z.string()]).refine(([kind, hex]) => isHexOf(kind, hex))),
  z.array(z.string()),
]);

const factsRow = z.tuple([
  z.string(),
  z.string().regex(/^(git|sha256):[0-9a-f]+$/),
  z.int().min(0),
  z.string().refine((hex) => parseSha256(hex) !== undefined),
  z.array(archiveRow),
]);

const factsRows = z.array(factsRow);

/** A piece's facts as text, compact, for the catalogue. Files with a problem are never in a piece. */
export function encodeFacts(files: readonly FileFacts[]): string {
  return JSON.stringify(
    files.map((file) => [
      file.path,
      file.id,
      file.size,
      file.sha256,
      file.archives.map((archive) => [
        archive.checksums.map((checksum) => [checksum.kind, checksum.hex]),
        archive.sources,
      ]),
    ]),
  );
}

/** Throws `store-corrupt` when the text is not what {@link encodeFacts} wrote. */
export function decodeFacts(text: string): readonly FileFacts[] {
  const parsed = factsRows.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw new SeraiError('store-corrupt', 'the catalogue holds facts of files that cannot be read', {
      cause: parsed.error,
    });
  }
  return parsed.data.map(([path, id, size, sha256, archives]) => ({
    path,
    id: id as FileId,
    size,
    sha256: sha256 as Sha256,
    archives: archives.map(([checksums, sources]) => ({
      checksums: checksums.map(([kind, hex]) => ({ kind, hex })),
      sources,
    })),
  }));
}
