/**
 * What a URL path asks for. One strict pattern: anything that is not spelt exactly like this, in no other
 * case, escape or length, and without a query, is not found (HOSTILE 18).
 */
import { type Checksum, isHashKind, isHexOf, parseSha256, type Sha256 } from '../hashes.ts';

export type Asked =
  | (Place & { readonly kind: 'archive'; readonly checksum: Checksum })
  | (Place & { readonly kind: 'index' | 'repo' });

interface Place {
  readonly repository: string;
  /** Of a past snapshot; the present one without. */
  readonly snapshot?: Sha256;
}

/** The repository that is also served at `/`. */
export const ROOT_REPOSITORY = 'default';

/** Longer than any path of ours: a name, a snapshot's id, a sha512. */
const LONGEST = 300;

const PATTERN =
  /^\/(?:([a-z0-9][a-z0-9_-]{0,62})(?:@([0-9a-f]{64}))?\/)?(?:(index\.tar\.gz|repo)|cache\/(md5|sha256|sha512)\/([0-9a-f]{2})\/([0-9a-f]{32,128}))$/;

/** Paths of pages: plain words, with `/` and `.` only between them; no query, escape or final slash. */
const PAGE = /^\/(?:[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*)?$/;

/** Whether a route may be looked for; none is reached by any second spelling. */
export function isPagePath(path: string): boolean {
  return path.length <= LONGEST && PAGE.test(path);
}

/** Undefined for every path that is no client's business; other routes may know it. */
export function parsePath(path: string): Asked | undefined {
  if (path.length > LONGEST) return undefined;
  const match = PATTERN.exec(path);
  if (match === null) return undefined;
  const [, name, snapshotText, file, kind, prefix, hex] = match;
  const snapshot = snapshotText === undefined ? undefined : parseSha256(snapshotText);
  const place = { repository: name ?? ROOT_REPOSITORY, ...(snapshot === undefined ? {} : { snapshot }) };
  if (file !== undefined) return { kind: file === 'repo' ? 'repo' : 'index', ...place };
  if (kind === undefined || hex === undefined || prefix === undefined) return undefined;
  if (!isHashKind(kind) || !isHexOf(kind, hex) || !hex.startsWith(prefix)) return undefined;
  return { kind: 'archive', ...place, checksum: { kind, hex } };
}
