/** The only two kinds of names that are handed to git: object ids in full, and plain ref names. Pure. */
import { SeraiError } from '../errors.ts';

const OBJECT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const REF = /^(?:HEAD|refs(?:\/[A-Za-z0-9_+@][A-Za-z0-9._+@-]*)+)$/;
/** `..` is a range, and git itself refuses these endings (git-check-ref-format). */
const REF_ODD = /\.\.|\.lock(?:\/|$)|\.(?:\/|$)/;
const REF_BYTES = 255;
const SHOWN_CHARACTERS = 80;

/** True for 40 (SHA-1) or 64 (SHA-256) lower-case hex digits. */
export function isObjectId(text: string): boolean {
  return OBJECT_ID.test(text);
}

/** The id itself; anything else is `git-refused`, so that no option and no expression ever reaches git. */
export function checkObjectId(text: string): string {
  if (isObjectId(text)) return text;
  throw new SeraiError(
    'git-refused',
    `${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))} is no object id: expected 40 or 64 lower-case hex digits`,
  );
}

/** True for `HEAD` and for names below `refs/` made of plain characters; all others are odd, and never asked for. */
export function isPlainRef(name: string): boolean {
  return name.length <= REF_BYTES && REF.test(name) && !REF_ODD.test(name);
}

/** The name itself; an odd one is `git-refused`. */
export function checkRef(name: string): string {
  if (isPlainRef(name)) return name;
  throw new SeraiError(
    'git-refused',
    `${JSON.stringify(name.slice(0, SHOWN_CHARACTERS))} is no plain ref name: expected HEAD or refs/… of [A-Za-z0-9._+@-]`,
  );
}
