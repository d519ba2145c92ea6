/** One source of a version as policy sees it: what its checksums are worth, and what it is pinned by. */
import { type Checksum, type HashKind, showChecksum } from '../../hashes.ts';
import { excerpt } from '../../opam/syntax.ts';

/** One archive or extra-source of a version, as its files declare it. */
export interface DeclaredSource {
  /** The extra-source's name; undefined for the archive itself. */
  readonly name?: string;
  /** As written. */
  readonly src: string;
  readonly kind: 'archive' | 'version-control';
  /** Well-formed ones. */
  readonly checksums: readonly Checksum[];
  /** Any that is not well-formed makes clients drop all of them. */
  readonly malformed: readonly string[];
  /** It stands in a `url` file of format 1.2, which cannot carry what was there before. */
  readonly inUrlFile: boolean;
}

/** Kinds that prove what they claim (HOSTILE.md, point 5). */
const STRONG_KINDS: ReadonlySet<HashKind> = new Set(['sha256', 'sha512']);

export function isStrong({ kind }: Checksum): boolean {
  return STRONG_KINDS.has(kind);
}

/** Clients compare the bytes of an archive with its checksums, unless one is malformed; of a checkout they have none. */
export function isChecked({ kind, checksums, malformed }: DeclaredSource): boolean {
  return kind === 'archive' && malformed.length === 0 && checksums.length > 0;
}

/**
 * What strong hashes of the source are kept under: its weak checksums in one order (`md5=…`), or `src URL` of an
 * archive without any. Undefined where nothing can be pinned: strong ones are there, one is malformed, it is under
 * version control, or there is neither a checksum nor an address of HTTP.
 */
export function pinKey(source: DeclaredSource): string | undefined {
  const { src, kind, checksums, malformed } = source;
  if (kind !== 'archive' || malformed.length > 0 || checksums.some(isStrong)) return undefined;
  if (checksums.length > 0) return [...new Set(checksums.map(showChecksum))].sort().join(' ');
  return /^https?:\/\//i.test(src) ? `src ${src}` : undefined;
}

/** For the reasons that people read. */
export function showSource({ name }: DeclaredSource): string {
  return name === undefined ? 'the archive' : `the extra-source ${excerpt(name)}`;
}
