/**
 * What policy says of a version: that it is held, or served with a word of warning. The bytes are right, and not
 * wanted; that they are not what they claim is a violation, of verify/dialect.ts.
 */
import type { ChangeClass } from '../guard/classes.ts';

/** The closed set of what a version is held by, or warned of. */
export type PolicyRule =
  /** What the change of a published version is, by the guard. */
  | ChangeClass
  /** A person or the configuration denies it. */
  | 'denied'
  /** There is a list of what is allowed, and it is not on it. */
  | 'not-allowed'
  /** It was first seen less than `min_age` ago. */
  | 'min-age'
  /** An advisory names it. */
  | 'advisory'
  /** Of an archive there are weak checksums only. */
  | 'weak-hashes'
  /** Of an archive there is no checksum. */
  | 'missing-hashes'
  /** With `rewrite_sources`: the mirror cannot give this source in the upstream's place. */
  | 'outside-source';

/** Why a version is not served. */
export interface PolicyHold {
  readonly rule: PolicyRule;
  /** For people: what was found, and where it matters what to do. */
  readonly reason: string;
}

/** What is said of a version that is served all the same. */
export interface PolicyWarning {
  readonly rule: PolicyRule;
  readonly reason: string;
}
