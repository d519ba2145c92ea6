/** Public keys (point 1): strict when they are read, so that a signature's verdict is never ambiguous. */
import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  type VerifyKeyObjectInput,
  verify,
} from 'node:crypto';
import { isStrictPoint } from './strict-points.ts';

export interface PublicKey {
  /** `sha256=…`: the form of trust anchors, and what makes two keys the same one. */
  readonly fingerprint: string;
  /** What an entry of `signature:` must name for this key. */
  readonly signatureAlgorithm: string;
  /** True when the hex is this key's signature over the text. */
  verify(text: Uint8Array, signature: string): boolean;
  /** The same, beside other work. */
  verifyLater(text: Uint8Array, signature: string): Promise<boolean>;
}

/** Keys already read; a tree has few, but each is referred to by many files. */
const KEYS_KEPT = 20_000;
const RSA_LEAST_BITS = 2048;
const PSS_SALT_BYTES = 32;
/** RFC 8410: what stands before the 32 raw bytes in an SPKI. */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const ED25519_KEY = /^[0-9a-f]{64}$/;
const ED25519_SIGNATURE = /^[0-9a-f]{128}$/;
const LOWER_HEX = /^(?:[0-9a-f]{2})+$/;
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
  // RFC 8032's cofactorless equation, S below the order: what OpenSSL computes.
  return publicKey(fingerprintOf(raw), 'ed25519', { digest: null, key, form: ED25519_SIGNATURE });
}

function importRsa(text: string): PublicKey | undefined {
  const [, body] = SPKI_PEM.exec(text) ?? [];
  if (body === undefined) return undefined;
  const base64 = body.replaceAll('\n', '');
  const spki = Buffer.from(base64, 'base64');
  if (spki.toString('base64') !== base64) return undefined;
  const key = importSpki(spki);
  if (key === undefined || !isStrictRsa(key, spki)) return undefined;
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_BYTES };
  return publicKey(fingerprintOf(spki), 'RSASSA-PSS', { digest: 'sha256', key: pss, form: LOWER_HEX });
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

interface Verifying {
  readonly digest: 'sha256' | null;
  readonly key: KeyObject | VerifyKeyObjectInput;
  /** What a signature's hex looks like; any other is passed over. */
  readonly form: RegExp;
}

function publicKey(
  fingerprint: string,
  signatureAlgorithm: string,
  { digest, key, form }: Verifying,
): PublicKey {
  return {
    fingerprint,
    signatureAlgorithm,
    verify: (text, signature) =>
      form.test(signature) && verify(digest, text, key, Buffer.from(signature, 'hex')),
    verifyLater: (text, signature) =>
      new Promise((resolve, reject) => {
        if (!form.test(signature)) return resolve(false);
        verify(digest, text, key, Buffer.from(signature, 'hex'), (error, holds) =>
          error === null ? resolve(holds) : reject(error),
        );
      }),
  };
}

function fingerprintOf(bytes: Uint8Array): string {
  return `sha256=${createHash('sha256').update(bytes).digest('hex')}`;
}
