/** T1 to T3: the tag `rm/<commit>`, with which a quorum of maintainers allows the removals of one commit. */
import type { Tag } from '../history.ts';
import type { Authorities } from './authorities.ts';
import { taggedMessage } from './snapshot.ts';
import { readRemovalMessage, removalTag } from './tag-messages.ts';

/** Why the tag allows nothing; undefined when it allows the removals of the commit. */
export function removalTagProblem(
  tag: Tag | undefined,
  commit: string,
  authorities: Authorities,
  depth: number,
): string | undefined {
  const message = taggedMessage(tag, removalTag(commit), commit);
  if (typeof message === 'string') return message;
  const file = readRemovalMessage(message, depth);
  if (!file.valid) return `the message of the tag ${removalTag(commit)} is invalid: ${file.reason}`;
  if (file.content.commit !== commit)
    return `the message of the tag ${removalTag(commit)} speaks of another commit`;
  if (authorities.isSignedByQuorum(file.signed)) return undefined;
  return `the tag ${removalTag(commit)} is not signed by a quorum of maintainers`;
}
