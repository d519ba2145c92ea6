/** The parts of a standing tree that a change makes be divided into pieces anew; all else stays as it stands. */
import { compareBytewise } from '../../opam/tree.ts';
import type { FileFacts } from './file-facts.ts';
import { countUnits, divide, MARGIN, sameUnits } from './pieces.ts';
import type { StandingTree } from './standing-tree.ts';

export interface ReplacedPart {
  /** Indexes of the standing pieces that it takes the place of, `to` not included. */
  readonly from: number;
  readonly to: number;
  /** Paths of the pieces in their place. */
  readonly runs: readonly (readonly string[])[];
  /** Files of the standing pieces, by path. */
  readonly stands: ReadonlyMap<string, FileFacts>;
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly isDividedAnew: boolean;
}

/** In the order of the tree; `fresh` and `gone` are paths in any order. */
export async function partsToDivide(
  standing: StandingTree,
  fresh: readonly string[],
  gone: readonly string[],
): Promise<readonly ReplacedPart[]> {
  const { pieces } = standing;
  if (pieces.length === 0) {
    const runs = divide(fresh.toSorted(compareBytewise));
    return [{ from: 0, to: 0, runs, stands: new Map() }];
  }
  const changes = new Map<number, { readonly fresh: string[]; readonly gone: Set<string> }>();
  const changesOf = (path: string) => {
    const index = Math.max(0, standing.pieceAt(path));
    const known = changes.get(index) ?? { fresh: [], gone: new Set<string>() };
    changes.set(index, known);
    return known;
  };
  for (const path of fresh) changesOf(path).fresh.push(path);
  for (const path of gone) changesOf(path).gone.add(path);
  await standing.load(changes.keys());

  const pathsAfter = (index: number): string[] => {
    const before = standing.filesIn(index).map(({ path }) => path);
    const change = changes.get(index);
    if (change === undefined) return before;
    const stay = before.filter((path) => !change.gone.has(path));
    return [...new Set([...stay, ...change.fresh])].sort(compareBytewise);
  };
  const ranges: Range[] = [];
  for (const index of [...changes.keys()].sort((a, b) => a - b)) {
    const before = standing.filesIn(index).map(({ path }) => path);
    const isDividedAnew = !sameUnits(before, pathsAfter(index));
    ranges.push(
      isDividedAnew ? await withMargins(standing, index) : { from: index, to: index + 1, isDividedAnew },
    );
  }
  const parts: ReplacedPart[] = [];
  for (const { from, to, isDividedAnew } of joined(ranges)) {
    const indexes = Array.from({ length: to - from }, (_, at) => from + at);
    const files = indexes.flatMap((index) => standing.filesIn(index));
    const paths = indexes.map(pathsAfter);
    const firsts = new Set(indexes.map((index) => standing.filesIn(index)[0]?.path ?? ''));
    const around = { firsts, before: from > 0, behind: to < pieces.length };
    const runs = isDividedAnew ? divide(paths.flat(), around) : paths.filter((run) => run.length > 0);
    parts.push({ from, to, runs, stands: new Map(files.map((file) => [file.path, file])) });
  }
  return parts;
}

/** The piece with so many units around it that those at the edges are divided as they stand. */
async function withMargins(standing: StandingTree, index: number): Promise<Range> {
  let [from, to] = [index, index + 1];
  for (let units = 0; units < MARGIN && from > 0; units += unitsIn(standing, from)) {
    from -= 1;
    await standing.load([from]);
  }
  for (let units = 0; units < MARGIN && to < standing.pieces.length; units += unitsIn(standing, to - 1)) {
    await standing.load([to]);
    to += 1;
  }
  return { from, to, isDividedAnew: true };
}

function unitsIn(standing: StandingTree, index: number): number {
  return countUnits(standing.filesIn(index).map(({ path }) => path));
}

/** Ranges that overlap, as one. */
function joined(ranges: readonly Range[]): readonly Range[] {
  const all: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last === undefined || range.from >= last.to) all.push(range);
    else
      all[all.length - 1] = {
        from: last.from,
        to: Math.max(last.to, range.to),
        isDividedAnew: last.isDividedAnew || range.isDividedAnew,
      };
  }
  return all;
}
