/** What is done about each class of change of a published version (issue 4, point 3). */
import type { ChangeClass } from '../guard/classes.ts';

/**
 * `hold` keeps that version in its last good form while everything else moves on; `refuse` refuses the whole
 * update.
 */
export type ChangeAction = 'allow' | 'warn' | 'hold' | 'refuse';

export type ChangePolicy = Readonly<Record<ChangeClass, ChangeAction>>;

/** What vouches for a repository's changes: nothing, its signatures, or the repositories that it is made of. */
export type Vouching = 'unsigned' | 'signed' | 'overlay';

const DAY = 86_400_000;

const ALLOW_ALL: ChangePolicy = {
  'archive-altered': 'allow',
  'checksum-dropped': 'allow',
  'checksum-malformed': 'allow',
  'extra-source-altered': 'allow',
  'version-reborn': 'allow',
  'equal-version': 'allow',
  'version-removed': 'allow',
  'build-changed': 'allow',
  'url-moved': 'allow',
  'hashes-added': 'allow',
  'constraints-changed': 'allow',
  'description-changed': 'allow',
};

/** The real repository can be followed with these for years: its honest changes are of the other classes. */
const UNSIGNED: ChangePolicy = {
  ...ALLOW_ALL,
  'archive-altered': 'hold',
  'checksum-dropped': 'hold',
  'checksum-malformed': 'hold',
  'extra-source-altered': 'hold',
  'version-reborn': 'hold',
  'equal-version': 'hold',
  'build-changed': 'warn',
};

/**
 * The defaults with those of `set` in their place. Signed repositories and overlays allow everything by
 * default: who may change what was judged by the signatures, or in the repositories of the overlay.
 */
export function changePolicyOf(dialect: Vouching, set: Partial<ChangePolicy>): ChangePolicy {
  return { ...(dialect === 'unsigned' ? UNSIGNED : ALLOW_ALL), ...set };
}

/** Milliseconds for which a version that the upstream removed is still served. */
const DEFAULT_KEEP_REMOVED: Readonly<Record<Vouching, number>> = {
  unsigned: 90 * DAY,
  signed: 0,
  overlay: 0,
};

/** In milliseconds; `Infinity` for `forever`. */
export function keepRemovedOf(dialect: Vouching, set: number | 'forever' | undefined): number {
  if (set === 'forever') return Number.POSITIVE_INFINITY;
  return set ?? DEFAULT_KEEP_REMOVED[dialect];
}
