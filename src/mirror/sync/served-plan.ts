/** The pieces that clients get, planned from those of the accepted tree and what is derived from it. */
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { FileFacts } from '../index/file-facts.ts';
import { type IndexPlan, type PieceBytes, type PlanCounts, planIndex } from '../index/index-plan.ts';
import type { StoredPieces } from '../index/stored-pieces.ts';
import { type Derivation, derivedTree, editedArchives } from '../policy/derivation.ts';
import { byPath, type LastPublication } from './last-publication.ts';

export interface ServedPlanInput {
  readonly accepted: Tree;
  /** Of the accepted tree, with the facts of the files in it by path. */
  readonly plan: IndexPlan;
  readonly facts: ReadonlyMap<string, FileFacts>;
  readonly derivation: Derivation;
  readonly last: LastPublication;
  readonly stored: StoredPieces;
  readonly limits: Limits;
}

/** The plan itself where nothing is left out and nothing edited. */
export async function planServed(input: ServedPlanInput): Promise<IndexPlan> {
  const { accepted, plan, facts, derivation, last, stored, limits } = input;
  const { paths, edits } = derivation;
  if (edits.size === 0 && paths.length === facts.size) return plan;
  const made = new Map(plan.pieces.map((piece) => [piece.key, piece]));
  const known = new Map<string, FileFacts>();
  for (const path of paths) {
    const fact = edits.has(path) ? last.derived.get(path) : facts.get(path);
    if (fact !== undefined) known.set(path, fact);
  }
  return planIndex({
    tree: derivedTree(accepted, facts, derivation, limits),
    paths,
    known,
    limits,
    ready: async (keys) => {
      const missing = keys.filter((key) => !made.has(key) && !last.unreadable.has(key));
      const found = new Map<string, PieceBytes>(await stored.find(missing));
      for (const key of keys) {
        const piece = made.get(key);
        if (piece !== undefined) found.set(key, piece);
      }
      return found;
    },
    declared: (path) => {
      const edit = edits.get(path);
      const fact = facts.get(path);
      return edit === undefined || fact === undefined ? undefined : editedArchives(fact, edit);
    },
  });
}

/** Facts of files as edited for clients, by path. */
export function derivedFacts(plan: IndexPlan): ReadonlyMap<string, FileFacts> {
  return byPath(plan.facts.filter(({ id }) => id.startsWith('derived:')));
}

export function sumOf(a: PlanCounts, b: PlanCounts): PlanCounts {
  return {
    filesRead: a.filesRead + b.filesRead,
    filesParsed: a.filesParsed + b.filesParsed,
    bytesHashed: a.bytesHashed + b.bytesHashed,
    piecesDeflated: a.piecesDeflated + b.piecesDeflated,
  };
}
