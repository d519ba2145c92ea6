/** What a repository published last, read back: so that a restart finds nothing anew, and the guard has a before. */
import type { Catalogue, Snapshot } from '../../store/catalogue.ts';
import type { FileFacts } from '../index/file-facts.ts';
import { loadStandingTree, StandingTree } from '../index/standing-tree.ts';
import { type AcceptedState, decodeAcceptedState } from '../policy/accepted-state.ts';
import { decodeSummary, type Summary } from '../report/summary.ts';

export interface LastPublication {
  readonly current: Snapshot | undefined;
  readonly summary: Summary | undefined;
  /** Of the accepted tree; undefined before the first. */
  readonly state: AcceptedState | undefined;
  /**
   * The accepted tree, without pieces that cannot be read back: their versions count as new, and are measured by the
   * identities that were seen of them.
   */
  readonly accepted: StandingTree;
  /** What clients get of it, without the file `repo`; the same tree where policy leaves nothing out and edits nothing. */
  readonly served: StandingTree;
  /** Keys of pieces that cannot be read back; they are made anew. */
  readonly lost: ReadonlySet<string>;
  /** Facts of files in no piece, by path: they cannot be read, or the bytes of their piece are lost. */
  readonly loose: ReadonlyMap<string, FileFacts>;
}

export interface LastSource {
  readonly catalogue: Catalogue;
  readonly repository: string;
  /** Pieces that turned out not to be readable. */
  readonly unreadable: ReadonlySet<string>;
}

/** `known` as it stands while nobody else has published since. */
export async function loadLast(
  { catalogue, repository, unreadable }: LastSource,
  known: LastPublication | undefined,
): Promise<LastPublication> {
  const current = await catalogue.currentSnapshot(repository);
  const accepted = await catalogue.accepted(repository);
  const said = {
    current,
    summary: current && decodeSummary(current.summary),
    state: accepted === undefined ? undefined : decodeAcceptedState(accepted.state),
  };
  const keys = accepted?.pieces ?? [];
  if (known !== undefined && known.current?.id === current?.id && isOf(known, keys, unreadable))
    return { ...known, ...said };
  const trees = await loadTrees(keys, current?.pieces ?? [], unreadable, catalogue);
  return { ...said, ...trees, loose: new Map() };
}

function isOf(
  { accepted, lost }: LastPublication,
  keys: readonly string[],
  unreadable: ReadonlySet<string>,
): boolean {
  if (lost.size > 0 || accepted.pieces.some(({ key }) => unreadable.has(key))) return false;
  return accepted.pieces.length === keys.length && accepted.pieces.every(({ key }, at) => key === keys[at]);
}

async function loadTrees(
  acceptedKeys: readonly string[],
  servedKeys: readonly string[],
  unreadable: ReadonlySet<string>,
  catalogue: Catalogue,
): Promise<Pick<LastPublication, 'accepted' | 'served' | 'lost'>> {
  const readable = (keys: readonly string[]) => keys.filter((key) => !unreadable.has(key));
  const first = await loadStandingTree(readable(acceptedKeys), catalogue);
  const accepted = first.tree;
  // The two mostly share all pieces but the one of `repo`.
  const shared = new Map(accepted.pieces.map((piece) => [piece.key, piece]));
  const others = await loadStandingTree(
    readable(servedKeys).filter((key) => !shared.has(key)),
    catalogue,
  );
  for (const piece of others.tree.pieces) shared.set(piece.key, piece);
  const pieces = servedKeys.flatMap((key) => shared.get(key) ?? []).filter(({ listing }) => !isRepo(listing));
  return {
    accepted,
    served: isSameTree(pieces, accepted.pieces) ? accepted : new StandingTree(pieces, catalogue),
    lost: new Set([...first.lost, ...others.lost, ...unreadable]),
  };
}

export function isSameTree(a: StandingTree['pieces'], b: StandingTree['pieces']): boolean {
  return a.length === b.length && a.every(({ key }, index) => key === b[index]?.key);
}

/** Whether it is the listing of the piece that has the file `repo` and nothing else. */
function isRepo(listing: string): boolean {
  return listing.endsWith('  repo\n') && listing.indexOf('\n') === listing.length - 1;
}
