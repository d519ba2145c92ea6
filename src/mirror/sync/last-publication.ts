/** What a repository published last, read back: so that a restart finds nothing anew, and the guard has a before. */
import type { Piece, Snapshot } from '../../store/catalogue.ts';
import type { BlobKeepers } from '../archives/damaged-blobs.ts';
import { decodeFacts, type FileFacts } from '../index/file-facts.ts';
import { type PieceFiles, type PiecesTree, readPiecesTree } from '../index/pieces-tree.ts';
import { StoredPieces } from '../index/stored-pieces.ts';
import { type AcceptedState, decodeAcceptedState } from '../policy/accepted-state.ts';
import { decodeSummary, type Summary } from '../report/summary.ts';

export interface LastPublication {
  readonly current: Snapshot | undefined;
  readonly summary: Summary | undefined;
  /** Of the accepted tree; undefined before the first. */
  readonly state: AcceptedState | undefined;
  /** The accepted tree's pieces in the order of the tar, but for those that are `unreadable`. */
  readonly pieces: readonly PieceFiles[];
  /** Facts of the accepted tree's files, by path. */
  readonly accepted: ReadonlyMap<string, FileFacts>;
  /** Facts of files as edited for clients, by path. */
  readonly derived: ReadonlyMap<string, FileFacts>;
  /** Keys of pieces whose facts cannot be read back; they are made anew. */
  readonly unreadable: ReadonlySet<string>;
}

export interface LastSource extends BlobKeepers {
  readonly repository: string;
}

/** `known` as it stands while nobody else has published since. */
export async function loadLast(
  { catalogue, repository }: LastSource,
  known: LastPublication | undefined,
): Promise<LastPublication> {
  const current = await catalogue.currentSnapshot(repository);
  const tree = await catalogue.accepted(repository);
  if (known !== undefined && isSame(known, current, tree?.pieces)) {
    const state = tree === undefined ? undefined : decodeAcceptedState(tree.state);
    return { ...known, current, state, summary: current && decodeSummary(current.summary) };
  }
  const acceptedKeys = tree?.pieces ?? [];
  const stored = await catalogue.pieces([...new Set([...acceptedKeys, ...(current?.pieces ?? [])])]);
  const unreadable = new Set<string>();
  const filesOf = (key: string): readonly FileFacts[] => {
    const piece = stored.get(key);
    const files = piece === undefined ? undefined : readFacts(piece);
    if (files === undefined) unreadable.add(key);
    return files ?? [];
  };
  const pieces = acceptedKeys.map((key) => ({ key, files: filesOf(key) }));
  const isAccepted = new Set(acceptedKeys);
  const others = (current?.pieces ?? []).filter((key) => !isAccepted.has(key)).flatMap(filesOf);
  return {
    current,
    summary: current && decodeSummary(current.summary),
    state: tree === undefined ? undefined : decodeAcceptedState(tree.state),
    pieces: pieces.filter(({ key }) => !unreadable.has(key)),
    accepted: byPath(pieces.flatMap(({ files }) => files)),
    derived: byPath(others.filter(({ id }) => id.startsWith('derived:'))),
    unreadable,
  };
}

/**
 * The accepted tree; undefined before the first. Files whose facts cannot be read back are not in it: their versions
 * count as new, and are measured by the identities that were seen of them.
 */
export function acceptedTree(keepers: BlobKeepers, last: LastPublication): PiecesTree | undefined {
  return last.state === undefined ? undefined : readPiecesTree(last.pieces, keepers);
}

/** The same without files whose bytes are lost: what is kept of them cannot be, and all else goes on. */
export async function readableTree(
  keepers: BlobKeepers,
  last: LastPublication,
): Promise<PiecesTree | undefined> {
  const stored = await new StoredPieces(keepers).find(last.pieces.map(({ key }) => key));
  return acceptedTree(keepers, { ...last, pieces: last.pieces.filter(({ key }) => stored.has(key)) });
}

function isSame(
  known: LastPublication,
  current: Snapshot | undefined,
  keys: readonly string[] | undefined,
): boolean {
  if (known.unreadable.size > 0 || known.current?.id !== current?.id) return false;
  return (
    known.pieces.length === (keys?.length ?? 0) && known.pieces.every(({ key }, at) => key === keys?.[at])
  );
}

export function byPath(facts: readonly FileFacts[]): ReadonlyMap<string, FileFacts> {
  return new Map(facts.map((each) => [each.path, each]));
}

function readFacts({ facts }: Piece): readonly FileFacts[] | undefined {
  try {
    return decodeFacts(facts);
  } catch {
    return undefined;
  }
}
