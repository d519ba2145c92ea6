/** When a signed file has changed ("Linearity, a step from old to new"). */
import type { SignedFile } from './form.ts';
import { type RoleKey, signersAmong } from './role-keys.ts';

export type Difference = 'none' | 'text' | 'dropped-signature';

/**
 * How two files of different bytes differ. Signatures may be added; dropping an RM's that still verifies
 * under the new keys is a change. An invalid file has no canonical text, so any other bytes are a change.
 */
export function differenceBetween<Content>(
  before: SignedFile<Content>,
  after: SignedFile<Content>,
  maintainerKeys: readonly RoleKey[],
): Difference {
  if (!before.valid || !after.valid || before.signed.text !== after.signed.text) return 'text';
  const kept = new Set(signersAmong(after.signed, maintainerKeys).map((key) => key.key.fingerprint));
  const dropped = signersAmong(before.signed, maintainerKeys).some((key) => !kept.has(key.key.fingerprint));
  return dropped ? 'dropped-signature' : 'none';
}

/** Ids that a file's entries claim, for reports. */
export function claimedSigners(file: SignedFile<unknown>): readonly string[] {
  return file.valid ? [...new Set(file.signed.entries.map((entry) => entry.id))] : [];
}
