/** Linearity: each step from what is trusted to the candidate, until one violates (point 12). */
import type { Violation } from '../dialect.ts';
import type { History } from '../history.ts';
import { violation } from './problem.ts';
import { removalTagProblem } from './removal-tag.ts';
import type { Repository, RootJudge } from './repository.ts';
import type { TreeStep } from './step.ts';
import { removalTag } from './tag-messages.ts';
import type { Removal } from './touched-versions.ts';

export interface Walk {
  readonly repository: Repository;
  readonly steps: AsyncIterable<TreeStep>;
  readonly judgeRoot: RootJudge | undefined;
  /** Where RM tags are; undefined where the upstream is not git. */
  readonly history: History | undefined;
  readonly depth: number;
}

/** The violations of the first step that has any: what comes after rests on it. */
export async function walk({
  repository,
  steps,
  judgeRoot,
  history,
  depth,
}: Walk): Promise<readonly Violation[]> {
  for await (const step of steps) {
    const { violations, removals } = await repository.advance(step, judgeRoot);
    const found = [...violations];
    if (removals.length > 0) {
      found.push(...(await unallowed(removals, step.commit, repository, history, depth)));
    }
    if (found.length === 0) continue;
    const { commit } = step;
    return commit === undefined ? found : found.map((one) => ({ ...one, commit }));
  }
  return [];
}

/** T1 to T3; where no such tag is there at all, it is L1 that forbids. */
async function unallowed(
  removals: readonly Removal[],
  commit: string | undefined,
  { authorities }: Repository,
  history: History | undefined,
  depth: number,
): Promise<readonly Violation[]> {
  const keys = authorities.root.maintainerKeys.map((key) => key.id);
  const gone = 'it was removed, and may be only by a quorum of maintainers';
  const tag = commit === undefined ? undefined : await history?.tag(removalTag(commit));
  if (commit === undefined || tag === undefined) {
    return removals.map(({ path }) => violation({ rule: 'L1', message: gone, keys }, path));
  }
  const wrong = removalTagProblem(tag, commit, authorities, depth);
  if (wrong === undefined) return [];
  return removals.map(({ rule, path }) => violation({ rule, message: `${gone}: ${wrong}`, keys }, path));
}
