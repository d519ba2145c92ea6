/** When this mirror first saw a version, and each archive identity of it (issue 4, point 1). */
import { packageIdOfPath, showPackageId } from '../opam/package-id.ts';
import type { FirstSeen } from '../store/catalogue.ts';
import { identityOf } from './archive-identity.ts';
import type { FileFacts } from './file-facts.ts';
import type { LastPublication } from './last-publication.ts';

export interface NewlySeenInput {
  readonly last: LastPublication;
  /** Of the accepted tree, by path in C order. */
  readonly facts: ReadonlyMap<string, FileFacts>;
  /** Versions that are held out of it, seen without their archives. */
  readonly seen?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What the catalogue may not know yet; only versions whose files say something else than before are looked at. */
export function newlySeen(input: NewlySeenInput): readonly FirstSeen[] {
  const { last, facts, now } = input;
  const baseline = last.state === undefined;
  const rows = (input.seen ?? []).map((version) => ({ version, identity: '', at: now, baseline: false }));
  for (const [path, file] of facts) {
    const place = packageIdOfPath(path);
    if (place?.file !== 'opam') continue;
    const url = facts.get(`${path.slice(0, -'opam'.length)}url`);
    if (isKnown(file, last) && (url === undefined || isKnown(url, last))) continue;
    const identity = identityOf(url === undefined ? [file] : [file, url]);
    rows.push({ version: showPackageId(place.id), identity, at: now, baseline });
  }
  return rows;
}

function isKnown(file: FileFacts, { accepted }: LastPublication): boolean {
  return accepted.get(file.path)?.sha256 === file.sha256;
}

/** By version the first time of all. */
export function seenTimes(
  stored: readonly FirstSeen[],
  fresh: readonly FirstSeen[],
): (version: string) => FirstSeen | undefined {
  const first = new Map<string, FirstSeen>();
  for (const seen of [...stored, ...fresh]) {
    const known = first.get(seen.version);
    if (known === undefined || seen.at < known.at) first.set(seen.version, seen);
  }
  return (version) => first.get(version);
}
