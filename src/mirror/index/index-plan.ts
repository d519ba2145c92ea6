/**
 * From an admitted tree to the pieces of its index: facts of new files are found, known pieces are taken as
 * they are, the others are written and deflated. Work grows with what changed.
 */
import { SeraiError } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { FileId, Tree, TreeFile } from '../../opam/tree.ts';
import type { Piece } from '../../store/catalogue.ts';
import { type FileFacts, findFacts, sameBytes, sha256OfFile } from './file-facts.ts';
import { type DeflatedPiece, Deflations } from './gzip.ts';
import { divide, pieceKey } from './pieces.ts';
import { entryLength, writeEntry } from './tar-writer.ts';

/** Where a piece's bytes are: in the store already, or made now. */
export type PieceBytes = { readonly stored: Piece } | { readonly deflated: DeflatedPiece };

/** A run of the index's files. */
export type PlannedPiece = {
  readonly key: string;
  readonly files: readonly FileFacts[];
} & PieceBytes;

/** Work done, for tests and logs: what did not change must not be counted here. */
export interface PlanCounts {
  filesRead: number;
  filesParsed: number;
  bytesHashed: number;
  piecesDeflated: number;
}

export interface IndexPlan {
  readonly pieces: readonly PlannedPiece[];
  /** Of every file looked at, the unreadable ones too: the next plan's `known`. */
  readonly facts: readonly FileFacts[];
  /** Why versions are left out, by the folder they stand in: their opam file cannot be read. */
  readonly unreadable: ReadonlyMap<string, string>;
  readonly counts: PlanCounts;
}

export interface PlanInput {
  readonly tree: Tree;
  /** Admitted paths in C order, without `repo`; all in the tree. */
  readonly paths: readonly string[];
  /** Facts from earlier, by path; used where they are of the same bytes. */
  readonly known: ReadonlyMap<string, FileFacts>;
  readonly limits: Limits;
  /** Those of these pieces that need not be made, by key. */
  readonly ready: (keys: readonly string[]) => Promise<ReadonlyMap<string, PieceBytes>>;
  /** What a file declares, where that is not what its text says: the mirror's own edits hide where archives are. */
  readonly declared?: (path: string) => Pick<FileFacts, 'archives' | 'others'> | undefined;
}

interface Run {
  readonly files: readonly TreeFile[];
  readonly facts: (FileFacts | undefined)[];
  readonly bytes: Map<string, Uint8Array>;
  /** Without the versions that are left out. */
  kept: readonly FileFacts[];
  key: string;
  bytesAre?: PieceBytes;
}

export async function planIndex(input: PlanInput): Promise<IndexPlan> {
  const counts: PlanCounts = { filesRead: 0, filesParsed: 0, bytesHashed: 0, piecesDeflated: 0 };
  const unreadable = new Map<string, string>();
  const deflations = new Deflations();
  const runs = divide(input.paths).map((paths) => runOf(paths, input));
  const incomplete = runs.filter((run) => run.facts.includes(undefined));
  const complete = runs.filter((run) => !run.facts.includes(undefined));

  const settle = (run: Run): void => {
    run.kept = withoutUnreadable(run, unreadable);
    run.key = pieceKey(run.kept);
  };
  const make = (run: Run): Promise<void> => {
    counts.piecesDeflated += 1;
    const raw = rawPiece(run);
    run.bytes.clear();
    return deflations.add(raw, (deflated) => {
      run.bytesAre = { deflated };
    });
  };

  for await (const run of readRuns(incomplete, input.tree, counts)) {
    completeFacts(run, input, counts);
    settle(run);
    if (!(await takeReady([run], input))) await make(run);
    run.bytes.clear();
  }
  for (const run of complete) settle(run);
  await takeReady(complete, input);
  const unstored = complete.filter((run) => run.kept.length > 0 && run.bytesAre === undefined);
  for await (const run of readRuns(unstored, input.tree, counts)) await make(run);
  await deflations.end();

  const facts = runs.flatMap((run) => run.facts.filter((fact) => fact !== undefined));
  return { pieces: runs.flatMap(plannedPiece), facts, unreadable, counts };
}

function runOf(paths: readonly string[], { tree, known }: PlanInput): Run {
  const files = paths.map((path) => {
    const file = tree.files.get(path);
    if (file !== undefined) return file;
    throw new SeraiError('internal', `the path ${path} was admitted and is not in the tree`);
  });
  const facts = files.map((file) => {
    const fact = known.get(file.path);
    return fact !== undefined && sameBytes(fact, file) ? fact : undefined;
  });
  return { files, facts, bytes: new Map(), kept: [], key: '' };
}

/** Reads all files of the runs in one stream, and hands each run over when its last file is there. */
async function* readRuns(runs: readonly Run[], tree: Tree, counts: PlanCounts): AsyncIterable<Run> {
  const wanted = runs.flatMap((run) => run.files.map((file) => file.path));
  if (wanted.length === 0) return;
  let current = 0;
  for await (const [path, bytes] of tree.read(wanted)) {
    const run = runs[current];
    if (run === undefined) return;
    counts.filesRead += 1;
    run.bytes.set(path, bytes);
    if (run.bytes.size === run.files.length) {
      current += 1;
      yield run;
    }
  }
}

function completeFacts(run: Run, { known, limits, declared }: PlanInput, counts: PlanCounts): void {
  for (const [index, file] of run.files.entries()) {
    if (run.facts[index] !== undefined) continue;
    const bytes = bytesOf(run, file.path);
    counts.bytesHashed += bytes.length;
    const sha256 = sha256OfFile(file, bytes);
    const before = known.get(file.path);
    if (before?.sha256 === sha256) run.facts[index] = withId(before, file.id);
    else {
      const said = declared?.(file.path);
      if (said === undefined) {
        run.facts[index] = findFacts(file, sha256, bytes, limits);
        counts.filesParsed += 1;
      } else {
        const { path, id } = file;
        run.facts[index] = { path, id, size: bytes.length, sha256, ...said };
      }
    }
  }
}

/** The same bytes under another kind of id: the upstream changed from git to an index, or back. */
function withId(facts: FileFacts, id: FileId): FileFacts {
  return { ...facts, id };
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

/** True when nothing is left to be made for these runs. */
async function takeReady(runs: readonly Run[], { ready }: PlanInput): Promise<boolean> {
  const wanted = runs.filter((run) => run.kept.length > 0);
  const found = await ready(wanted.map((run) => run.key));
  for (const run of wanted) {
    const bytesAre = found.get(run.key);
    if (bytesAre !== undefined) run.bytesAre = bytesAre;
  }
  return wanted.every((run) => run.bytesAre !== undefined);
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

function plannedPiece({ key, kept, bytesAre }: Run): PlannedPiece[] {
  return bytesAre === undefined ? [] : [{ key, files: kept, ...bytesAre }];
}
