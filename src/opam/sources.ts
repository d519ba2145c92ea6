/** Typed views of an opam file's `url` and `extra-source` sections: where archives are and what they hash to. */
import { type Checksum, HASH_KINDS, isHexOf } from '../hashes.ts';
import { elementsOf, field, sections } from './fields.ts';
import type { Item, OpamFile, Value } from './syntax.ts';

/** How a source is fetched: by HTTP(S) as an archive, or by a version control system past every mirror. */
export type SourceKind = 'archive' | 'version-control';

export interface Source {
  /** The extra-source's name; undefined for the `url` section. */
  readonly name?: string;
  /** As written; bytes. Empty when the section names none. */
  readonly src: string;
  readonly mirrors: readonly string[];
  readonly kind: SourceKind;
  /** Well-formed ones in the file's order; a client asks a mirror for the first only. */
  readonly checksums: readonly Checksum[];
  /**
   * Checksums that are none: an unknown kind, a wrong length, not hexadecimal. As written. Where there is one,
   * a client drops the whole field: it verifies nothing, and asks no mirror.
   */
  readonly malformed: readonly string[];
  readonly subpath?: string;
}

/** `src`, or one of the names it had before opam 2.0. */
export const SRC_FIELDS: readonly string[] = [
  'src',
  'archive',
  'http',
  'git',
  'darcs',
  'hg',
  'local',
  'rsync',
];
/** Those that leave it to the address whether it is an archive. */
export const ARCHIVE_FIELDS: readonly string[] = ['src', 'archive', 'http'];
const VERSION_CONTROL = /^(git|hg|darcs|rsync|ssh|file)(\+|:)|\.git(#|$)|^[^/@:]+@[^/:]+:/;

/** The file's sources: the `url` section's first, then the extra-sources in the file's order. */
export function sourcesOf(file: OpamFile): readonly Source[] {
  const found: Source[] = [];
  for (const section of sections(file.items, 'url').slice(0, 1)) found.push(sourceOf(section.items));
  for (const section of sections(file.items, 'extra-source')) {
    found.push({ ...sourceOf(section.items), name: section.label ?? '' });
  }
  return found;
}

/** The items of one `url` or `extra-source` section, or of an opam 1.2 `url` file. */
export function sourceOf(items: readonly Item[]): Source {
  const srcField = srcFieldOf(items);
  const src = plainString(field(items, srcField)) ?? '';
  const checksums: Checksum[] = [];
  const malformed: string[] = [];
  for (const text of plainStrings(field(items, 'checksum')) ?? ['not strings']) {
    const checksum = parseChecksum(text);
    if (checksum === undefined) malformed.push(text);
    else checksums.push(checksum);
  }
  const subpath = plainString(field(items, 'subpath'));
  const archive = ARCHIVE_FIELDS.includes(srcField);
  return {
    src,
    mirrors: plainStrings(field(items, 'mirrors')) ?? [],
    kind: archive && !VERSION_CONTROL.test(src) ? 'archive' : 'version-control',
    checksums,
    malformed,
    ...(subpath === undefined ? {} : { subpath }),
  };
}

/** The name of the field that says where the source is; `src` when none does. */
export function srcFieldOf(items: readonly Item[]): string {
  return SRC_FIELDS.find((name) => plainString(field(items, name)) !== undefined) ?? 'src';
}

/** A string as opam wants it in these fields, where it reads nothing that has parentheses around it. */
function plainString(value: Value | undefined): string | undefined {
  return value?.kind === 'string' ? value.text : undefined;
}

/** The strings of a list or a lone one; none for an absent field, undefined when anything else stands there. */
export function plainStrings(value: Value | undefined): readonly string[] | undefined {
  const strings = elementsOf(value).map((element) => plainString(element));
  return strings.every((text) => text !== undefined) ? strings : undefined;
}

/** `md5=…`, `sha256=…`, `sha512=…`, or bare hex meaning md5; kinds and hex in any case. */
export function parseChecksum(text: string): Checksum | undefined {
  const equals = text.indexOf('=');
  const kindText = equals === -1 ? 'md5' : text.slice(0, equals).toLowerCase();
  const hex = text.slice(equals + 1).toLowerCase();
  const kind = HASH_KINDS.find((known) => known === kindText);
  if (kind === undefined || !isHexOf(kind, hex)) return undefined;
  return { kind, hex };
}
