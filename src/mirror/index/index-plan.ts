/**
 * From what stands and what changes to the pieces of an index: facts of new files are found, pieces without a change
 * are taken as they are, the others are written and deflated. The first tree is a change of nothing. Work grows with
 * what changed, not with what stands.
 */
import { SeraiError } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { Tree, TreeFile } from '../../opam/tree.ts';
import type { Catalogue, Piece } from '../../store/catalogue.ts';
import { type FileFacts, findFacts, listingOf, sameBytes, sha256OfFile } from './file-facts.ts';
import { type DeflatedPiece, Deflations } from './gzip.ts';
import { partsToDivide, type ReplacedPart } from './parts.ts';
import { pieceKey } from './pieces.ts';
import { type PieceFiles, StandingTree } from './standing-tree.ts';
import { entryLength, writeEntry } from './tar-writer.ts';

/** Where a piece's bytes are: in the store already, or made now. */
export type PieceBytes = { readonly stored: Piece } | { readonly deflated: DeflatedPiece };

/** A piece that the tree did not have before. */
export type PlannedPiece = PieceFiles & { readonly listing: string } & PieceBytes;

/** Work done, for tests and logs: what did not change must not be counted here. */
export interface PlanCounts {
  filesRead: number;
  filesParsed: number;
  bytesHashed: number;
  piecesDeflated: number;
}

export interface IndexPlan {
  readonly tree: StandingTree;
  /** Pieces of the tree that did not stand. */
  readonly entering: readonly PlannedPiece[];
  /** Pieces that stood and are none of the tree's. */
  readonly leaving: readonly PieceFiles[];
  /** Facts of files that cannot be read, which are in no piece: the next plan's `known`. */
  readonly problems: readonly FileFacts[];
  /** Why versions are left out, by the folder they stand in: their opam file cannot be read. */
  readonly unreadable: ReadonlyMap<string, string>;
  readonly counts: PlanCounts;
}

export interface PlanInput {
  readonly standing: StandingTree;
  /** Files that are new, or other than they stand; never `repo`. */
  readonly fresh: readonly TreeFile[];
  /** Paths that stand and are to stand no more. */
  readonly gone: readonly string[];
  /** Reads fresh files, and those that stand. */
  readonly read: Tree['read'];
  /** Facts of fresh files from elsewhere, by path; used where they are of the same bytes. */
  readonly known: ReadonlyMap<string, FileFacts>;
  readonly catalogue: Pick<Catalogue, 'contents'>;
  readonly limits: Limits;
  /** Those of these pieces that need not be made, by key. */
  readonly ready: (keys: readonly string[]) => Promise<ReadonlyMap<string, PieceBytes>>;
  /** What a file declares, where that is not what its text says: the mirror's own edits hide where archives are. */
  readonly declared?: (path: string) => Pick<FileFacts, 'archives' | 'others'> | undefined;
}

/** A file of a run: it stands, or is fresh and its facts are to be found. */
type Entry = { readonly stands: FileFacts } | { readonly fresh: TreeFile };

interface Run {
  readonly entries: readonly Entry[];
  readonly facts: (FileFacts | undefined)[];
  readonly bytes: Map<string, Uint8Array>;
  /** Without the versions that are left out. */
  kept: readonly FileFacts[];
  listing: string;
  key: string;
  bytesAre?: PieceBytes;
}

export async function planIndex(input: PlanInput): Promise<IndexPlan> {
  const { standing } = input;
  const counts: PlanCounts = { filesRead: 0, filesParsed: 0, bytesHashed: 0, piecesDeflated: 0 };
  const unreadable = new Map<string, string>();
  const deflations = new Deflations();
  const freshByPath = new Map(input.fresh.map((file) => [file.path, file]));
  const parts = await partsToDivide(standing, [...freshByPath.keys()], input.gone);
  const runsByPart = parts.map((part) => part.runs.map((paths) => runOf(paths, part, freshByPath, input)));
  const runs = runsByPart.flat();
  const stood = new Set(
    parts.flatMap(({ from, to }) => standing.pieces.slice(from, to).map(({ key }) => key)),
  );

  const settle = (run: Run): void => {
    run.kept = withoutUnreadable(run, unreadable);
    run.listing = listingOf(run.kept);
    run.key = pieceKey(run.listing);
  };
  const make = (run: Run): Promise<void> => {
    counts.piecesDeflated += 1;
    const raw = rawPiece(run);
    run.bytes.clear();
    return deflations.add(raw, (deflated) => {
      run.bytesAre = { deflated };
    });
  };
  const isToBeMade = (run: Run): boolean =>
    run.kept.length > 0 && run.bytesAre === undefined && !stood.has(run.key);

  const incomplete = runs.filter((run) => run.facts.includes(undefined));
  const complete = runs.filter((run) => !run.facts.includes(undefined));
  for await (const run of readRuns(incomplete, input, counts)) {
    completeFacts(run, input, counts);
    settle(run);
    await takeReady([run], input);
    if (isToBeMade(run)) await make(run);
    run.bytes.clear();
  }
  for (const run of complete) settle(run);
  await takeReady(
    complete.filter((run) => !stood.has(run.key)),
    input,
  );
  for await (const run of readRuns(complete.filter(isToBeMade), input, counts)) await make(run);
  await deflations.end();

  const keptRuns = runs.filter((run) => run.kept.length > 0);
  const isOfTree = new Set(keptRuns.map(({ key }) => key));
  return {
    tree: new StandingTree(replaceParts(standing, parts, runsByPart), input.catalogue),
    entering: keptRuns.flatMap((run) => (stood.has(run.key) ? [] : plannedPiece(run))),
    leaving: parts.flatMap(({ from, to }) =>
      indexesOf(from, to)
        .map((index) => ({ key: standing.pieces[index]?.key ?? '', files: standing.filesIn(index) }))
        .filter(({ key }) => !isOfTree.has(key)),
    ),
    problems: runs.flatMap((run) => run.facts.flatMap((fact) => (fact?.problem === undefined ? [] : [fact]))),
    unreadable,
    counts,
  };
}

function indexesOf(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** The standing pieces, with those of each part replaced by its runs. */
function replaceParts(
  standing: StandingTree,
  parts: readonly ReplacedPart[],
  runs: readonly (readonly Run[])[],
): StandingTree['pieces'] {
  let at = 0;
  const pieces: StandingTree['pieces'][number][] = [];
  for (const [index, { from, to }] of parts.entries()) {
    pieces.push(...standing.pieces.slice(at, from));
    for (const { key, listing, kept } of runs[index] ?? [])
      if (kept.length > 0) pieces.push({ key, listing, files: kept });
    at = to;
  }
  pieces.push(...standing.pieces.slice(at));
  return pieces;
}

function runOf(
  paths: readonly string[],
  { stands }: ReplacedPart,
  fresh: ReadonlyMap<string, TreeFile>,
  { known }: PlanInput,
): Run {
  const entries = paths.map((path): Entry => {
    const file = fresh.get(path);
    if (file !== undefined) return { fresh: file };
    const facts = stands.get(path);
    if (facts !== undefined) return { stands: facts };
    throw new SeraiError('internal', `the path ${path} neither stands nor is new`);
  });
  const facts = entries.map((entry) => {
    if ('stands' in entry) return entry.stands;
    const fact = known.get(entry.fresh.path);
    return fact !== undefined && sameBytes(fact, entry.fresh) ? fact : undefined;
  });
  return { entries, facts, bytes: new Map(), kept: [], listing: '', key: '' };
}

function pathOf(entry: Entry): string {
  return 'stands' in entry ? entry.stands.path : entry.fresh.path;
}

/** Reads all files of the runs in one stream, and hands each run over when its last file is there. */
async function* readRuns(runs: readonly Run[], { read }: PlanInput, counts: PlanCounts): AsyncGenerator<Run> {
  if (runs.length === 0) return;
  let current = 0;
  for await (const [path, bytes] of read(runs.flatMap((run) => run.entries.map(pathOf)))) {
    const run = runs[current];
    if (run === undefined) return;
    counts.filesRead += 1;
    run.bytes.set(path, bytes);
    if (run.bytes.size < run.entries.length) continue;
    current += 1;
    yield run;
  }
}

function completeFacts(run: Run, { known, limits, declared }: PlanInput, counts: PlanCounts): void {
  for (const [index, entry] of run.entries.entries()) {
    if (run.facts[index] !== undefined || 'stands' in entry) continue;
    const { fresh: file } = entry;
    const bytes = bytesOf(run, file.path);
    counts.bytesHashed += bytes.length;
    const sha256 = sha256OfFile(file, bytes);
    const before = known.get(file.path);
    // The same bytes under another kind of id.
    if (before?.sha256 === sha256) run.facts[index] = { ...before, id: file.id };
    else {
      const said = declared?.(file.path);
      if (said === undefined) {
        run.facts[index] = findFacts(file, sha256, bytes, limits);
        counts.filesParsed += 1;
      } else run.facts[index] = { path: file.path, id: file.id, size: bytes.length, sha256, ...said };
    }
  }
}

/** A version one of whose files cannot be read is left out whole; `unreadable` learns why. */
function withoutUnreadable(run: Run, unreadable: Map<string, string>): readonly FileFacts[] {
  const facts = run.facts.filter((fact) => fact !== undefined);
  const broken = new Set<string>();
  for (const fact of facts) {
    if (fact.problem === undefined) continue;
    const folder = fact.path.slice(0, fact.path.lastIndexOf('/') + 1);
    broken.add(folder);
    unreadable.set(folder, fact.problem);
  }
  if (broken.size === 0) return facts;
  return facts.filter((fact) => ![...broken].some((folder) => fact.path.startsWith(folder)));
}

async function takeReady(runs: readonly Run[], { ready }: PlanInput): Promise<void> {
  const wanted = runs.filter((run) => run.kept.length > 0);
  if (wanted.length === 0) return;
  const found = await ready(wanted.map((run) => run.key));
  for (const run of wanted) {
    const bytesAre = found.get(run.key);
    if (bytesAre !== undefined) run.bytesAre = bytesAre;
  }
}

function rawPiece(run: Run): Buffer {
  let length = 0;
  for (const fact of run.kept) length += entryLength(fact.path, fact.size);
  const raw = Buffer.alloc(length);
  let offset = 0;
  for (const fact of run.kept) offset = writeEntry(raw, offset, fact.path, bytesOf(run, fact.path));
  return raw;
}

function bytesOf(run: Run, path: string): Uint8Array {
  const bytes = run.bytes.get(path);
  if (bytes !== undefined) return bytes;
  throw new SeraiError('internal', `the tree was asked for ${path}, and did not give it`);
}

function plannedPiece({ key, listing, kept, bytesAre }: Run): PlannedPiece[] {
  return bytesAre === undefined ? [] : [{ key, listing, files: kept, ...bytesAre }];
}
