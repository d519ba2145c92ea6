/** Annotated tags, taken apart as far as SIGNED-FORMAT, point 10, needs them. */
import { SeraiError } from '../errors.ts';
import { isObjectId } from './git-id.ts';

export interface AnnotatedTag {
  readonly kind: 'annotated';
  /** The tag object itself. */
  readonly oid: string;
  /** What it tags, unpeeled: a tag of a tag names that tag here. */
  readonly object: string;
  /** The type that the tag claims for it: `commit`, `tag`, `tree` or `blob`. */
  readonly type: string;
  /** The tag object's own name, which need not be the ref's (latin1). */
  readonly tag: string;
  /** All that follows the blank line after the header, byte for byte; a PGP block, if any, included. */
  readonly message: Uint8Array;
}

export interface LightweightTag {
  readonly kind: 'lightweight';
  /** What the ref is at: no tag object. */
  readonly oid: string;
  readonly type: string;
}

export type GitTag = AnnotatedTag | LightweightTag;

const HEADER = /^object ([0-9a-f]{40,64})\ntype (commit|tag|tree|blob)\ntag ([^\n]+)(?:\n|$)/;

/** Throws `git-refused` for bytes that are no tag object (git-mktag). */
export function parseTag(oid: string, bytes: Uint8Array): AnnotatedTag {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blank = buffer.indexOf('\n\n');
  const header = buffer.toString('latin1', 0, blank < 0 ? buffer.length : blank);
  const [, object = '', type = '', tag = ''] = HEADER.exec(header) ?? [];
  if (blank < 0 || !isObjectId(object)) {
    throw new SeraiError(
      'git-refused',
      `the tag object ${oid} is malformed; make the tag anew with git tag -a`,
    );
  }
  return { kind: 'annotated', oid, object, type, tag, message: bytes.subarray(blank + 2) };
}
