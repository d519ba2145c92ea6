/** Where a version's bytes come from and what they hash to: its archive, and its extra-sources by name. */
import { HASH_KINDS, showChecksum } from '../../hashes.ts';
import { field, stringOf } from '../../opam/fields.ts';
import { printValue } from '../../opam/printer.ts';
import { type Source, sourceOf } from '../../opam/sources.ts';
import type { Item } from '../../opam/syntax.ts';
import { canonicalItems, itemsOf, sortedItems } from './canonical.ts';
import { type FileFacts, partKey, partsOf } from './facts.ts';
import { detached } from './texts.ts';

/** One source; texts hold one byte a character. */
export interface SourceView {
  /** The address; empty when none is named. */
  readonly src: string;
  /** The canonical text of the field `mirrors`. */
  readonly mirrors: string;
  /** Well-formed ones, as `sha256=…`, in the file's order. */
  readonly checksums: readonly string[];
  /** As written. */
  readonly malformed: readonly string[];
  /** The canonical text of all else that a client may go by: `subpath`, fields unknown, duplicates. */
  readonly rest: string;
}

export interface VersionSources {
  readonly archive?: SourceView;
  readonly extras: ReadonlyMap<string, SourceView>;
}

/** The two files that say what a version is; `url` is 1.2's. */
export interface VersionForm {
  readonly opam: FileFacts;
  readonly url?: FileFacts;
}

const ARCHIVE_KEY = 'url {}';
const EXTRA_SOURCE_KEY = 'extra-source {}';
const SRC_FIELDS: ReadonlySet<string> = new Set([
  'src',
  'archive',
  'http',
  'git',
  'darcs',
  'hg',
  'local',
  'rsync',
]);
const VIEWED: ReadonlySet<string> = new Set([...SRC_FIELDS, 'checksum', 'mirrors']);
/** Addresses whose scheme says already by what they are fetched. */
const NAMES_ITS_TOOL = /^(?:git|hg|darcs|rsync)(?:\+|:)/;

/** True for what is compared as a source, and by nobody else. */
export function isSourceKey(key: string): boolean {
  return key === ARCHIVE_KEY || key.startsWith(EXTRA_SOURCE_KEY);
}

/** True when a client can read all of it: a `url` file only where `opam` has no section of that name. */
export function isReadable({ opam, url }: VersionForm): boolean {
  return opam.readable && (url === undefined || url.readable || opam.keys.includes(ARCHIVE_KEY));
}

/** What cannot be read names no source. */
export function sourcesOfForm({ opam, url }: VersionForm): VersionSources {
  const extras = new Map<string, SourceView>();
  let archive: SourceView | undefined;
  for (const [key, text] of opam.readable ? partsOf(opam) : []) {
    if (!isSourceKey(key)) continue;
    const [first, ...duplicates] = itemsOf(text);
    if (first?.kind !== 'section') continue;
    const view = viewOf(first.items, duplicates);
    if (key === ARCHIVE_KEY) archive = view;
    else extras.set(detached(first.label ?? ''), view);
  }
  // opam reads the `url` file only where its `opam` file has no such section.
  if (archive === undefined && url?.readable === true) archive = viewOf(itemsOf(url.source), []);
  return archive === undefined ? { extras } : { archive, extras };
}

function viewOf(items: readonly Item[], duplicates: readonly Item[]): SourceView {
  const source = sourceOf(items);
  const seen = new Set<string>();
  const rest = items.filter((item) => {
    // Of duplicates opam takes the first; what the others say is no part of the view.
    const viewed = item.kind === 'field' && VIEWED.has(item.name) && !seen.has(item.name);
    seen.add(partKey(item));
    return !viewed && !item.name.startsWith('x-');
  });
  const mirrors = field(items, 'mirrors');
  return {
    src: detached(addressOf(source, items)),
    mirrors: mirrors === undefined ? '' : detached(printValue(mirrors)),
    checksums: [...new Set(source.checksums.map((checksum) => detached(showChecksum(checksum))))],
    malformed: source.malformed.map(detached),
    rest: detached(canonicalItems([...sortedItems(rest), ...duplicates])),
  };
}

/** The address as opam 2 writes it: `git: "https://…"` of 1.2 is `src: "git+https://…"` today. */
function addressOf({ src }: Source, items: readonly Item[]): string {
  const named = items.find((item) => item.kind === 'field' && SRC_FIELDS.has(item.name));
  if (named?.kind !== 'field') return src;
  // What is no plain string is no address for opam; that it changes is still to be seen.
  if (src === '') return printValue(named.value);
  const tool = ['git', 'darcs', 'hg', 'rsync'].find((name) => stringOf(field(items, name)) === src);
  return tool === undefined || NAMES_ITS_TOOL.test(src) ? src : `${tool}+${src}`;
}

/** The kind of hash that a malformed checksum means to be: `sha512=zz` stands where a sha512 should. */
export function claimedKind(malformed: string): string | undefined {
  const equals = malformed.indexOf('=');
  if (equals === -1) return /^[0-9A-Fa-f]+$/.test(malformed) ? 'md5' : undefined;
  const kind = malformed.slice(0, equals).toLowerCase();
  return HASH_KINDS.find((known) => known === kind);
}
