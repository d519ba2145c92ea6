/** The tag `signed-snapshot` (point 10). */
import type { Tag } from '../history.ts';
import { FUTURE_TOLERANCE, showDate } from './dates.ts';
import type { ValidFile } from './form.ts';
import { type Problem, problem } from './problem.ts';
import { idsOf, signersAmong } from './role-keys.ts';
import type { RootFile } from './root-file.ts';
import { readSnapshotMessage, SNAPSHOT_TAG, type SnapshotMessage } from './tag-messages.ts';

export type Snapshot = ValidFile<SnapshotMessage>;

/** What was accepted last. */
export interface SnapshotFloor {
  readonly commit?: string;
  /** Milliseconds since the epoch. */
  readonly date: number;
}

/** An annotated tag's message as bytes, or what is wrong with the tag itself. Serves `rm/<commit>` too. */
export function taggedMessage(tag: Tag | undefined, name: string, commit: string): Uint8Array | string {
  if (tag === undefined) return `there is no tag ${name}`;
  if (tag.kind === 'unreadable') return `the tag ${name} cannot be read: ${tag.reason}`;
  if (tag.kind !== 'annotated') return `the tag ${name} is not annotated`;
  if (tag.tag !== name) return `the tag object at ${name} calls itself ${JSON.stringify(tag.tag)}`;
  if (tag.type !== 'commit') return `the tag ${name} tags a ${tag.type}, not a commit`;
  if (tag.object !== commit) return `the tag ${name} tags ${tag.object}, not ${commit}`;
  return tag.message;
}

/** The tag's form, and that it speaks of this commit; who signed it is for `snapshotProblem`. */
export function readSnapshot(tag: Tag | undefined, commit: string, depth: number): Snapshot | Problem {
  const message = taggedMessage(tag, SNAPSHOT_TAG, commit);
  if (typeof message === 'string') return problem('P10', message);
  const snapshot = readSnapshotMessage(message, depth);
  if (!snapshot.valid) return problem(snapshot.rule, `the tag's message is invalid: ${snapshot.reason}`);
  if (snapshot.content.commit !== commit) {
    return problem(
      'P10',
      `the tag's message speaks of the commit ${snapshot.content.commit}, not of ${commit}`,
    );
  }
  return snapshot;
}

/** Why a snapshot is refused; undefined when it is accepted. */
export function snapshotProblem(
  { content, signed }: Snapshot,
  { snapshotKeys }: RootFile,
  floor: SnapshotFloor | undefined,
  now: number,
): Problem | undefined {
  // One snapshot key suffices.
  if (signersAmong(signed, snapshotKeys).length === 0) {
    const claimed = snapshotKeys.some((key) => signed.mentions(key.folded));
    const message = claimed ? 'no signature by a snapshot key holds' : 'no snapshot key signed it';
    return problem(claimed ? 'SIG' : 'P10', message, idsOf(snapshotKeys));
  }
  if (content.date > now + FUTURE_TOLERANCE) {
    return problem('P10', `it is dated ${showDate(content.date)}, more than five minutes ahead of the clock`);
  }
  // For the same commit an older date is accepted, and the floor stays.
  if (floor === undefined || floor.commit === content.commit || content.date > floor.date) return undefined;
  const dates = `${showDate(content.date)}, the last accepted one of ${showDate(floor.date)}`;
  return problem('P10', `it is not newer than the last accepted one: it is of ${dates}`);
}

/** Point 10: age > max_age. */
export function isStale({ content }: Snapshot, maxAge: number | undefined, now: number): boolean {
  return maxAge !== undefined && now - content.date > maxAge;
}
