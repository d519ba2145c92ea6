/** How many versions the upstream offers, and whether that is to be believed. */
import { SeraiError } from '../../errors.ts';
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import type { IndexPlan } from '../index/index-plan.ts';
import type { AcceptedState } from '../policy/accepted-state.ts';
import type { LastPublication } from './last-publication.ts';

/** The state with the versions that the plan found unreadable. */
export function withUnreadable(state: AcceptedState, { unreadable }: IndexPlan): AcceptedState {
  const found = [...unreadable].map(([folder, reason]) => {
    const place = packageIdOfPath(`${folder}opam`);
    return { version: place === undefined ? folder : showPackageId(place.id), rule: 'unreadable', reason };
  });
  return { ...state, unreadable: [...state.unreadable, ...found] };
}

/**
 * An upstream that lost all or nearly all is an accident or an attack: clients would end up empty. Throws
 * `repository-empty`, or `snapshot-refused` where less than the share `minimumRemaining` (0 to 1) of the versions
 * offered last remains.
 */
export function refuseShrunken(
  repository: string,
  state: AcceptedState,
  last: LastPublication,
  minimumRemaining: number,
): void {
  const offered = readableCount(state);
  if (offered === 0) {
    throw new SeraiError(
      'repository-empty',
      `repository ${repository}: the upstream offers no version of any package; what was published stays`,
    );
  }
  const standing = last.state === undefined ? last.summary?.versions : readableCount(last.state);
  if (standing === undefined || offered >= standing * minimumRemaining) return;
  throw new SeraiError(
    'snapshot-refused',
    `repository ${repository}: the upstream shrank from ${standing} versions to ${offered}; what was ` +
      'published stays. If this is meant, lower minimum_remaining of the repository for one sync',
  );
}

/** What stands in no version's place was not offered as one. */
function readableCount({ offered, unreadable }: AcceptedState): number {
  return offered - unreadable.filter(({ version }) => !version.includes('/')).length;
}
