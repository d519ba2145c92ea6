/** From the accepted tree to the one that clients get: which versions, and what is changed in their files. */

import { reasonOf, SeraiError } from '../../errors.ts';
import { showChecksum } from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import { packageIdOfPath } from '../../opam/package-id.ts';
import { editSources, type SourceEdit } from '../../opam/source-edits.ts';
import { compareBytewise, type FileId, type Tree, type TreeFile } from '../../opam/tree.ts';
import type { FirstSeen } from '../../store/catalogue.ts';
import { type DeclaredSource, pinKey } from '../../verify/policy/declared-source.ts';
import type { AcceptedVersion, ServingDecision } from '../../verify/policy/serving.ts';
import { digestOf } from '../digest.ts';
import type { DeclaredArchive, FileFacts } from '../index/file-facts.ts';
import { folderOf } from '../index/version-files.ts';

export interface RuledVersion {
  /** `name.version`. */
  readonly version: string;
  readonly rule: string;
  readonly reason: string;
}

export interface Derivation {
  /** Versions that are not served, of those that were looked at. */
  readonly leftOut: ReadonlySet<string>;
  /** By path, of the versions that were looked at. */
  readonly edits: ReadonlyMap<string, readonly SourceEdit[]>;
  /** Of all versions, in the order of their folders. */
  readonly held: readonly RuledVersion[];
  readonly warnings: readonly RuledVersion[];
  /** Milliseconds since the epoch at which time alone may change this. */
  readonly changesAt?: number;
}

export interface DerivationInput {
  /** Paths of accepted files by version, of the versions to look at. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
  /** Of those files, by path. */
  readonly facts: ReadonlyMap<string, FileFacts>;
  /** What holds of versions that are not looked at: they were under the same rules. */
  readonly before: Pick<Derivation, 'held' | 'warnings' | 'changesAt'>;
  readonly decide: (version: AcceptedVersion, now: number) => ServingDecision;
  readonly firstSeen: (version: string) => Pick<FirstSeen, 'at' | 'baseline'> | undefined;
  /** Versions that upstream removed, by when, and for how long they stay, in milliseconds. */
  readonly removed: Readonly<Record<string, number>>;
  readonly keepRemoved: number;
  readonly now: number;
}

export function derive(input: DerivationInput): Derivation {
  const { facts, now, before } = input;
  const leftOut = new Set<string>();
  const edits = new Map<string, readonly SourceEdit[]>();
  const held: RuledVersion[] = [...before.held];
  const warnings: RuledVersion[] = [...before.warnings];
  let changesAt = before.changesAt ?? Number.POSITIVE_INFINITY;
  for (const [version, paths] of input.versions) {
    const removedAt = input.removed[version];
    if (removedAt !== undefined) {
      if (now - removedAt >= input.keepRemoved) {
        leftOut.add(version);
        continue;
      }
      changesAt = Math.min(changesAt, removedAt + input.keepRemoved);
    }
    const accepted = versionOf(version, paths, input);
    if (accepted === undefined) continue;
    const decision = input.decide(accepted, now);
    changesAt = Math.min(changesAt, decision.changesAt ?? changesAt);
    for (const warning of decision.warnings) warnings.push({ version, ...warning });
    if (decision.hold !== undefined) {
      held.push({ version, ...decision.hold });
      leftOut.add(version);
    } else if (decision.edits.length > 0) editFiles(paths, facts, decision.edits, edits);
  }
  return {
    leftOut,
    edits,
    held: inOrder(held),
    warnings: inOrder(warnings),
    ...(changesAt === Number.POSITIVE_INFINITY ? {} : { changesAt }),
  };
}

/** So that it is the same whichever were looked at now. What is said of one version stays in its order. */
function inOrder(versions: readonly RuledVersion[]): readonly RuledVersion[] {
  return versions.toSorted((a, b) => compareBytewise(folderOf(a.version), folderOf(b.version)));
}

function versionOf(
  version: string,
  paths: readonly string[],
  { facts, firstSeen }: DerivationInput,
): AcceptedVersion | undefined {
  const place = packageIdOfPath(paths[0] ?? '');
  if (place === undefined) return undefined;
  const sources = [...sourcesByPath(paths, facts).values()].flat();
  const seen = firstSeen(version);
  return { id: place.id, sources, ...(seen === undefined ? {} : { firstSeen: seen }) };
}

const NONE: readonly DeclaredSource[] = [];

function declaredSources(facts: FileFacts | undefined): readonly DeclaredSource[] {
  if (facts === undefined || (facts.archives.length === 0 && facts.others.length === 0)) return NONE;
  const inUrlFile = facts.path.endsWith('/url');
  return [
    ...facts.archives.map(({ name, sources: from, checksums, malformed }) => ({
      ...(name === undefined ? {} : { name }),
      src: from[0] ?? '',
      kind: 'archive' as const,
      checksums,
      malformed: malformed ?? [],
      inUrlFile,
    })),
    ...facts.others.map((other) => ({ ...other, checksums: [], inUrlFile })),
  ];
}

/**
 * What a version's files declare, by path: a file `url` of format 1.2 counts only where `opam`, which stands before it
 * in C order, names no archive, as clients read them.
 */
function sourcesByPath(
  paths: readonly string[],
  facts: ReadonlyMap<string, FileFacts>,
): ReadonlyMap<string, readonly DeclaredSource[]> {
  const byPath = new Map<string, readonly DeclaredSource[]>();
  const names = new Set<string | undefined>();
  for (const path of paths) {
    const own = declaredSources(facts.get(path)).filter(({ name }) => !names.has(name));
    for (const { name } of own) names.add(name);
    if (own.length > 0) byPath.set(path, own);
  }
  return byPath;
}

/** Each edit goes to the file that names the source. */
function editFiles(
  paths: readonly string[],
  facts: ReadonlyMap<string, FileFacts>,
  edits: readonly SourceEdit[],
  into: Map<string, readonly SourceEdit[]>,
): void {
  for (const [path, sources] of sourcesByPath(paths, facts)) {
    const names = new Set(sources.map(({ name }) => name));
    const own = edits.filter(({ name }) => names.has(name));
    if (own.length > 0) into.set(path, own);
  }
}

/**
 * A file as clients get it. What an edit makes is known by what goes into it; any other is known by its bytes, wherever
 * they came from.
 */
export function derivedFile(facts: FileFacts, edits: readonly SourceEdit[] | undefined): TreeFile {
  const { path, size } = facts;
  return { path, size, id: edits === undefined ? `sha256:${facts.sha256}` : derivedId(facts, edits) };
}

/** Reads accepted files with their edits. */
export function readDerived(read: Tree['read'], edits: Derivation['edits'], limits: Limits): Tree['read'] {
  return async function* (wanted) {
    for await (const [path, bytes] of read(wanted)) {
      const edit = edits.get(path);
      const file = path.endsWith('/url') ? 'url' : 'opam';
      yield [path, edit === undefined ? bytes : edited(path, bytes, edit, file, limits)];
    }
  };
}

/** Throws `internal` with the path: whoever reads it can deny that version, and everything else goes on. */
function edited(
  path: string,
  bytes: Uint8Array,
  edits: readonly SourceEdit[],
  file: 'opam' | 'url',
  limits: Limits,
): Uint8Array {
  try {
    return editSources(bytes, edits, { file, depth: limits.opam_depth });
  } catch (error) {
    throw new SeraiError(
      'internal',
      `${path} cannot be changed as policy wants it: ${reasonOf(error)}; denying that version lets the others go on`,
      { cause: error },
    );
  }
}

/** Counts up when the same edit makes other bytes than it did. */
const EDITING = 1;

function derivedId({ sha256 }: FileFacts, edits: readonly SourceEdit[]): FileId {
  return `derived:${digestOf([EDITING, sha256, edits])}`;
}

/**
 * What an edited file declares: the upstream's addresses, from which the mirror itself still fetches, under the
 * checksums that clients go by.
 */
export function editedArchives(
  facts: FileFacts,
  edits: readonly SourceEdit[],
): Pick<FileFacts, 'archives' | 'others'> {
  const added = new Map(edits.map(({ name, checksums }) => [name, checksums ?? []]));
  const archives: DeclaredArchive[] = facts.archives.map((archive) => {
    const more = added.get(archive.name) ?? [];
    const known = new Set(archive.checksums.map(showChecksum));
    const fresh = more.filter((checksum) => !known.has(showChecksum(checksum)));
    return fresh.length === 0 ? archive : { ...archive, checksums: [...fresh, ...archive.checksums] };
  });
  const others = facts.others.filter((other) => {
    const checksums = added.get(other.name) ?? [];
    if (checksums.length === 0) return true;
    const { name, src } = other;
    archives.push({ checksums, sources: [src], ...(name === undefined ? {} : { name }) });
    return false;
  });
  return { archives, others };
}

/** Sources whose strong hashes are wanted, each once, by what they are pinned under. */
export function pinnableSources(
  facts: Iterable<FileFacts>,
  wanted: { readonly weak: boolean; readonly missing: boolean },
): ReadonlyMap<string, { readonly source: DeclaredSource; readonly addresses: readonly string[] }> {
  const found = new Map<string, { source: DeclaredSource; addresses: readonly string[] }>();
  for (const file of facts) {
    for (const source of declaredSources(file)) {
      const isWanted = source.checksums.length > 0 ? wanted.weak : wanted.missing;
      const key = isWanted ? pinKey(source) : undefined;
      if (key === undefined || found.has(key)) continue;
      const archive = file.archives.find(({ name }) => name === source.name);
      found.set(key, { source, addresses: archive?.sources ?? [source.src] });
    }
  }
  return found;
}
