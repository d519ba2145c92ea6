/** The rival of all verifying: node:crypto alone, over as many signatures of as many keys. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { ed25519 } from '../../test/support/signed-keys.ts';

const KEYS = 500;
/** About a signature file's canonical text. */
const TEXT_BYTES = 200;

interface Signature {
  readonly key: KeyObject;
  readonly text: Buffer;
  readonly bytes: Buffer;
}

/** One signature for each of 500 imported keys, ready to be verified. */
export function bareSignatures(): readonly Signature[] {
  return Array.from({ length: KEYS }, (_, index) => {
    const signer = ed25519(`bare-${index}`);
    const x = Buffer.from(signer.key, 'hex').toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const text = Buffer.alloc(TEXT_BYTES, `text ${index} `);
    const hex = /"([0-9a-f]{128})"/.exec(signer.entry(text.toString('latin1')))?.[1] ?? '';
    return { key, text, bytes: Buffer.from(hex, 'hex') };
  });
}

/** Throws when one is not good. */
export function verifyBare(signatures: readonly Signature[], count: number): void {
  for (let index = 0; index < count; index++) {
    const signature = signatures[index % signatures.length];
    if (signature === undefined || !verify(null, signature.text, signature.key, signature.bytes))
      throw new Error('a good signature did not verify');
  }
}
