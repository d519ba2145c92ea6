/** The pieces that clients get, planned from the accepted tree and what is derived from it. */
import type { Limits } from '../../limits.ts';
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import type { Tree, TreeFile } from '../../opam/tree.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import { type FileFacts, sameBytes } from '../index/file-facts.ts';
import { type IndexPlan, type PieceBytes, type PlanCounts, planIndex } from '../index/index-plan.ts';
import { joinReads } from '../index/joined-reads.ts';
import { type PieceReader, readPiecesTree } from '../index/pieces-tree.ts';
import type { StandingTree } from '../index/standing-tree.ts';
import type { StoredPieces } from '../index/stored-pieces.ts';
import { folderOf } from '../index/version-files.ts';
import { type Derivation, derivedFile, editedArchives, readDerived } from '../policy/derivation.ts';
import { isSameTree, type LastPublication } from './last-publication.ts';

export interface ServedPlanInput {
  readonly last: LastPublication;
  /** Of the accepted tree. */
  readonly plan: IndexPlan;
  /** Facts of accepted files that may be served otherwise than they were, by path. */
  readonly concerned: ReadonlyMap<string, FileFacts>;
  /** Paths that were accepted and are no more. */
  readonly gone: readonly string[];
  readonly derivation: Derivation;
  /** Reads files of the accepted tree. */
  readonly read: Tree['read'];
  readonly catalogue: Catalogue;
  readonly stored: StoredPieces;
  readonly limits: Limits;
}

/** The accepted plan itself where nothing is left out and nothing edited. */
export async function planServed(input: ServedPlanInput): Promise<IndexPlan> {
  const { last, plan, concerned, derivation, read, catalogue, stored, limits } = input;
  const { edits, leftOut } = derivation;
  const wasSame = isSameTree(last.accepted.pieces, last.served.pieces);
  if (wasSame && edits.size === 0 && leftOut.size === 0) return plan;
  const standing = last.served;
  const { fresh, gone } = await changesOf(input, standing);
  const made = new Map(plan.entering.map((piece) => [piece.key, piece]));
  const unedited = new Map([...concerned].filter(([path]) => !edits.has(path)));
  return planIndex({
    standing,
    fresh,
    gone,
    read: joinReads(
      new Set(fresh.map(({ path }) => path)),
      readDerived(read, edits, limits),
      readFrom(stored, standing),
    ),
    known: unedited,
    catalogue,
    limits,
    ready: async (keys) => {
      const missing = keys.filter((key) => !made.has(key) && !last.lost.has(key));
      const found = new Map<string, PieceBytes>(await stored.find(missing));
      for (const key of keys) {
        const piece = made.get(key);
        if (piece !== undefined) found.set(key, piece);
      }
      return found;
    },
    declared: (path) => {
      const edit = edits.get(path);
      const facts = concerned.get(path);
      return edit === undefined || facts === undefined ? undefined : editedArchives(facts, edit);
    },
  });
}

async function changesOf(
  { concerned, gone, derivation }: ServedPlanInput,
  standing: StandingTree,
): Promise<{ readonly fresh: readonly TreeFile[]; readonly gone: readonly string[] }> {
  const { edits, leftOut } = derivation;
  const stands = await standing.factsAt([...concerned.keys()]);
  const fresh: TreeFile[] = [];
  const leaving = gone.filter((path) => standing.has(path));
  for (const facts of concerned.values()) {
    const stood = stands.get(facts.path);
    if (isLeftOut(facts.path, leftOut)) {
      if (stood !== undefined) leaving.push(facts.path);
      continue;
    }
    const file = derivedFile(facts, edits.get(facts.path));
    if (stood === undefined || !sameBytes(stood, file)) fresh.push(file);
  }
  return { fresh, gone: leaving };
}

function isLeftOut(path: string, leftOut: ReadonlySet<string>): boolean {
  if (leftOut.size === 0) return false;
  const place = packageIdOfPath(path);
  return place !== undefined && leftOut.has(showPackageId(place.id));
}

/** Reads files that stand, from the pieces of the tree that have them. */
export function readFrom(stored: PieceReader, tree: StandingTree): Tree['read'] {
  return async function* (wanted) {
    const paths = [...wanted];
    const indexes = [...new Set(paths.map((path) => tree.pieceAt(path)))].sort((a, b) => a - b);
    await tree.load(indexes);
    const pieces = indexes.map((index) => ({
      key: tree.pieces[index]?.key ?? '',
      files: tree.filesIn(index),
    }));
    yield* readPiecesTree(pieces, stored).read(paths);
  };
}

/** Whether the tree has the version's own file. */
export function servesVersion(tree: StandingTree, version: string): boolean {
  return tree.has(`${folderOf(version)}opam`);
}

export function sumOf(a: PlanCounts, b: PlanCounts): PlanCounts {
  return {
    filesRead: a.filesRead + b.filesRead,
    filesParsed: a.filesParsed + b.filesParsed,
    bytesHashed: a.bytesHashed + b.bytesHashed,
    piecesDeflated: a.piecesDeflated + b.piecesDeflated,
  };
}
