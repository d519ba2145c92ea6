/** L1, L2, L5 and T2: what a step may do to developer keys. */
import type { Authorities } from './authorities.ts';
import { claimedSigners, differenceBetween } from './changed.ts';
import { DEVELOPER_KEYS, type DeveloperKeyFile } from './developer-key-file.ts';
import type { SignedFile } from './form.ts';
import { type FoldedId, foldId } from './key-ids.ts';
import { type Problem, problem } from './problem.ts';
import { idsOf } from './role-keys.ts';

export interface KeyChange {
  readonly path: string;
  readonly before: SignedFile<DeveloperKeyFile> | undefined;
  /** Undefined: it is removed, which T2 judges. */
  readonly after: SignedFile<DeveloperKeyFile> | undefined;
}

export interface StepAuthorities {
  readonly before: Authorities;
  readonly after: Authorities;
}

export function keyProblem(
  { path, before, after }: KeyChange,
  authorities: StepAuthorities,
): Problem | undefined {
  if (after === undefined) return undefined;
  const folded = foldId(path.slice(DEVELOPER_KEYS.length));
  if (before === undefined) return newKeyProblem(folded, after, authorities);
  return changedKeyProblem(folded, before, after, authorities);
}

/** L2. */
function newKeyProblem(
  folded: FoldedId,
  file: SignedFile<DeveloperKeyFile>,
  { before, after }: StepAuthorities,
): Problem | undefined {
  const key = after.key(folded);
  if (typeof key === 'string')
    return problem('L2', `a new key counts for nothing: ${key}`, claimedSigners(file));
  if (key.maintainers.length > 0 || !isNamedByDelegation(folded, before)) return undefined;
  // An id that comes back after T2 inherits nothing: the delegations that name it still stand.
  const message = `a delegation that stands names ${key.id}, so the new key needs a maintainer's signature`;
  return problem('L2', message, idsOf(after.root.maintainerKeys));
}

/** L5. */
function changedKeyProblem(
  folded: FoldedId,
  before: SignedFile<DeveloperKeyFile>,
  file: SignedFile<DeveloperKeyFile>,
  authorities: StepAuthorities,
): Problem | undefined {
  const { after } = authorities;
  const difference = differenceBetween(before, file, after.root.maintainerKeys);
  if (difference === 'none') return undefined;
  const key = after.key(folded);
  if (typeof key === 'string')
    return problem('L5', `the changed key counts for nothing: ${key}`, claimedSigners(file));
  if (after.isSignedByQuorum(key.signed)) return undefined;
  if (difference === 'dropped-signature') {
    const message = "a maintainer's signature was dropped from the key without a quorum of maintainers";
    return problem('L5', message, claimedSigners(file));
  }
  const previous = authorities.before.key(folded);
  if (typeof previous !== 'string' && key.signed.isSignedBy(folded, previous.key)) return undefined;
  const message = 'the key changed without a signature by the previous key or a quorum of maintainers';
  return problem('L5', message, claimedSigners(file));
}

function isNamedByDelegation(folded: FoldedId, { delegationFiles }: Authorities): boolean {
  for (const lazy of delegationFiles.values()) {
    const file = lazy.read();
    if (file.valid && file.content.delegates.some((delegate) => delegate.folded === folded)) return true;
  }
  return false;
}
