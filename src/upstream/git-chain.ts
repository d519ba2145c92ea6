/**
 * The first-parent chain of a commit, which is what linearity follows (SIGNED-FORMAT, point 12). It is walked
 * from the tip without naming the other end to git: where that end is named, git cuts its walk short by
 * comparing dates, and the dates are the upstream's.
 */
import { SeraiError } from '../errors.ts';
import { streamGit } from './git-run.ts';

export interface Chain {
  /** From the tip back, `from` not included. */
  readonly commits: readonly string[];
  /** True when `from` is on the chain; false when the chain ended, at a root or at a shallow boundary. */
  readonly reached: boolean;
}

/** Nearly twenty times the real repository's 25,746, and some 50 MB in memory. */
const MAX_COMMITS = 500_000;

/** Walks from `to` back until `from`, or to the end. Both are commits' ids, already checked. */
export async function firstParentChain(
  gitDir: string,
  from: string | undefined,
  to: string,
  signal?: AbortSignal,
): Promise<Chain> {
  const commits: string[] = [];
  let rest = '';
  const what = `walking the history of ${to}`;
  for await (const piece of streamGit(
    { gitDir, args: ['rev-list', '--first-parent', to, '--'], signal },
    what,
  )) {
    const lines = (rest + piece.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const commit of lines) {
      if (commit === from) return { commits, reached: true };
      commits.push(commit);
    }
    if (commits.length > MAX_COMMITS) throw tooLong(to);
  }
  return { commits, reached: false };
}

function tooLong(to: string): SeraiError {
  return new SeraiError(
    'limit-exceeded',
    `the history of ${to} has more than ${MAX_COMMITS} first-parent commits; it is refused`,
  );
}
