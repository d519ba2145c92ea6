/** When this mirror first saw a version, and each archive identity of it (issue 4, point 1). */
import { packageIdOfPath, parsePackageId, showPackageId } from '../../opam/package-id.ts';
import type { FirstSeen } from '../../store/catalogue.ts';
import type { FileFacts } from '../index/file-facts.ts';
import type { PieceFiles } from '../index/standing-tree.ts';
import type { LastPublication } from '../sync/last-publication.ts';
import type { AcceptedState } from './accepted-state.ts';
import { identityOf } from './archive-identity.ts';

export interface NewlySeenInput {
  readonly last: Pick<LastPublication, 'state'>;
  /** Of the accepted tree: the pieces that it did not have before, and those that it has no more. */
  readonly entering: readonly PieceFiles[];
  readonly leaving: readonly PieceFiles[];
  /** Versions that are held out of it, seen without their archives. */
  readonly seen?: readonly string[];
  /** Of the accepted tree, with what is not in it: such a version was seen all the same, and its name is owned. */
  readonly state: Pick<AcceptedState, 'withheld' | 'unreadable'>;
  /** Of an overlay: when a version was first seen in the source that it comes from. */
  readonly firstSeen?: ((version: string) => FirstSeen | undefined) | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What the catalogue may not know yet; only versions whose files say something else than before are looked at. */
export function newlySeen(input: NewlySeenInput): readonly FirstSeen[] {
  const { last, now } = input;
  const baseline = last.state === undefined;
  const rows = seenOutside(input).map((version) => ({ version, identity: '', at: now, baseline }));
  const stood = new Map<string, string>();
  for (const { files } of input.leaving) for (const { path, sha256 } of files) stood.set(path, sha256);
  const isKnown = ({ path, sha256 }: FileFacts): boolean => stood.get(path) === sha256;
  for (const { files } of input.entering) {
    const urls = new Map(files.filter(({ path }) => path.endsWith('/url')).map((file) => [file.path, file]));
    for (const file of files) {
      const place = packageIdOfPath(file.path);
      if (place?.file !== 'opam') continue;
      const url = urls.get(`${file.path.slice(0, -'opam'.length)}url`);
      if (isKnown(file) && (url === undefined || isKnown(url))) continue;
      const identity = identityOf(url === undefined ? [file] : [file, url]);
      const version = showPackageId(place.id);
      const first = input.firstSeen?.(version) ?? { at: now, baseline };
      rows.push({ version, identity, at: first.at, baseline: first.baseline });
    }
  }
  return rows;
}

/** Versions held out of the tree that were not held out of the one before, by their ids. */
function seenOutside({ seen = [], state, last, firstSeen }: NewlySeenInput): readonly string[] {
  // Of an overlay the sources know.
  if (firstSeen !== undefined) return seen;
  const before = new Set(outside(last.state));
  const fresh = outside(state).filter((version) => !before.has(version));
  return [...new Set([...seen, ...fresh.flatMap(idOf)])];
}

function outside(state: Pick<AcceptedState, 'withheld' | 'unreadable'> | undefined): string[] {
  return [...(state?.withheld ?? []), ...(state?.unreadable ?? [])].map(({ version }) => version);
}

/** `name.version`, also of one that is told by the folder it stands in. */
function idOf(version: string): readonly string[] {
  const text = version.split('/').findLast((part) => part !== '') ?? '';
  return parsePackageId(text) === undefined ? [] : [text];
}

/**
 * By version the first time of all. One that was held out of the tree may have been anything by then: its time is that
 * of the first form that was taken in.
 */
export function seenTimes(
  stored: readonly FirstSeen[],
  fresh: readonly FirstSeen[],
): (version: string) => FirstSeen | undefined {
  const first = new Map<string, FirstSeen>();
  for (const seen of [...stored, ...fresh]) {
    if (seen.identity === '') continue;
    const known = first.get(seen.version);
    if (known === undefined || seen.at < known.at) first.set(seen.version, seen);
  }
  return (version) => first.get(version);
}
