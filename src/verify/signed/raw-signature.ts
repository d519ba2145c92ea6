/** One signature as bytes (point 1). */
import { constants, type KeyObject, verify } from 'node:crypto';

/** As an entry of `signature:` names it. */
export type SignatureAlgorithm = 'ed25519' | 'RSASSA-PSS';

const PSS_SALT_BYTES = 32;
const ED25519_SIGNATURE = /^[0-9a-f]{128}$/;
const LOWER_HEX = /^(?:[0-9a-f]{2})+$/;

/** Undefined for hex of another form than the algorithm's signatures have: such a one does not count. */
export function signatureBytes(algorithm: SignatureAlgorithm, hex: string): Buffer | undefined {
  const form = algorithm === 'ed25519' ? ED25519_SIGNATURE : LOWER_HEX;
  return form.test(hex) ? Buffer.from(hex, 'hex') : undefined;
}

/** What every verdict on a signature rests on (point 1). */
export function isSignature(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  text: Uint8Array,
  signature: Uint8Array,
): boolean {
  // RFC 8032's cofactorless equation, S below the order: what OpenSSL computes.
  if (algorithm === 'ed25519') return verify(null, text, key, signature);
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_BYTES };
  return verify('sha256', text, pss, signature);
}
