/** What changed between commits: one difference, or every step of a first-parent chain as a stream. */
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { firstParentChain } from './git-chain.ts';
import { checkObjectId } from './git-id.ts';
import { startGit } from './git-process.ts';
import { recordsOf } from './git-records.ts';
import { streamGit, streamOf } from './git-run.ts';
import { isTreePath, showPath } from './tree-rules.ts';

export interface ChangeSide {
  readonly oid: string;
  /** Octal, six digits, as git writes it: `100644`. */
  readonly mode: string;
}

/** A file that was added (no `before`), removed (no `after`) or altered. */
export interface Change {
  /** Each character is one byte (latin1). Not checked by tree-rules. */
  readonly path: string;
  readonly before?: ChangeSide;
  readonly after?: ChangeSide;
}

export interface Step {
  readonly commit: string;
  /** The first parent; undefined at a root, and at the boundary of a shallow repository. */
  readonly parent?: string;
  /** The committer's, in milliseconds since 1970: the upstream's claim, nothing more. */
  readonly date: number;
  /** Against the first parent; at a root, all files. Only paths of the tree (`isTreePath`). */
  readonly changes: readonly Change[];
}

export type HistoryLimits = Pick<Limits, 'tree_entries'>;

interface HistoryOptions {
  readonly limits: HistoryLimits;
  readonly signal?: AbortSignal | undefined;
}

const RAW = [
  '-r',
  '-z',
  '--raw',
  '--no-renames',
  '--no-abbrev',
  '--no-ext-diff',
  '--no-textconv',
  '--ignore-submodules=none',
];
const META = /^\n?:([0-7]{6}) ([0-7]{6}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [A-Z][0-9]*$/;
const HEADER = /^([0-9a-f]{40,64}) ([0-9]{1,20})$/;
const NOTHING = '000000';
/** The last moment that a Date can hold (ECMA-262, time values); commits may claim later ones. */
const LAST_MOMENT = 8.64e15;

/** Throws `not-found` when a commit is not there, `limit-exceeded` beyond `tree_entries` changes. */
export async function* diffCommits(
  gitDir: string,
  from: string,
  to: string,
  { limits, signal }: HistoryOptions,
): AsyncGenerator<Change, void, undefined> {
  const what = `comparing ${from} and ${to}`;
  const args = ['diff-tree', ...RAW, checkObjectId(from), checkObjectId(to), '--'];
  const changes = new ChangeReader(to, limits);
  for await (const records of recordsOf(streamGit({ gitDir, args, signal }, what))) {
    for (const record of records) {
      const change = changes.take(record);
      if (change !== undefined) yield change;
    }
  }
}

/**
 * Every step from `from` (not included; undefined: from the root) to `to`, oldest first. Throws `git-refused`
 * when `from` is not on the first-parent chain of `to`, `limit-exceeded` for a step of more than
 * `tree_entries` changes.
 */
export async function* walkSteps(
  gitDir: string,
  from: string | undefined,
  to: string,
  { limits, signal }: HistoryOptions,
): AsyncGenerator<Step, void, undefined> {
  if (from !== undefined) checkObjectId(from);
  if (from === checkObjectId(to)) return;
  const { commits, reached } = await firstParentChain(gitDir, from, to, signal);
  if (from !== undefined && !reached) throw notOnChain(from, to);
  const chain = from === undefined ? commits : [...commits, from];
  const steps = new StepReader(chain, commits.length, limits);
  const args = ['diff-tree', '--stdin', '--root', '--always', ...RAW, '--format=%H %ct'];
  const git = startGit({ gitDir, args, signal });
  const what = `comparing the commits up to ${to}`;
  git.stdin.end(questionsOf(chain, commits.length));
  for await (const records of recordsOf(streamOf(git, what))) {
    for (const record of records) {
      const step = steps.take(record);
      if (step !== undefined) yield step;
    }
  }
  const last = steps.end();
  if (last !== undefined) yield last;
}

/** `<commit> <parent>` lines, oldest first: diff-tree then compares with that parent alone (git-diff-tree, --stdin). */
function questionsOf(chain: readonly string[], count: number): string {
  const lines = chain.slice(0, count).map((commit, index) => `${commit} ${chain[index + 1] ?? ''}`.trimEnd());
  return `${lines.reverse().join('\n')}\n`;
}

/**
 * Two records make a change: what changed, and the path. Paths outside the tree are counted and passed over:
 * leaving them to git, by a list of paths, takes it twice the time.
 */
class ChangeReader {
  readonly #commit: string;
  readonly #limits: HistoryLimits;
  #meta: readonly string[] | undefined;
  #count = 0;

  constructor(commit: string, limits: HistoryLimits) {
    this.#commit = commit;
    this.#limits = limits;
  }

  get isBetween(): boolean {
    return this.#meta === undefined;
  }

  take(record: string): Change | undefined {
    if (this.#meta === undefined) {
      const meta = META.exec(record);
      if (meta === null) throw unexpected(record);
      this.#meta = meta;
      return undefined;
    }
    const [, modeBefore = '', modeAfter = '', oidBefore = '', oidAfter = ''] = this.#meta;
    this.#meta = undefined;
    if (++this.#count > this.#limits.tree_entries) throw tooManyChanges(this.#commit, this.#limits);
    if (!isTreePath(record)) return undefined;
    return {
      path: record,
      ...(modeBefore === NOTHING ? {} : { before: { oid: oidBefore, mode: modeBefore } }),
      ...(modeAfter === NOTHING ? {} : { after: { oid: oidAfter, mode: modeAfter } }),
    };
  }
}

/** Puts records together to steps, and sees that they are those of the chain, one after the other. */
class StepReader {
  readonly #chain: readonly string[];
  readonly #limits: HistoryLimits;
  #next: number;
  #step: { readonly step: Step; readonly changes: Change[]; readonly reader: ChangeReader } | undefined;

  /** `chain` is newest first, the commit that is no step itself at its end; `count` of them are steps. */
  constructor(chain: readonly string[], count: number, limits: HistoryLimits) {
    this.#chain = chain;
    this.#limits = limits;
    this.#next = count - 1;
  }

  /** The step before, when the record is the header of the next. */
  take(record: string): Step | undefined {
    const header = this.#step?.reader.isBetween === false ? null : HEADER.exec(record);
    if (header !== null) return this.#begin(header);
    const change = this.#step?.reader.take(record);
    if (change !== undefined) this.#step?.changes.push(change);
    if (this.#step === undefined) throw unexpected(record);
    return undefined;
  }

  /** The last step. */
  end(): Step | undefined {
    if (this.#next >= 0) throw unexpected('no more commits');
    return this.#step?.step;
  }

  #begin([, commit = '', seconds]: RegExpExecArray): Step | undefined {
    if (commit !== this.#chain[this.#next]) throw unexpected(commit);
    const complete = this.#step?.step;
    const parent = this.#chain[this.#next + 1];
    const changes: Change[] = [];
    const date = Math.min(Number(seconds) * 1000, LAST_MOMENT);
    const step: Step = { commit, ...(parent === undefined ? {} : { parent }), date, changes };
    this.#step = { step, changes, reader: new ChangeReader(commit, this.#limits) };
    this.#next--;
    return complete;
  }
}

function notOnChain(from: string, to: string): SeraiError {
  return new SeraiError(
    'git-refused',
    `${from} is not on the first-parent chain of ${to}: no steps lead from it`,
  );
}

function tooManyChanges(commit: string, limits: HistoryLimits): SeraiError {
  return new SeraiError(
    'limit-exceeded',
    `the commit ${commit} changes more than tree_entries = ${limits.tree_entries} files; if the upstream is right, raise limits.tree_entries in serai.toml`,
  );
}

function unexpected(record: string): SeraiError {
  return new SeraiError(
    'git-failed',
    `git diff-tree printed ${showPath(record)} where something else belongs`,
  );
}
