/** Signatures that are checked many at a time. Who checks them is the caller's to say: this thread, or others beside it. */
import type { PublicKey } from './keys.ts';

/** That the hex is the key's signature over the text: true or not. */
export interface Claim {
  readonly key: PublicKey;
  readonly text: Uint8Array;
  readonly signature: string;
}

export interface ClaimChecker {
  /**
   * Which of the claims are true, in their order. What cannot be checked is no answer but an error: a claim is never
   * taken for true, nor a signature for wrong, because nobody looked.
   */
  check(claims: readonly Claim[]): Promise<readonly boolean[]>;
}

export function isTrue({ key, text, signature }: Claim): boolean {
  return key.verify(text, signature);
}

/** In this thread, at once. */
export const checkHere: ClaimChecker = {
  async check(claims) {
    return claims.map(isTrue);
  },
};
