/** What an upstream says that it has: its current commit, and those of its tags that mean something to us. */
import { SeraiError } from '../errors.ts';
import { isObjectId, isPlainRef } from './git-id.ts';

export interface Advertised {
  /** The commit that the upstream's HEAD (or the chosen branch) is at. */
  readonly head: string;
  /** By name without `refs/tags/`: `signed-snapshot` and `rm/<commit>`. */
  readonly tags: ReadonlyMap<string, AdvertisedTag>;
}

export interface AdvertisedTag {
  /** The tag object, or the tagged object itself for a lightweight tag. */
  readonly oid: string;
  /** What the tag leads to in the end; equal to `oid` for a lightweight tag. */
  readonly peeled: string;
}

/**
 * For `git ls-remote`, which narrows down with these what a server of protocol version 2 sends at all. What a
 * tag leads to is printed under a name of its own, which a pattern without `*` has to spell out.
 */
export const TAG_PATTERNS: readonly string[] = [
  'refs/tags/signed-snapshot',
  'refs/tags/signed-snapshot^{}',
  'refs/tags/rm/*',
];

const TAG_REF = /^refs\/tags\/(signed-snapshot|rm\/(?:[0-9a-f]{40}|[0-9a-f]{64}))(\^\{\})?$/;

/**
 * Reads the answer of `git ls-remote`. Names that are odd, or not asked for, are passed over. Throws
 * `repository-empty` when there is no commit at `ref`.
 */
export function readAdvertised(text: string, ref: string, what: string): Advertised {
  const tags = new Map<string, AdvertisedTag>();
  let head: string | undefined;
  for (const line of text.split('\n')) {
    const [oid = '', name = ''] = line.split('\t');
    if (!isObjectId(oid)) continue;
    if (name === ref) head = oid;
    const [, tag, peels] = TAG_REF.exec(name) ?? [];
    if (tag === undefined || !isPlainRef(`refs/tags/${tag}`)) continue;
    tags.set(tag, { oid: peels === undefined ? oid : (tags.get(tag)?.oid ?? oid), peeled: oid });
  }
  if (head !== undefined) return { head, tags };
  throw new SeraiError(
    'repository-empty',
    `${what} has no commit at ${ref}: it is empty, or no git repository; check the URL`,
  );
}
