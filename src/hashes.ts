/** Hash values, everywhere in the house: lower-case hex under a brand, with the kind beside it. */

import { SeraiError } from './errors.ts';

declare const sha256Brand: unique symbol;

/** A SHA-256 in 64 lower-case hex digits: a blob's name, a snapshot's id. */
export type Sha256 = string & { readonly [sha256Brand]: true };

/** The kinds that opam's `checksum:` knows (OPAM-CLIENT: cache paths are `md5`, `sha256`, `sha512`). */
export type HashKind = 'md5' | 'sha256' | 'sha512';

export const HASH_KINDS: readonly HashKind[] = ['md5', 'sha256', 'sha512'];

/** Length of a kind's digest in hex digits. */
export const HEX_LENGTH: Readonly<Record<HashKind, number>> = { md5: 32, sha256: 64, sha512: 128 };

/** One expected or measured digest; `hex` is lower-case and has the kind's length. */
export interface Checksum {
  readonly kind: HashKind;
  readonly hex: string;
}

const LOWER_HEX = /^[0-9a-f]+$/;

/** `text` as a SHA-256, or undefined when it is not 64 lower-case hex digits. */
export function parseSha256(text: string): Sha256 | undefined {
  return isHexOf('sha256', text) ? (text as Sha256) : undefined;
}

/** A digest that was just measured, as the branded type; throws when it is none, which only a defect can cause. */
export function measuredSha256(hex: string): Sha256 {
  const id = parseSha256(hex);
  if (id === undefined) throw new SeraiError('internal', `${hex} was measured and is no SHA-256`);
  return id;
}

export function isHashKind(text: string): text is HashKind {
  return text === 'md5' || text === 'sha256' || text === 'sha512';
}

/** True when `hex` is a lower-case digest of the kind's length. */
export function isHexOf(kind: HashKind, hex: string): boolean {
  return hex.length === HEX_LENGTH[kind] && LOWER_HEX.test(hex);
}

/** `sha256=…`, as opam writes it. */
export function showChecksum(checksum: Checksum): string {
  return `${checksum.kind}=${checksum.hex}`;
}
