/** L1, L3, L6 and T3: what a step may do to delegations. */
import { claimedSigners, differenceBetween } from './changed.ts';
import { type Delegation, isVouchedByOneSigner } from './delegation.ts';
import type { DelegationFile } from './delegation-file.ts';
import type { SignedFile } from './form.ts';
import type { StepAuthorities } from './key-rules.ts';
import type { Subject } from './places.ts';
import { type Problem, problem } from './problem.ts';

export interface DelegationChange {
  readonly subject: Subject;
  readonly before: SignedFile<DelegationFile> | undefined;
  /** Undefined: it is removed, which T3 judges. */
  readonly after: SignedFile<DelegationFile> | undefined;
  /** Whether versions of the name stood before the step. */
  readonly hadVersions: boolean;
}

export function delegationProblem(
  change: DelegationChange,
  authorities: StepAuthorities,
): Problem | undefined {
  const { subject, before, after } = change;
  const delegation = authorities.after.delegation(subject.key);
  if (after === undefined || delegation === undefined) return undefined;
  if (before === undefined) return newDelegationProblem(change, after, delegation);
  return changedDelegationProblem(subject, before, after, delegation, authorities);
}

/** L3. */
function newDelegationProblem(
  { hadVersions }: DelegationChange,
  file: SignedFile<DelegationFile>,
  delegation: Delegation,
): Problem | undefined {
  const signers = claimedSigners(file);
  if (delegation.broken !== undefined) return problem('L3', delegation.broken, signers);
  if (!isVouchedByOneSigner(delegation)) {
    const [passedOver] = delegation.passedOver;
    const which = passedOver === undefined ? '' : `: ${passedOver[0]}: ${passedOver[1]}`;
    return problem(
      'L3',
      `no one signer of the new delegation vouches for all of its delegates${which}`,
      signers,
    );
  }
  if (!hadVersions || delegation.maintainers.length > 0) return undefined;
  return problem(
    'L3',
    "the name has versions already, so its delegation needs a maintainer's signature",
    signers,
  );
}

/** L6. The new one also has to hold by itself; delegates passed over do not matter. */
function changedDelegationProblem(
  subject: Subject,
  before: SignedFile<DelegationFile>,
  file: SignedFile<DelegationFile>,
  delegation: Delegation,
  authorities: StepAuthorities,
): Problem | undefined {
  const { maintainerKeys } = authorities.after.root;
  if (differenceBetween(before, file, maintainerKeys) === 'none') return undefined;
  const signers = claimedSigners(file);
  if (!file.valid) return problem('L6', `the changed delegation is invalid: ${file.reason}`, signers);
  if (authorities.after.isSignedByQuorum(file.signed)) return undefined;
  if (!isSignedByFormerDelegate(subject, file, authorities)) {
    const message =
      'the delegation changed without a quorum of maintainers, and no former delegate for all versions could do it alone';
    return problem('L6', message, signers);
  }
  if (delegation.broken !== undefined) return problem('L6', delegation.broken, signers);
  if (!delegation.blocked || delegation.maintainers.length > 0) return undefined;
  return problem('L6', 'a delegation without delegates is for maintainers to sign', signers);
}

/** Judged by the old state: its keys, and that it bore no RM's signature. */
function isSignedByFormerDelegate(
  { key: subject }: Subject,
  file: SignedFile<DelegationFile>,
  { before }: StepAuthorities,
): boolean {
  const old = before.delegation(subject);
  if (!file.valid || old === undefined || old.maintainers.length > 0) return false;
  return old.delegates.some((delegate) => {
    const key = old.standing.get(delegate.folded);
    return (
      delegate.versions === undefined && key !== undefined && file.signed.isSignedBy(key.folded, key.key)
    );
  });
}
