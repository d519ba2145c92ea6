/**
 * From an admitted tree to the pieces of its index: facts of new files are found, known pieces are taken as
 * they are, the others are written and deflated. Work grows with what changed.
 */
import type { Limits } from '../limits.ts';
import type { Tree, TreeFile } from '../opam/tree.ts';
import { type FileFacts, factsOf } from './file-facts.ts';
import { type DeflatedPiece, deflatePiece } from './gzip.ts';
import { divide, pieceKey } from './pieces.ts';
import { entryLength, writeEntry } from './tar-writer.ts';

/** Deflations under way at once; each holds a piece's raw bytes. */
const DEFLATIONS = 8;

export interface PlannedPiece {
  readonly key: string;
  readonly files: readonly FileFacts[];
  /** Undefined when the piece was known already. */
  readonly deflated?: DeflatedPiece;
}

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
  /** Admitted paths in C order, without `repo`. */
  readonly paths: readonly string[];
  /** Facts from earlier, by path; used where the id still fits. */
  readonly known: ReadonlyMap<string, FileFacts>;
  readonly limits: Limits;
  /** The keys among these whose pieces are stored. */
  readonly stored: (keys: readonly string[]) => Promise<ReadonlySet<string>>;
}

interface Run {
  readonly files: readonly TreeFile[];
  readonly facts: (FileFacts | undefined)[];
  readonly bytes: Map<string, Uint8Array>;
  kept: readonly FileFacts[];
  key: string;
  deflated?: DeflatedPiece;
}

export async function planIndex(input: PlanInput): Promise<IndexPlan> {
  const counts: PlanCounts = { filesRead: 0, filesParsed: 0, bytesHashed: 0, piecesDeflated: 0 };
  const unreadable = new Map<string, string>();
  const deflations = new Set<Promise<void>>();

  const deflate = async (run: Run): Promise<void> => {
    const raw = rawPiece(run);
    run.bytes.clear();
    if (deflations.size >= DEFLATIONS) await Promise.race(deflations);
    counts.piecesDeflated += 1;
    const deflation = deflatePiece(raw).then((deflated) => {
      run.deflated = deflated;
      deflations.delete(deflation);
    });
    deflations.add(deflation);
  };

  const settle = (run: Run): void => {
    run.kept = withoutUnreadable(run, unreadable);
    run.key = pieceKey(run.kept);
  };

  const runs = divide(input.paths).map((paths) => runOf(paths, input));
  const incomplete = runs.filter((run) => run.facts.includes(undefined));
  const complete = runs.filter((run) => !run.facts.includes(undefined));

  for await (const run of readRuns(incomplete, input.tree, counts)) {
    for (const [index, file] of run.files.entries()) {
      const bytes = run.bytes.get(file.path);
      if (run.facts[index] !== undefined || bytes === undefined) continue;
      run.facts[index] = factsOf(file.path, file.id, bytes, input.limits);
      counts.filesParsed += 1;
      counts.bytesHashed += bytes.length;
    }
    settle(run);
    if ((await input.stored([run.key])).has(run.key)) run.bytes.clear();
    else await deflate(run);
  }

  for (const run of complete) settle(run);
  const stored = await input.stored(complete.map((run) => run.key));
  const rewritten = complete.filter((run) => !stored.has(run.key));
  for await (const run of readRuns(rewritten, input.tree, counts)) await deflate(run);

  await Promise.all(deflations);
  const pieces = runs
    .filter((run) => run.kept.length > 0)
    .map((run) => ({
      key: run.key,
      files: run.kept,
      ...(run.deflated === undefined ? {} : { deflated: run.deflated }),
    }));
  const facts = runs.flatMap((run) => run.facts.filter((fact) => fact !== undefined));
  return { pieces, facts, unreadable, counts };
}

function runOf(paths: readonly string[], input: PlanInput): Run {
  const files: TreeFile[] = [];
  for (const path of paths) {
    const file = input.tree.files.get(path);
    if (file !== undefined) files.push(file);
  }
  const facts = files.map((file) => {
    const known = input.known.get(file.path);
    return known?.id === file.id ? known : undefined;
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

function rawPiece(run: Run): Buffer {
  let length = 0;
  for (const fact of run.kept) length += entryLength(fact.path, fact.size);
  const raw = Buffer.alloc(length);
  let offset = 0;
  for (const fact of run.kept) {
    const bytes = run.bytes.get(fact.path);
    if (bytes !== undefined) offset = writeEntry(raw, offset, fact.path, bytes);
  }
  return raw;
}
