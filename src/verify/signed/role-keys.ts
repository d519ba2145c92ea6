/** Keys with a role, and quorums of them (point 2). */
import type { FoldedId } from './key-ids.ts';
import type { PublicKey } from './keys.ts';
import type { SignedText } from './signed-text.ts';

export interface RoleKey {
  readonly id: string;
  readonly folded: FoldedId;
  readonly key: PublicKey;
  /** Of root keys, in milliseconds since the epoch. */
  readonly expires?: number;
}

/** The keys of a role whose signatures hold over the text. */
export function signersAmong(signed: SignedText, keys: readonly RoleKey[]): readonly RoleKey[] {
  if (signed.entries.length === 0) return [];
  return keys.filter((key) => signed.isSignedBy(key.folded, key.key));
}

/** Point 2: a quorum counts distinct public keys, never ids or entries. */
export function countDistinct(keys: readonly RoleKey[]): number {
  return new Set(keys.map((key) => key.key.fingerprint)).size;
}

/** Point 2: a quorum that is not given. */
export function strictMajority(keys: number): number {
  return Math.floor(keys / 2) + 1;
}

/** Point 3: at its date or past it, whichever version of a file is judged. */
export function isExpired(key: RoleKey, now: number): boolean {
  return key.expires !== undefined && now >= key.expires;
}

export function idsOf(keys: readonly { readonly id: string }[]): readonly string[] {
  return keys.map((key) => key.id);
}
