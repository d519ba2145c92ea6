/** Which standing versions of the packages concerned stay, for how long, and which leave. */
import { parsePackageId } from '../../opam/package-id.ts';
import { orderKey } from '../../verify/guard/order-key.ts';
import { folderOf, packageNameOf } from '../index/version-files.ts';
import type { ConcernedPackages, StandingState } from './concerned-packages.ts';
import type { Offer } from './offer.ts';

export interface StayInput {
  readonly offer: Pick<Offer, 'touched' | 'offered'>;
  readonly concerned: Pick<ConcernedPackages, 'names' | 'standing'>;
  readonly previous: Pick<StandingState, 'tree' | 'state'>;
  /** Versions that verification withholds. */
  readonly withheld: ReadonlySet<string>;
  readonly held: ReadonlySet<string>;
  /** New versions that are let in. */
  readonly came: readonly string[];
  /** Removed versions that make way for what differs from them only in case. */
  readonly replaced: ReadonlySet<string>;
  /** Whether what was removed at this time, in milliseconds since the epoch, has stayed for long enough. */
  readonly isOver: (since: number) => boolean;
  readonly now: number;
}

export interface Stay {
  /** Versions that stay as they stand although the upstream does not offer them so. */
  readonly kept: ReadonlySet<string>;
  readonly leaving: ReadonlySet<string>;
  /** When the upstream removed those that stay for a while, in milliseconds since the epoch. */
  readonly removed: Readonly<Record<string, number>>;
}

export function whatStays(input: StayInput): Stay {
  const { offer, concerned, previous, withheld, held, isOver, now } = input;
  const kept = new Set<string>();
  const leaving = new Set<string>();
  const removed: Record<string, number> = {};
  const came = new Set(input.came.map(equalityKey));
  const wasRemoved = new Map(Object.entries(previous.state.removed));
  // A version that was removed and that nothing touches stands for as long as it may.
  for (const [version, since] of wasRemoved)
    if (!concerned.names.has(packageNameOf(version)) && previous.tree.hasFolder(folderOf(version)))
      removed[version] = since;
  for (const version of new Set([...offer.touched, ...wasRemoved.keys()])) {
    if (!concerned.standing.has(version)) continue;
    const isHeld = held.has(version);
    if (offer.offered.has(version) && !isHeld) continue;
    const since = wasRemoved.get(version) ?? (isHeld ? undefined : now);
    // One that takes its place, and that clients or their disks could not tell from it, ends its stay.
    const isReplaced = !isHeld && (came.has(equalityKey(version)) || input.replaced.has(version));
    const isGone = since !== undefined && (isReplaced || isOver(since));
    if (withheld.has(version) || isGone) leaving.add(version);
    else {
      if (since !== undefined) removed[version] = since;
      kept.add(version);
    }
  }
  return { kept, leaving, removed };
}

/** The same for versions of a package that clients cannot tell apart. */
function equalityKey(version: string): string {
  const id = parsePackageId(version);
  return id === undefined ? version : `${id.name}.${orderKey(id.version)}`;
}
