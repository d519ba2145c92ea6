/** What a delegation is worth with the present keys (point 5). */
import type { Delegate, DelegationFile } from './delegation-file.ts';
import type { DeveloperKey } from './developer-keys.ts';
import type { SignedFile } from './form.ts';
import type { FoldedId } from './key-ids.ts';
import { type RoleKey, signersAmong } from './role-keys.ts';
import type { RootFile } from './root-file.ts';

export interface Delegation {
  readonly delegates: readonly Delegate[];
  /** No delegates: nothing of the name is served or added, whoever signs. */
  readonly blocked: boolean;
  /** Why the file does not hold; the name is delegated all the same, and only an RM quorum counts. */
  readonly broken?: string;
  /** Delegates whose signatures on the file hold; not looked for where maintainers' signatures decide all. */
  readonly signers: readonly DeveloperKey[];
  readonly maintainers: readonly RoleKey[];
  /** Delegates that a signer is or vouches for; only they can sign versions. */
  readonly standing: ReadonlyMap<FoldedId, DeveloperKey>;
  /** The other delegates, with the reason. */
  readonly passedOver: ReadonlyMap<FoldedId, string>;
}

type KeyOf = (id: FoldedId) => DeveloperKey | string;

const NOBODY = { signers: [], maintainers: [], standing: new Map(), passedOver: new Map() };

export function judgeDelegation(file: SignedFile<DelegationFile>, root: RootFile, keyOf: KeyOf): Delegation {
  if (!file.valid) {
    return { ...NOBODY, delegates: [], blocked: false, broken: `the delegation is invalid: ${file.reason}` };
  }
  const { delegates } = file.content;
  const maintainers = signersAmong(file.signed, root.maintainerKeys);
  if (delegates.length === 0) return { ...NOBODY, delegates, blocked: true, maintainers };
  const keys = new Map(delegates.map((delegate) => [delegate.folded, keyOf(delegate.folded)] as const));
  const known = [...keys.values()].filter((key): key is DeveloperKey => typeof key !== 'string');
  const decided = maintainers.length > 0 && known.every((key) => isVouchedFor(key));
  const signers = decided ? [] : known.filter((key) => file.signed.isSignedBy(key.folded, key.key));
  if (signers.length === 0 && maintainers.length === 0) {
    const broken = 'the delegation is signed neither by one of its delegates nor by a repository maintainer';
    return { ...NOBODY, delegates, blocked: false, broken };
  }
  return { delegates, blocked: false, signers, maintainers, ...standingOf(keys, signers) };
}

/** A delegate stands when any one signer is it or vouches for it, or an RM vouches for its key. */
function standingOf(
  keys: ReadonlyMap<FoldedId, DeveloperKey | string>,
  signers: readonly DeveloperKey[],
): Pick<Delegation, 'standing' | 'passedOver'> {
  const standing = new Map<FoldedId, DeveloperKey>();
  const passedOver = new Map<FoldedId, string>();
  for (const [folded, key] of keys) {
    if (typeof key === 'string') passedOver.set(folded, key);
    else if (isVouchedFor(key) || signers.some((signer) => vouches(signer, key))) standing.set(folded, key);
    else
      passedOver.set(
        folded,
        'no signer of the delegation is it or has signed its key, and no maintainer has',
      );
  }
  return { standing, passedOver };
}

/** For a new delegation: one signer alone is or vouches for every delegate (point 5, L3). */
export function isVouchedByOneSigner(delegation: Delegation): boolean {
  if (delegation.blocked) return delegation.maintainers.length > 0;
  const keys = [...delegation.standing.values()];
  if (delegation.broken !== undefined || delegation.passedOver.size > 0) return false;
  if (delegation.maintainers.length > 0 && keys.every((key) => isVouchedFor(key))) return true;
  return delegation.signers.some((signer) => keys.every((key) => isVouchedFor(key) || vouches(signer, key)));
}

function isVouchedFor(key: DeveloperKey): boolean {
  return key.maintainers.length > 0;
}

function vouches(signer: DeveloperKey, key: DeveloperKey): boolean {
  return signer.folded === key.folded || key.signed.isSignedBy(signer.folded, signer.key);
}
