/** What a repository published last, read back: so that a restart finds nothing anew, and the guard has a before. */
import type { Piece, Snapshot } from '../store/catalogue.ts';
import { type AcceptedState, decodeAcceptedState } from './accepted-state.ts';
import type { BlobKeepers } from './damaged-blobs.ts';
import { decodeFacts, type FileFacts } from './file-facts.ts';
import { type PiecesTree, readPiecesTree } from './pieces-tree.ts';
import { decodeSummary, type Summary } from './summary.ts';

export interface LastPublication {
  readonly current: Snapshot | undefined;
  readonly summary: Summary | undefined;
  /** Of the accepted tree; undefined before the first. */
  readonly state: AcceptedState | undefined;
  /** Keys of the accepted tree's pieces. */
  readonly pieces: readonly string[];
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
  const acceptedKeys = new Set(tree?.pieces);
  const keys = [...new Set([...acceptedKeys, ...(current?.pieces ?? [])])];
  const accepted = new Map<string, FileFacts>();
  const derived = new Map<string, FileFacts>();
  const unreadable = new Set<string>();
  for (const [key, piece] of await catalogue.pieces(keys)) {
    const files = readFacts(piece);
    if (files === undefined) unreadable.add(key);
    for (const facts of files ?? []) {
      if (acceptedKeys.has(key)) accepted.set(facts.path, facts);
      else if (facts.id.startsWith('derived:')) derived.set(facts.path, facts);
    }
  }
  return {
    current,
    summary: current && decodeSummary(current.summary),
    state: tree === undefined ? undefined : decodeAcceptedState(tree.state),
    pieces: tree?.pieces ?? [],
    accepted,
    derived,
    unreadable,
  };
}

/**
 * The accepted tree, readable; undefined before the first. Files whose facts cannot be read back are not in it: their
 * versions count as new, and are measured by the identities that were seen of them.
 */
export async function acceptedTree(
  { catalogue, blobs }: BlobKeepers,
  last: LastPublication,
): Promise<PiecesTree | undefined> {
  if (last.state === undefined) return undefined;
  const pieces = await catalogue.pieces(last.pieces);
  const readable = last.pieces.filter((key) => !last.unreadable.has(key));
  const inOrder = readable.flatMap((key) => pieces.get(key) ?? []);
  return readPiecesTree(inOrder, blobs, (piece) =>
    decodeFacts(piece.facts).map((facts) => last.accepted.get(facts.path) ?? facts),
  );
}

function isSame(
  known: LastPublication,
  current: Snapshot | undefined,
  pieces: readonly string[] | undefined,
): boolean {
  return known.current?.id === current?.id && known.pieces.join() === (pieces ?? []).join();
}

function readFacts({ facts }: Piece): readonly FileFacts[] | undefined {
  try {
    return decodeFacts(facts);
  } catch {
    return undefined;
  }
}
