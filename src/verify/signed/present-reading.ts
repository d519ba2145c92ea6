/** What of a tree may be served with the present keys: every version's verdict (points 5 to 8). */
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { VerdictCache, VersionVerdict } from '../dialect.ts';
import type { Authorities } from './authorities.ts';
import type { ClaimChecker } from './claims.ts';
import type { FileIndex, VersionFiles } from './file-index.ts';
import { type FileRef, readGroups, treeReader } from './file-reader.ts';
import { placeOf, type VersionPlace, versionPlace } from './places.ts';
import { Proofs } from './proofs.ts';
import { VerdictKeys } from './verdict-keys.ts';
import { readVersionSignature } from './version-signature.ts';
import { type SignedVersion, signedVerdict, unsignedVerdict, type VersionPolicy } from './version-verdict.ts';

export interface PresentReading {
  readonly tree: Tree;
  readonly index: FileIndex;
  readonly authorities: Authorities;
  readonly policy: VersionPolicy;
  readonly limits: Pick<Limits, 'opam_file' | 'other_file'>;
  readonly bootstrap: Bootstrap;
  readonly cache: VerdictCache | undefined;
  readonly checker: ClaimChecker;
}

/**
 * Point 6. Where the upstream is git, the tree of `initial-bootstrap-commit`, undefined when there is none;
 * 'anywhere' where it is not: there L4 and L7 keep bootstrap signatures from coming in by a step.
 */
export type Bootstrap = Pick<Tree, 'files'> | undefined | 'anywhere';

interface Pending {
  readonly place: VersionPlace;
  /** Where there is a cache. */
  readonly key: string | undefined;
  readonly bootstrapCounts: boolean;
  /** The signature file first. */
  readonly refs: readonly FileRef[];
}

interface ReadVersion extends SignedVersion {
  readonly key: string | undefined;
}

interface Batch {
  readonly versions: readonly ReadVersion[];
  /** When all signatures in it are verified. */
  readonly proven: Promise<void>;
}

/** Versions whose signatures are checked together. */
const BATCH = 64;
/** So many batches may be at the checker's, so that it never waits for the next file to be read and parsed. */
const BATCHES_AHEAD = 16;

export async function readPresent(present: PresentReading): Promise<ReadonlyMap<string, VersionVerdict>> {
  const { index, authorities, policy, cache } = present;
  const keys = cache === undefined ? undefined : new VerdictKeys(authorities, index, policy, cache);
  const verdicts = new Map<string, VersionVerdict>();
  const pending: Pending[] = [];
  for (const [folder, files] of index.versions()) {
    const place = versionPlace(folder);
    if (!files.has(place.signature)) {
      verdicts.set(place.label, unsignedVerdict(place, files.keys(), authorities, policy));
      continue;
    }
    const bootstrapCounts = isBootstrapped(place, files, present.bootstrap);
    const key = keys?.keyOf(place, files, bootstrapCounts);
    const known = key === undefined ? undefined : cache?.get(key);
    if (known === undefined) pending.push({ place, key, bootstrapCounts, refs: refsOf(place, files) });
    else verdicts.set(place.label, known);
  }
  await judgePending(pending, present, verdicts);
  return verdicts;
}

/** Paths that may be served beside the versions' files: what a reader downstream judges by, and no others. */
export function sharedPaths(index: FileIndex): readonly string[] {
  const shared: string[] = [];
  for (const [path] of index.others()) {
    if (path === 'repo' || path === 'version' || placeOf(path).kind !== 'other') shared.push(path);
  }
  return shared.sort();
}

/** Judges in batches: while the signatures of some are verified, the files of the next are read. */
async function judgePending(
  pending: readonly Pending[],
  { tree, authorities, policy, limits, cache, checker }: PresentReading,
  verdicts: Map<string, VersionVerdict>,
): Promise<void> {
  const most = Math.max(limits.opam_file, limits.other_file);
  const proofs = new Proofs(authorities, checker);
  const ahead: Batch[] = [];
  const send = (versions: readonly ReadVersion[]): void => {
    const proven = proofs.prepare(versions);
    // It is awaited below; until then its failure is not unhandled.
    proven.catch(() => undefined);
    ahead.push({ versions, proven });
  };
  const judge = async ({ versions, proven }: Batch): Promise<void> => {
    await proven;
    for (const version of versions) {
      const verdict = signedVerdict(version, authorities, policy);
      if (version.key !== undefined) cache?.set(version.key, verdict);
      verdicts.set(version.place.label, verdict);
    }
  };
  let versions: ReadVersion[] = [];
  for await (const [{ place, key, bootstrapCounts }, read] of readGroups(treeReader(tree), pending, most)) {
    const { folder, signature } = place;
    const file = readVersionSignature(read.get(folder + signature) ?? new Uint8Array(), place, policy.depth);
    const files = new Map<string, Uint8Array>();
    for (const [path, bytes] of read) files.set(path.slice(folder.length), bytes);
    versions.push({ place, key, file, files, bootstrapCounts });
    if (versions.length < BATCH) continue;
    send(versions);
    versions = [];
    const first = ahead.length < BATCHES_AHEAD ? undefined : ahead.shift();
    if (first !== undefined) await judge(first);
  }
  send(versions);
  for (const batch of ahead) await judge(batch);
}

function refsOf({ folder, signature }: VersionPlace, files: VersionFiles): readonly FileRef[] {
  const refs: FileRef[] = [];
  for (const [file, id] of files) {
    if (file === signature) refs.unshift({ path: folder + file, id });
    else refs.push({ path: folder + file, id });
  }
  return refs;
}

/** Both trees are of one git repository, where other bytes have another id. */
function isBootstrapped(
  { folder, signature }: VersionPlace,
  files: VersionFiles,
  bootstrap: Bootstrap,
): boolean {
  if (bootstrap === 'anywhere') return true;
  const then = bootstrap?.files.get(folder + signature);
  return then !== undefined && then.id === files.get(signature);
}
