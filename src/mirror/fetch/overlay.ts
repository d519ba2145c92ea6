/**
 * An overlay's tree: what its sources serve, in their order. A name belongs to the first source that owns it, whether
 * or not that one can be reached now (HOSTILE 9): no later source can bring any version of it. The tree is that of the
 * sources and nothing else, so the same sources make the same overlay everywhere.
 */
import { SeraiError } from '../../errors.ts';
import { packageIdOfPath, parsePackageId } from '../../opam/package-id.ts';
import { compareBytewise, type Tree, type TreeFile } from '../../opam/tree.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue, FirstSeen, Snapshot } from '../../store/catalogue.ts';
import type { SignedSource } from '../../verify/dialect.ts';
import { type SignedSources, storedSignedSources } from '../archives/signed-archives.ts';
import { digestOf } from '../digest.ts';
import { decodeContent, type FileFacts } from '../index/file-facts.ts';
import { type PieceSource, type PiecesTree, pieceReader, readPiecesTree } from '../index/pieces-tree.ts';
import { filesByVersion, packageNameOf } from '../index/version-files.ts';
import { decodeAcceptedState } from '../policy/accepted-state.ts';
import type { RuledVersion } from '../policy/derivation.ts';
import { seenTimes } from '../policy/first-seen.ts';
import type { RulesSource } from '../policy/serving-rules.ts';
import { decodeSummary } from '../report/summary.ts';
import type { ChangedCandidate, FetchedCandidate } from './candidate.ts';
import { type OwnedNames, ownedNames } from './owned-names.ts';

export interface OverlaySource extends RulesSource {
  /** The overlay. */
  readonly repository: string;
  readonly blobs: Blobs;
}

interface Layer {
  readonly name: string;
  readonly snapshot: Snapshot;
  /** Nobody comes after the last layer, so nobody asks what it owns. */
  readonly owned: OwnedNames | undefined;
}

/** Counts up when the same sources make another tree than they did. */
const JOINING = 1;

/** Throws `not-found` while a source was never published: which names it owns is not known yet. */
export async function overlayCandidate(
  sources: readonly string[],
  validator: string | undefined,
  options: OverlaySource,
): Promise<FetchedCandidate> {
  const layers = await layersOf(sources, options);
  const missing = sources.find((name) => !layers.some((layer) => layer.name === name));
  if (missing !== undefined)
    throw new SeraiError(
      'not-found',
      `repository ${options.repository}: nothing new is published while its source ${missing} never was, since ` +
        `nobody knows which names are owned there; sync ${missing}, or see serai status for what is in the way`,
    );
  const standing = validatorOf(layers);
  if (standing === validator) return { kind: 'unchanged' };
  return { ...(await joinLayers(layers, options)), validator: standing };
}

/** What the signers of the overlay's versions stand for, as the sources' last syncs found it. */
export async function overlaySignedSources(
  sources: readonly string[],
  options: RulesSource,
): Promise<SignedSources> {
  return signedIn(await layersOf(sources, options), options.catalogue);
}

async function signedIn(layers: readonly Layer[], catalogue: Catalogue): Promise<SignedSources> {
  const signed = new Map<string, readonly SignedSource[]>();
  for (const [index, { name }] of layers.entries()) {
    const accepted = await catalogue.accepted(name);
    const held = accepted === undefined ? [] : decodeAcceptedState(accepted.state).held;
    const isFree = freeIn(layers.slice(0, index));
    for (const [version, stands] of await storedSignedSources(name, held, catalogue))
      if (isFree(packageNameOf(version))) signed.set(version, stands);
  }
  return signed;
}

/** Those that were ever published. */
async function layersOf(sources: readonly string[], options: RulesSource): Promise<readonly Layer[]> {
  const layers: Layer[] = [];
  // The earlier ones last: what they own when a later one's snapshot has been read is what counts.
  for (const [index, name] of [...sources.entries()].reverse()) {
    const snapshot = await options.catalogue.currentSnapshot(name);
    if (snapshot === undefined) continue;
    const owned = index === sources.length - 1 ? undefined : await ownedNames(name, snapshot, options);
    layers.unshift({ name, snapshot, owned });
  }
  return layers;
}

async function joinLayers(
  layers: readonly Layer[],
  { catalogue, blobs }: OverlaySource,
): Promise<ChangedCandidate> {
  const origin = new Map<string, PiecesTree>();
  const facts = new Map<string, FileFacts>();
  const firstSeen = new Map<string, FirstSeen>();
  const held: RuledVersion[] = [];
  const warnings: string[] = [];
  for (const [index, { name, snapshot }] of layers.entries()) {
    const isFree = freeIn(layers.slice(0, index));
    const tree = await servedTree(name, snapshot, { catalogue, blobs });
    const seen = seenTimes(await catalogue.firstSeen(name), []);
    for (const [version, paths] of versionsIn(tree)) {
      if (!isFree(packageNameOf(version))) continue;
      for (const path of paths) {
        const file = tree.facts.get(path);
        if (file === undefined) continue;
        origin.set(path, tree);
        facts.set(path, file);
      }
      const first = seen(version);
      if (first !== undefined) firstSeen.set(version, first);
    }
    const summary = decodeSummary(snapshot.summary);
    for (const warning of summary.warnings ?? []) warnings.push(`source ${name}: ${warning}`);
    for (const { version, rule, reason } of summary.held)
      if (parsePackageId(version) !== undefined && isFree(packageNameOf(version)))
        held.push({ version, rule, reason: `held in ${name}: ${reason}` });
  }
  return {
    kind: 'changed',
    tree: layeredTree(origin),
    facts,
    held,
    warnings,
    firstSeen: (version) => firstSeen.get(version),
    signed: await signedIn(layers, catalogue),
  };
}

async function servedTree(
  name: string,
  { pieces: keys }: Snapshot,
  source: PieceSource,
): Promise<PiecesTree> {
  const contents = await source.catalogue.contents(keys);
  const listed = keys.map((key) => {
    const content = contents.get(key);
    if (content !== undefined) return { key, files: decodeContent(content) };
    throw new SeraiError(
      'store-corrupt',
      `a piece of the source ${name} is not in the catalogue; sync it anew`,
    );
  });
  return readPiecesTree(listed, pieceReader(source));
}

/**
 * The versions of a layer with their files. Keys, delegations and the file `repo` speak for their own repository
 * alone. A folder without an `opam` of its own is no version, and opam would go on looking for one of whatever name
 * inside it (seen with 2.1.2).
 */
function* versionsIn({ facts }: PiecesTree): Generator<readonly [version: string, paths: readonly string[]]> {
  for (const [version, paths] of filesByVersion(facts.keys()))
    if (paths.some((path) => packageIdOfPath(path)?.file === 'opam')) yield [version, paths];
}

/** Whether no earlier layer owns the name. */
function freeIn(earlier: readonly Layer[]): (name: string) => boolean {
  return (name) => !earlier.some(({ owned }) => owned?.has(name) === true);
}

/** The paths in C order, each from its layer. */
function layeredTree(origin: ReadonlyMap<string, PiecesTree>): Tree {
  const files = new Map<string, TreeFile>();
  for (const path of [...origin.keys()].sort(compareBytewise)) {
    const file = origin.get(path)?.files.get(path);
    if (file !== undefined) files.set(path, file);
  }
  return {
    files,
    async *read(paths) {
      for (const run of runsOf(paths, origin)) yield* run.tree.read(run.paths);
    },
    async close() {},
  };
}

interface Run {
  readonly tree: PiecesTree;
  readonly paths: string[];
}

/** Paths that follow one another in the same tree are read together. */
function* runsOf(paths: Iterable<string>, origin: ReadonlyMap<string, PiecesTree>): Generator<Run> {
  let run: Run | undefined;
  for (const path of paths) {
    const tree = origin.get(path);
    if (tree === undefined) throw new SeraiError('internal', `no file ${path} in the overlay`);
    if (run?.tree === tree) run.paths.push(path);
    else {
      if (run !== undefined) yield run;
      run = { tree, paths: [path] };
    }
  }
  if (run !== undefined) yield run;
}

/** Other when any layer serves something else, or owns other names. */
function validatorOf(layers: readonly Layer[]): string {
  const parts = layers.map(({ name, snapshot, owned }) => [
    name,
    snapshot.id,
    snapshot.summary,
    owned?.digest ?? '',
  ]);
  return digestOf([JOINING, parts]);
}
