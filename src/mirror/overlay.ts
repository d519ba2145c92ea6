/**
 * An overlay's tree: what its sources serve, in their order. A name belongs to the first source that ever had it, or
 * reserves it, whether or not it can be reached now (HOSTILE 9): no later source can bring it.
 */
import { createHash } from 'node:crypto';
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { packageIdOfPath } from '../opam/package-id.ts';
import { compareBytewise, type Tree, type TreeFile } from '../opam/tree.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Catalogue, Snapshot } from '../store/catalogue.ts';
import type { HeldVersion } from './accepted-state.ts';
import type { ChangedCandidate, FetchedCandidate } from './fetch-candidate.ts';
import type { FileFacts } from './file-facts.ts';
import { loadPiecesTree, type PiecesTree } from './pieces-tree.ts';
import { decodeSummary } from './summary.ts';

export interface OverlaySource {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
}

interface Layer {
  readonly name: string;
  readonly snapshot: Snapshot;
  /** Names that it ever had. */
  readonly names: ReadonlySet<string>;
  readonly reserved: readonly string[];
}

/** Throws `snapshot-refused` while a source was never published: which names it owns is not known yet. */
export async function overlayCandidate(
  sources: readonly string[],
  validator: string | undefined,
  options: OverlaySource,
): Promise<FetchedCandidate> {
  const layers: Layer[] = [];
  for (const name of sources) layers.push(await layerOf(name, options));
  const standing = validatorOf(layers);
  if (standing === validator) return { kind: 'unchanged' };
  return { ...(await joinLayers(layers, options)), validator: standing };
}

async function layerOf(name: string, { config, catalogue }: OverlaySource): Promise<Layer> {
  const snapshot = await catalogue.currentSnapshot(name);
  if (snapshot === undefined)
    throw new SeraiError(
      'snapshot-refused',
      `its source ${name} was never published, so that nobody knows which names it owns; sync ${name} first`,
    );
  const names = new Set<string>();
  for (const { version } of await catalogue.firstSeen(name)) names.add(nameOf(version));
  return { name, snapshot, names, reserved: config.repository[name]?.reserved ?? [] };
}

async function joinLayers(
  layers: readonly Layer[],
  { catalogue, blobs }: OverlaySource,
): Promise<ChangedCandidate> {
  const trees = new Map<string, PiecesTree>();
  const origin = new Map<string, PiecesTree>();
  const facts = new Map<string, FileFacts>();
  const held: HeldVersion[] = [];
  for (const [index, { name, snapshot }] of layers.entries()) {
    const earlier = layers.slice(0, index);
    const tree = await loadPiecesTree(snapshot.pieces, { catalogue, blobs });
    trees.set(name, tree);
    for (const [path, file] of tree.facts) {
      const place = packageIdOfPath(path);
      // Keys, delegations and the file `repo` speak for their own repository alone.
      if (place === undefined || earlier.some((layer) => owns(layer, place.id.name))) continue;
      origin.set(path, tree);
      facts.set(path, file);
    }
    for (const version of decodeSummary(snapshot.summary).held)
      if (!earlier.some((layer) => owns(layer, nameOf(version.version))))
        held.push({ ...version, reason: `held in ${name}: ${version.reason}` });
  }
  return { kind: 'changed', tree: layeredTree(origin), facts, held };
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

function owns({ names, reserved }: Layer, name: string): boolean {
  return (
    names.has(name) ||
    reserved.some((pattern) =>
      pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
    )
  );
}

function nameOf(version: string): string {
  return version.slice(0, version.indexOf('.'));
}

/** Other when any layer serves something else, or owns more. */
function validatorOf(layers: readonly Layer[]): string {
  const parts = layers.map(({ name, snapshot, names, reserved }) => [
    name,
    snapshot.id,
    snapshot.summary,
    names.size,
    reserved,
  ]);
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
