/** Why a version is served, or is not: for `serai explain`. Read from the store alone. */
import { SeraiError } from '../../errors.ts';
import { showChecksum } from '../../hashes.ts';
import { packageIdOfPath, parsePackageId, showPackageId } from '../../opam/package-id.ts';
import { compareVersions } from '../../opam/version.ts';
import type { Catalogue, FirstSeen } from '../../store/catalogue.ts';
import { advisoryIndex } from '../../verify/policy/advisories.ts';
import { loadAdvisories } from '../fetch/advisories.ts';
import type { DeclaredArchive, FileFacts } from '../index/file-facts.ts';
import { loadPiecesTree, type PiecesTree } from '../index/pieces-tree.ts';
import { type AcceptedState, decodeAcceptedState } from '../policy/accepted-state.ts';
import { sourcesOfIdentity } from '../policy/archive-identity.ts';
import { readVerdict } from '../trust/stored-verdict.ts';
import type { DiffSource } from './diff.ts';
import { isoTime } from './iso-time.ts';
import { type PackageSubject, packageSubject } from './package-subject.ts';
import { type RewrittenFile, rewrittenFiles } from './rewritten-files.ts';
import { published } from './served-versions.ts';
import { decodeSummary, type Summary } from './summary.ts';
import { type VersionEvent, versionHistory } from './version-history.ts';

/** Times are ISO 8601, UTC. */
export interface Explanation {
  readonly version: string;
  readonly served: boolean;
  /** Trust level and who signed, where the repository is signed. */
  readonly level?: string;
  readonly signers?: readonly string[];
  /** From root to file, a line each. */
  readonly chain?: readonly string[];
  /** Why it is not served, and by which rule. */
  readonly rule?: string;
  readonly reason?: string;
  /** Clients get the form that stood before a change that is held. */
  readonly keptBack?: { readonly rule: string; readonly reason: string; readonly since: string };
  /** Since when upstream has it no more. */
  readonly removedAt?: string;
  /** By this mirror, and whether it stood in the very first tree. */
  readonly firstSeen?: { readonly at: string; readonly baseline: boolean };
  /** Every set of archives that it ever had here, and since when: checksums, or the address where there are none. */
  readonly identities: readonly { readonly since: string; readonly archives: readonly string[] }[];
  readonly warnings: readonly { readonly rule: string; readonly reason: string }[];
  readonly advisories: readonly {
    readonly id: string;
    readonly aliases: readonly string[];
    readonly summary: string;
  }[];
  /** The last ones, as the log has them. */
  readonly history: readonly VersionEvent[];
  /** How its files differ from upstream's. */
  readonly rewritten: readonly Omit<RewrittenFile, 'version'>[];
  readonly archives: readonly {
    readonly checksums: readonly string[];
    readonly sources: readonly string[];
    /** Its bytes are in the store. */
    readonly stored: boolean;
  }[];
}

/**
 * `what` is `name` or `name.version`. Throws `usage` for neither, `not-found` when nothing is known of it or nothing
 * was ever published.
 */
export async function explain(
  source: DiffSource,
  repository: string,
  what: string,
): Promise<readonly Explanation[]> {
  const { catalogue, config } = source;
  const subject = packageSubject(what);
  const { snapshot, tree } = await published(repository, catalogue);
  const served = await loadPiecesTree(snapshot.pieces, source);
  const accepted = await loadPiecesTree(tree.pieces, source);
  const context: Context = {
    repository,
    catalogue,
    summary: decodeSummary(snapshot.summary),
    state: decodeAcceptedState(tree.state),
    served: filesOf(served, subject),
    accepted: filesOf(accepted, subject),
    seen: Map.groupBy(await catalogue.firstSeen(repository, subject.name), ({ version }) => version),
    history: await versionHistory(repository, (version) => subject.matches(version), catalogue),
    advisories: advisoryIndex((await loadAdvisories(catalogue, config)).advisories),
    rewritten: new Map(),
  };
  const trees = { accepted, served, depth: config.limits.opam_depth };
  for await (const { version, ...file } of rewrittenFiles(trees, (each) => subject.matches(each)))
    context.rewritten.set(version, [...(context.rewritten.get(version) ?? []), file]);
  const found = new Map<string, Explanation>();
  for (const version of versionsOf(context, subject))
    found.set(version, await explainVersion(version, context));
  await addVerdicts(found, subject, context);
  if (found.size === 0)
    throw new SeraiError(
      'not-found',
      `neither ${repository} nor its upstream's last accepted tree has ${what}`,
    );
  const { length } = `${subject.name}.`;
  return [...found.values()].sort((a, b) =>
    compareVersions(a.version.slice(length), b.version.slice(length)),
  );
}

interface Context {
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly summary: Summary;
  readonly state: AcceptedState;
  /** Files `opam` and `url`, by version. */
  readonly served: ReadonlyMap<string, readonly FileFacts[]>;
  readonly accepted: ReadonlyMap<string, readonly FileFacts[]>;
  readonly seen: ReadonlyMap<string, readonly FirstSeen[]>;
  readonly history: ReadonlyMap<string, readonly VersionEvent[]>;
  readonly advisories: ReturnType<typeof advisoryIndex>;
  readonly rewritten: Map<string, readonly Omit<RewrittenFile, 'version'>[]>;
}

function filesOf(tree: PiecesTree, subject: PackageSubject): ReadonlyMap<string, readonly FileFacts[]> {
  const files = new Map<string, FileFacts[]>();
  for (const [path, facts] of tree.facts) {
    const place = packageIdOfPath(path);
    if (place === undefined || place.id.name !== subject.name) continue;
    const version = showPackageId(place.id);
    if (!subject.matches(version) || (place.file !== 'opam' && place.file !== 'url')) continue;
    files.set(version, [...(files.get(version) ?? []), facts]);
  }
  return files;
}

/** All that are served, accepted, or held out. */
function versionsOf({ summary, served, accepted }: Context, subject: PackageSubject): ReadonlySet<string> {
  const held = summary.held.map(({ version }) => version).filter((version) => subject.matches(version));
  return new Set([...served.keys(), ...accepted.keys(), ...held]);
}

async function explainVersion(version: string, context: Context): Promise<Explanation> {
  const { summary, state, served, accepted, seen, history, advisories, rewritten } = context;
  const hold = summary.held.find((each) => each.version === version);
  const kept = state.held.find((each) => each.version === version && each.served === 'last-good');
  const removedAt = state.removed[version];
  const id = parsePackageId(version);
  const files = served.get(version) ?? accepted.get(version) ?? [];
  return {
    version,
    served: served.has(version),
    ...(hold === undefined ? {} : { rule: hold.rule, reason: hold.reason }),
    ...(kept === undefined
      ? {}
      : {
          keptBack: { rule: kept.class, reason: `${kept.before} → ${kept.after}`, since: isoTime(kept.at) },
        }),
    ...(removedAt === undefined ? {} : { removedAt: isoTime(removedAt) }),
    ...seenOf(seen.get(version) ?? []),
    warnings: summary.warned
      .filter((warning) => warning.version === version)
      .map(({ rule, reason }) => ({ rule, reason })),
    advisories: (id === undefined ? [] : advisories.affecting(id)).map(
      ({ id: name, aliases, summary: line }) => ({ id: name, aliases, summary: line }),
    ),
    history: history.get(version) ?? [],
    rewritten: rewritten.get(version) ?? [],
    archives: await Promise.all(
      files.flatMap(({ archives }) => archives).map((archive) => archiveOf(archive, context)),
    ),
  };
}

function seenOf(seen: readonly FirstSeen[]): Pick<Explanation, 'firstSeen' | 'identities'> {
  const inOrder = seen.toSorted((a, b) => a.at - b.at);
  const [first] = inOrder;
  const identities = inOrder
    // One that was held out was seen without its archives.
    .filter(({ identity }) => identity !== '')
    .map(({ at, identity }) => ({ since: isoTime(at), archives: archivesIn(identity) }));
  if (first === undefined) return { identities };
  return { firstSeen: { at: isoTime(first.at), baseline: first.baseline }, identities };
}

function archivesIn(identity: string): readonly string[] {
  const { archive, extras } = sourcesOfIdentity(identity);
  return [...(archive === undefined ? [] : [archive]), ...extras.values()].map(({ checksums, src }) =>
    checksums.length > 0 ? [...checksums].join(' ') : src,
  );
}

async function archiveOf(
  { checksums, sources }: DeclaredArchive,
  { catalogue, repository }: Context,
): Promise<Explanation['archives'][number]> {
  const [first] = checksums;
  const listed = first === undefined ? [] : await catalogue.listed(repository, first);
  return {
    checksums: checksums.map((checksum) => showChecksum(checksum)),
    sources,
    stored: listed.some(({ blob }) => blob !== undefined),
  };
}

/** Also of versions that verification withheld and that are nowhere else. */
async function addVerdicts(
  found: Map<string, Explanation>,
  subject: PackageSubject,
  { catalogue, repository, seen }: Context,
): Promise<void> {
  for (const { version, verdict: text } of await catalogue.verdicts(repository, subject.name)) {
    const verdict = readVerdict(text);
    if (verdict === undefined || !subject.matches(version)) continue;
    const nothing = { warnings: [], advisories: [], history: [], rewritten: [], archives: [] };
    const known = found.get(version) ?? {
      version,
      served: false,
      ...seenOf(seen.get(version) ?? []),
      ...nothing,
    };
    const { level, signers, chain, withheld } = verdict;
    found.set(version, { ...known, level, signers, chain, ...withheld });
  }
}
