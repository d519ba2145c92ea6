/** Who signed a version with authority, and the trust level that comes of it (points 5, 6 and 7). */
import type { Rule, TrustLevel } from '../dialect.ts';
import type { Authorities } from './authorities.ts';
import type { Delegation } from './delegation.ts';
import { type Delegate, mayDelegateSign } from './delegation-file.ts';
import type { DeveloperKey } from './developer-keys.ts';
import type { FoldedId } from './key-ids.ts';
import { idsOf, type RoleKey, signersAmong } from './role-keys.ts';
import type { SignedText } from './signed-text.ts';

export interface VersionAuthority {
  readonly level: TrustLevel;
  /** Keys whose signatures hold and count. */
  readonly signers: readonly string[];
  /** From root to file, a line each. */
  readonly chain: readonly string[];
  /** When the level is `none`. */
  readonly missing?: { readonly rule: Rule; readonly reason: string };
}

export interface VersionQuestion {
  readonly signed: SignedText;
  /** The subject's key, and the version in it. */
  readonly subject: string;
  readonly version: string;
  /** Point 6: whether a bootstrap signature on this very file counts. */
  readonly bootstrapCounts: boolean;
}

export function versionAuthority(question: VersionQuestion, authorities: Authorities): VersionAuthority {
  const delegation = authorities.delegation(question.subject);
  if (delegation?.blocked) return nothing('P5', 'the name is blocked: its delegation names nobody');
  const maintainers = authorities.maintainersOf(question.signed);
  // Point 7: an RM quorum on the version itself is the most there is.
  if (authorities.isQuorum(maintainers)) {
    const chain = [
      `keys/root lists ${idsOf(maintainers).join(', ')}`,
      'a quorum of maintainers signed the version',
    ];
    return { level: 'verified-developer', signers: idsOf(maintainers), chain };
  }
  if (delegation === undefined) return byBootstrap(question, maintainers, authorities);
  return byDelegates(question, delegation, maintainers);
}

function byDelegates(question: VersionQuestion, delegation: Delegation, maintainers: readonly RoleKey[]) {
  if (delegation.broken !== undefined)
    return nothing('P5', `${delegation.broken}; only a quorum of maintainers counts`);
  const holding = candidatesOf(question, delegation).filter((key) =>
    question.signed.isSignedBy(key.folded, key.key),
  );
  const [best] = [...holding].sort((a, b) => b.maintainers.length - a.maintainers.length);
  if (best === undefined) return whyNoDelegate(question, delegation, maintainers);
  const byMaintainer =
    delegation.maintainers.length > 0 ? `, as ${idsOf(delegation.maintainers).join(', ')} say` : '';
  const chain = [
    best.maintainers.length > 0
      ? `keys/root lists ${idsOf(best.maintainers).join(', ')}, who signed the key ${best.id}`
      : `no maintainer signed the key ${best.id}; it stands by the snapshot`,
    `the delegation of ${question.subject} names ${best.id}${byMaintainer}`,
    `${best.id} signed the version`,
  ];
  return { level: levelOf(best, delegation), signers: idsOf(holding), chain };
}

/** Point 7. */
function levelOf(signer: DeveloperKey, delegation: Delegation): TrustLevel {
  if (signer.maintainers.length === 0) return 'signed';
  return delegation.maintainers.length === 0 ? 'verified-key' : 'verified-developer';
}

/** Standing delegates for this version that an entry of the signature names. */
function candidatesOf({ signed, version }: VersionQuestion, delegation: Delegation): readonly DeveloperKey[] {
  const found = new Map<FoldedId, DeveloperKey>();
  for (const { folded } of signed.entries) {
    const key = delegation.standing.get(folded);
    if (key === undefined || found.has(folded)) continue;
    if (entriesOf(delegation, folded).some((delegate) => mayDelegateSign(delegate, version)))
      found.set(folded, key);
  }
  return [...found.values()];
}

function entriesOf(delegation: Delegation, id: FoldedId): readonly Delegate[] {
  return delegation.delegates.filter((delegate) => delegate.folded === id);
}

function whyNoDelegate(question: VersionQuestion, delegation: Delegation, maintainers: readonly RoleKey[]) {
  const [wrong] = candidatesOf(question, delegation);
  if (wrong !== undefined)
    return nothing('SIG', `the signature by ${wrong.id} does not hold over the canonical text`);
  for (const { id, folded } of question.signed.entries) {
    const passedOver = delegation.passedOver.get(folded);
    if (passedOver !== undefined) return nothing('P5', `the delegate ${id} is passed over: ${passedOver}`);
    if (delegation.standing.has(folded))
      return nothing('P5', `${id} is no delegate for version ${question.version}`);
  }
  if (maintainers.length > 0) return nothing('P2', tooFew(maintainers));
  if (question.signed.entries.length === 0) return nothing('SIG', 'the signature file bears no signature');
  return nothing('P5', 'it is signed by nobody whom the delegation names');
}

/** Point 6: only for names without a delegation, and up to `signed` only. */
function byBootstrap(
  { signed, bootstrapCounts }: VersionQuestion,
  maintainers: readonly RoleKey[],
  { root }: Authorities,
): VersionAuthority {
  const named = root.bootstrapKeys.filter((key) => signed.mentions(key.folded));
  const signers = signersAmong(signed, named);
  if (signers.length > 0 && bootstrapCounts) {
    const chain = [`keys/root lists ${idsOf(signers).join(', ')}`, 'a bootstrap key signed the version'];
    return { level: 'signed', signers: idsOf(signers), chain };
  }
  if (signers.length > 0) {
    return nothing('P6', 'the bootstrap signature does not stand byte for byte in initial-bootstrap-commit');
  }
  if (named.length > 0)
    return nothing('SIG', `the signature by ${named[0]?.id} does not hold over the canonical text`);
  if (maintainers.length > 0) return nothing('P2', tooFew(maintainers));
  if (signed.entries.length === 0) return nothing('SIG', 'the signature file bears no signature');
  const wrong = root.maintainerKeys.find((key) => signed.mentions(key.folded));
  if (wrong !== undefined)
    return nothing('SIG', `the signature by ${wrong.id} does not hold over the canonical text`);
  return nothing(
    'P5',
    'the name has no delegation, and neither a bootstrap key nor a quorum of maintainers signed',
  );
}

function tooFew(maintainers: readonly RoleKey[]): string {
  return `only ${idsOf(maintainers).join(', ')} of the repository maintainers signed, and a quorum is needed`;
}

function nothing(rule: Rule, reason: string): VersionAuthority {
  return { level: 'none', signers: [], chain: [], missing: { rule, reason } };
}
