/** What is signed, and the entries of `signature:` (point 1). */
import { hash } from 'node:crypto';
import type { Value } from '../../opam/syntax.ts';
import type { Claim } from './claims.ts';
import { FormError } from './form-error.ts';
import { type FoldedId, foldId } from './key-ids.ts';
import type { PublicKey } from './keys.ts';

export interface SignatureEntry {
  readonly id: string;
  readonly folded: FoldedId;
  readonly algorithm: string;
  readonly signature: string;
}

/** Point 1: more entries make the file invalid. */
const MOST_ENTRIES = 64;

/** A file's canonical text with the signatures that claim to be over it. */
export class SignedText {
  /** One byte a character. */
  readonly text: string;
  readonly entries: readonly SignatureEntry[];
  readonly #results = new Map<string, boolean>();
  #bytes: Buffer | undefined;

  constructor(text: string, entries: readonly SignatureEntry[]) {
    this.text = text;
    this.entries = entries;
  }

  /** Names the canonical text. */
  get identity(): string {
    return hash('sha256', this.#signed, 'hex');
  }

  /**
   * Point 1: of several entries by one id, one that holds is enough; one whose algorithm does not fit the key
   * is passed over. Each signature is verified once, however often it is asked for.
   */
  isSignedBy(id: FoldedId, key: PublicKey): boolean {
    const question = questionOf(id, key);
    const known = this.#results.get(question);
    if (known !== undefined) return known;
    const holds = this.#fitting(id, key).some((entry) => key.verify(this.#signed, entry.signature));
    this.#results.set(question, holds);
    return holds;
  }

  /** The claims that decide what `isSignedBy` will say; none where that is known. */
  claimsBy(id: FoldedId, key: PublicKey): readonly Claim[] {
    if (this.#results.has(questionOf(id, key))) return [];
    return this.#fitting(id, key).map(({ signature }) => ({ key, text: this.#signed, signature }));
  }

  /** What came of those claims: whether one of them is true. */
  settle(id: FoldedId, key: PublicKey, holds: boolean): void {
    this.#results.set(questionOf(id, key), holds);
  }

  #fitting(id: FoldedId, key: PublicKey): readonly SignatureEntry[] {
    return this.entries.filter((entry) => entry.folded === id && entry.algorithm === key.signatureAlgorithm);
  }

  /** True when an entry names the id, whether or not it holds. */
  mentions(id: FoldedId): boolean {
    return this.entries.some((entry) => entry.folded === id);
  }

  get #signed(): Buffer {
    this.#bytes ??= Buffer.from(this.text, 'latin1');
    return this.#bytes;
  }
}

function questionOf(id: FoldedId, key: PublicKey): string {
  return `${id} ${key.fingerprint}`;
}

/** The entries of a `signature:` field's bare value; throws FormError. */
export function signatureEntries(value: Value | undefined): readonly SignatureEntry[] {
  if (value === undefined) return [];
  if (value.kind !== 'list') throw new FormError('P1', 'signature: is not a list');
  if (value.items.length > MOST_ENTRIES) {
    throw new FormError(
      'P1',
      `signature: has ${value.items.length} entries, and at most ${MOST_ENTRIES} are read`,
    );
  }
  return value.items.map((item) => {
    const [id, algorithm, signature, ...more] = item.kind === 'list' ? item.items : [];
    if (
      id?.kind !== 'string' ||
      algorithm?.kind !== 'string' ||
      signature?.kind !== 'string' ||
      more.length > 0
    ) {
      throw new FormError('P1', 'an entry of signature: is not three strings');
    }
    return { id: id.text, folded: foldId(id.text), algorithm: algorithm.text, signature: signature.text };
  });
}
