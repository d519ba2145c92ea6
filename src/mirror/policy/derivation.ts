/** From the accepted tree to the one that clients get: which versions, and what is changed in their files. */

import { reasonOf, SeraiError } from '../../errors.ts';
import { showChecksum } from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import { packageIdOfPath } from '../../opam/package-id.ts';
import { editSources, type SourceEdit } from '../../opam/source-edits.ts';
import type { FileId, Tree, TreeFile } from '../../opam/tree.ts';
import type { FirstSeen } from '../../store/catalogue.ts';
import { type DeclaredSource, pinKey } from '../../verify/policy/declared-source.ts';
import type { AcceptedVersion, ServingDecision } from '../../verify/policy/serving.ts';
import { digestOf } from '../digest.ts';
import type { DeclaredArchive, FileFacts } from '../index/file-facts.ts';
import { filesByVersion } from '../index/version-files.ts';

export interface RuledVersion {
  /** `name.version`. */
  readonly version: string;
  readonly rule: string;
  readonly reason: string;
}

export interface Derivation {
  /** Of the accepted paths, in their order. */
  readonly paths: readonly string[];
  /** By path. */
  readonly edits: ReadonlyMap<string, readonly SourceEdit[]>;
  readonly held: readonly RuledVersion[];
  readonly warnings: readonly RuledVersion[];
  /** Milliseconds since the epoch at which time alone may change this. */
  readonly changesAt?: number;
}

export interface DerivationInput {
  /** Of the accepted tree, by path in C order, without files that cannot be read. */
  readonly facts: ReadonlyMap<string, FileFacts>;
  readonly decide: (version: AcceptedVersion, now: number) => ServingDecision;
  /** Names all that `decide` goes by beside the version and the time. */
  readonly rules: string;
  readonly firstSeen: (version: string) => Pick<FirstSeen, 'at' | 'baseline'> | undefined;
  /** Versions that upstream removed, by when, and for how long they stay, in milliseconds. */
  readonly removed: Readonly<Record<string, number>>;
  readonly keepRemoved: number;
  readonly now: number;
}

export function derive(input: DerivationInput): Derivation {
  const { facts, now } = input;
  const left = new Set<string>();
  const edits = new Map<string, readonly SourceEdit[]>();
  const held: RuledVersion[] = [];
  const warnings: RuledVersion[] = [];
  let changesAt = Number.POSITIVE_INFINITY;
  const leaveOut = (paths: readonly string[]): void => {
    for (const path of paths) left.add(path);
  };
  for (const [version, paths] of filesByVersion(facts.keys())) {
    const removedAt = input.removed[version];
    if (removedAt !== undefined) {
      if (now - removedAt >= input.keepRemoved) {
        leaveOut(paths);
        continue;
      }
      changesAt = Math.min(changesAt, removedAt + input.keepRemoved);
    }
    const decision = decisionOf(version, paths, input);
    if (decision === undefined) continue;
    changesAt = Math.min(changesAt, decision.changesAt ?? changesAt);
    for (const warning of decision.warnings) warnings.push({ version, ...warning });
    if (decision.hold !== undefined) {
      held.push({ version, ...decision.hold });
      leaveOut(paths);
    } else if (decision.edits.length > 0) editFiles(paths, facts, decision.edits, edits);
  }
  return {
    paths: left.size === 0 ? [...facts.keys()] : [...facts.keys()].filter((path) => !left.has(path)),
    edits,
    held,
    warnings,
    ...(changesAt === Number.POSITIVE_INFINITY ? {} : { changesAt }),
  };
}

/** By the facts of a version's only file: what did not change is not decided again under the same rules. */
const DECISIONS = new WeakMap<FileFacts, { readonly rules: string; readonly decision: ServingDecision }>();

function decisionOf(
  version: string,
  paths: readonly string[],
  input: DerivationInput,
): ServingDecision | undefined {
  const { facts, rules, now } = input;
  const only = paths.length === 1 ? facts.get(paths[0] ?? '') : undefined;
  const known = only === undefined ? undefined : DECISIONS.get(only);
  if (known?.rules === rules) return known.decision;
  const accepted = versionOf(version, paths, input);
  if (accepted === undefined) return undefined;
  const decision = input.decide(accepted, now);
  // One that is about ages is another one later.
  if (only !== undefined && accepted.firstSeen === undefined && decision.changesAt === undefined)
    DECISIONS.set(only, { rules, decision });
  return decision;
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

/** Facts of unchanged files stay the same objects, and so do the sources that policy looks at. */
const SOURCES = new WeakMap<FileFacts, readonly DeclaredSource[]>();
const NONE: readonly DeclaredSource[] = [];

function declaredSources(facts: FileFacts | undefined): readonly DeclaredSource[] {
  if (facts === undefined || (facts.archives.length === 0 && facts.others.length === 0)) return NONE;
  let sources = SOURCES.get(facts);
  if (sources === undefined) {
    const inUrlFile = facts.path.endsWith('/url');
    sources = [
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
    SOURCES.set(facts, sources);
  }
  return sources;
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

/** The accepted tree with its edited files; what an edit makes is known by what goes into it. */
export function derivedTree(
  accepted: Tree,
  facts: ReadonlyMap<string, FileFacts>,
  { paths, edits }: Derivation,
  limits: Limits,
): Tree {
  const files = new Map<string, TreeFile>();
  for (const path of paths) {
    const file = accepted.files.get(path);
    const edit = edits.get(path);
    if (file === undefined) continue;
    files.set(path, edit === undefined ? file : { ...file, id: derivedId(facts.get(path), edit) });
  }
  return {
    files,
    async *read(wanted) {
      for await (const [path, bytes] of accepted.read(wanted)) {
        const edit = edits.get(path);
        const file = path.endsWith('/url') ? 'url' : 'opam';
        yield [path, edit === undefined ? bytes : edited(path, bytes, edit, file, limits)];
      }
    },
    async close() {},
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

function derivedId(facts: FileFacts | undefined, edits: readonly SourceEdit[]): FileId {
  return `derived:${digestOf([EDITING, facts?.sha256, edits])}`;
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
