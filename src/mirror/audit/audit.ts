/**
 * The audit: every first-parent step of a history judged by the guard. A step costs its changes only, and
 * three things go on at once: git compares commits, git reads files, and we judge the steps before those.
 */
import { SeraiError } from '../../errors.ts';
import { firstParentChain } from '../../upstream/git-chain.ts';
import type { Step } from '../../upstream/git-history.ts';
import type { GitRepository } from '../../upstream/git-repository.ts';
import type { ChangeClass } from '../../verify/guard/classes.ts';
import type { FileFacts } from '../../verify/guard/facts.ts';
import { Guard } from '../../verify/guard/guard.ts';
import type { VersionChange } from '../../verify/guard/published-versions.ts';
import type { Change } from '../../verify/history.ts';
import { type FactsLimits, FactsReader } from './audit-facts.ts';

/** What a step does to a version that is published already, as `serai audit --json` prints it. */
export interface AuditFinding {
  readonly commit: string;
  /** The committer's, UTC, as `2026-08-22T14:40:30Z`. */
  readonly date: string;
  readonly package: string;
  readonly version: string;
  readonly class: ChangeClass;
  readonly before: string;
  readonly after: string;
}

export interface AuditOptions {
  readonly repository: GitRepository;
  readonly limits: FactsLimits;
  /** The commit after which judging begins, with its tree as what is published; without it, the first. */
  readonly from?: string | undefined;
  /** The last commit. */
  readonly to: string;
  readonly signal?: AbortSignal | undefined;
  /** Called after some of the steps, and after the last. */
  readonly progress?: (done: number, total: number) => void;
}

interface Observed {
  readonly commit: string;
  readonly date: string;
  readonly change: VersionChange;
}

/** Changes whose files are read together. */
interface Batch {
  readonly observed: readonly Observed[];
  /** Steps that are over when these are judged. */
  readonly steps: number;
}

interface ReadBatch extends Batch {
  readonly facts: Promise<ReadonlyMap<string, FileFacts>>;
}

/** Files and changes at most in a batch: enough to keep git busy, little enough to hold two of them. */
const BATCH_FILES = 512;
const BATCH_CHANGES = 2048;
/** Steps that change nothing come in batches too, so that progress is seen. */
const BATCH_STEPS = 256;
/** Of the tree at `from`, taken in at once. */
const BEGIN_CHANGES = 10_000;

/** The tree without files, which every git repository has without storing it. */
const EMPTY_TREES: Readonly<Record<number, string>> = {
  40: '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  64: '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321',
};

/**
 * Every finding, in the order of the steps. Throws `git-refused` when `from` is not on the first-parent chain
 * of `to`, `store-corrupt` when a file is missing.
 */
export async function* auditHistory(options: AuditOptions): AsyncGenerator<AuditFinding, void, undefined> {
  const { repository, from, to, signal } = options;
  const chain = firstParentChain(repository.gitDir, from, to, signal);
  chain.catch(() => {}); // thrown where it is awaited
  const reader = new FactsReader(repository.gitDir, options.limits, signal);
  try {
    const guard = new Guard();
    if (from !== undefined) await beginAt(guard, repository, from);
    const judged = async function* (batch: ReadBatch): AsyncGenerator<AuditFinding, void, undefined> {
      yield* judgeBatch(guard, batch, await batch.facts);
      options.progress?.(batch.steps, (await chain).commits.length);
    };
    let ahead: ReadBatch | undefined;
    for await (const batch of batchesOf(repository.firstParentSteps(from, to), guard)) {
      const facts = reader.facts(batch.observed.flatMap(({ change }) => change.needs));
      facts.catch(() => {}); // thrown when its turn comes; nobody listens when the reader has left
      if (ahead !== undefined) yield* judged(ahead);
      ahead = { ...batch, facts };
    }
    if (ahead !== undefined) yield* judged(ahead);
  } finally {
    await reader.close();
    await chain.catch(() => {});
  }
}

/** Takes the tree of a commit for granted. */
async function beginAt(guard: Guard, repository: GitRepository, commit: string): Promise<void> {
  let files: Change[] = [];
  for await (const file of repository.diff(EMPTY_TREES[commit.length] ?? '', commit)) {
    if (files.push(file) < BEGIN_CHANGES) continue;
    guard.begin(files);
    files = [];
  }
  guard.begin(files);
}

async function* batchesOf(steps: AsyncIterable<Step>, guard: Guard): AsyncGenerator<Batch, void, undefined> {
  let observed: Observed[] = [];
  let files = 0;
  let done = 0;
  let first = 0;
  for await (const { commit, date: milliseconds, changes } of steps) {
    const date = showDate(milliseconds);
    for (const change of guard.observe(changes)) {
      observed.push({ commit, date, change });
      files += change.needs.length;
      if (files < BATCH_FILES && observed.length < BATCH_CHANGES) continue;
      yield { observed, steps: done };
      observed = [];
      files = 0;
    }
    done += 1;
    if (done - first < BATCH_STEPS) continue;
    yield { observed, steps: done };
    observed = [];
    files = 0;
    first = done;
  }
  yield { observed, steps: done };
}

function* judgeBatch(
  guard: Guard,
  { observed }: Batch,
  facts: ReadonlyMap<string, FileFacts>,
): Generator<AuditFinding, void, undefined> {
  for (const { commit, date, change } of observed) {
    const finding = guard.judge(change, (id) => factsAmong(facts, id));
    if (finding === undefined) continue;
    const { id, class: found, before, after } = finding;
    yield {
      commit,
      date,
      package: id.name,
      version: id.version,
      class: found,
      before,
      after,
    };
  }
}

function factsAmong(facts: ReadonlyMap<string, FileFacts>, id: string): FileFacts {
  const known = facts.get(id);
  if (known === undefined) throw new SeraiError('internal', `${id} was judged without having been read`);
  return known;
}

function showDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000Z', 'Z');
}
