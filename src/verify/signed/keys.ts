/** Public keys (point 1): strict when they are read, so that a signature's verdict is never ambiguous. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { isSignature, type SignatureAlgorithm, signatureBytes } from './raw-signature.ts';
import { isStrictPoint } from './strict-points.ts';

export interface PublicKey {
  /** `sha256=…`: the form of trust anchors, and what makes two keys the same one. */
  readonly fingerprint: string;
  /** What an entry of `signature:` must name for this key. */
  readonly signatureAlgorithm: SignatureAlgorithm;
  /** The key as node:crypto has it; it can be handed to another thread. */
  readonly handle: KeyObject;
  /** True when the hex is this key's signature over the text. */
  verify(text: Uint8Array, signature: string): boolean;
}

/** Keys already read; a tree has few, but each is referred to by many files. */
const KEYS_KEPT = 20_000;
const RSA_LEAST_BITS = 2048;
/** RFC 8410: what stands before the 32 raw bytes in an SPKI. */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const ED25519_KEY = /^[0-9a-f]{64}$/;
/** RFC 7468, of this label alone: node:crypto by itself would also take certificates and private keys. */
const SPKI_PEM = /^\s*-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\n]+)\n-----END PUBLIC KEY-----\s*$/;

/** Imports each key once. */
export class KeyRing {
  readonly #keys = new Map<string, PublicKey | undefined>();

  /** The key, or undefined for an unknown algorithm and for a key that point 1 does not take. */
  import(algorithm: string, text: string): PublicKey | undefined {
    const name = `${algorithm} ${text}`;
    if (this.#keys.has(name)) return this.#keys.get(name);
    if (this.#keys.size >= KEYS_KEPT) this.#keys.clear();
    const key = importKey(algorithm, text);
    this.#keys.set(name, key);
    return key;
  }
}

function importKey(algorithm: string, text: string): PublicKey | undefined {
  if (algorithm === 'ed25519') return importEd25519(text);
  if (algorithm === 'rsa') return importRsa(text);
  return undefined;
}

function importEd25519(text: string): PublicKey | undefined {
  if (!ED25519_KEY.test(text)) return undefined;
  const raw = Buffer.from(text, 'hex');
  if (!isStrictPoint(raw)) return undefined;
  const spki = Buffer.concat([ED25519_SPKI_PREFIX, raw]);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return publicKey(fingerprintOf(raw), 'ed25519', key);
}

function importRsa(text: string): PublicKey | undefined {
  const [, body] = SPKI_PEM.exec(text) ?? [];
  if (body === undefined) return undefined;
  const base64 = body.replaceAll('\n', '');
  const spki = Buffer.from(base64, 'base64');
  if (spki.toString('base64') !== base64) return undefined;
  const key = importSpki(spki);
  if (key === undefined || !isStrictRsa(key, spki)) return undefined;
  return publicKey(fingerprintOf(spki), 'RSASSA-PSS', key);
}

function importSpki(spki: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/**
 * One encoding only, since the fingerprint is over the encoding and a quorum counts fingerprints; and an
 * exponent with which signing needs the private key at all.
 */
function isStrictRsa(key: KeyObject, spki: Buffer): boolean {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  return (
    key.asymmetricKeyType === 'rsa' &&
    modulusLength >= RSA_LEAST_BITS &&
    publicExponent >= 3n &&
    (publicExponent & 1n) === 1n &&
    key.export({ format: 'der', type: 'spki' }).equals(spki)
  );
}

function publicKey(
  fingerprint: string,
  signatureAlgorithm: SignatureAlgorithm,
  handle: KeyObject,
): PublicKey {
  return {
    fingerprint,
    signatureAlgorithm,
    handle,
    verify(text, signature) {
      const bytes = signatureBytes(signatureAlgorithm, signature);
      return bytes !== undefined && isSignature(signatureAlgorithm, handle, text, bytes);
    },
  };
}

function fingerprintOf(bytes: Uint8Array): string {
  return `sha256=${createHash('sha256').update(bytes).digest('hex')}`;
}
