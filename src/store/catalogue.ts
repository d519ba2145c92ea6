/** The seam of the catalogue: what must survive beside the blobs. All methods are async, so that a server
 * database can stand behind it later. */
import type { Checksum, Sha256 } from '../hashes.ts';

/**
 * A set of checksums declared together in a published snapshot. Sets that share a hash usually mean the
 * same bytes, but are never merged into one: each is answered only by a blob that matches all of it, so
 * that one package's wrong declaration cannot spoil another's archive.
 */
export interface Archive {
  readonly id: number;
  readonly checksums: readonly Checksum[];
  /** Signed size in bytes. */
  readonly size?: number;
  /** The blob that was found to match every checksum. */
  readonly blob?: Sha256;
}

export interface ArchiveDeclaration {
  readonly checksums: readonly Checksum[];
  readonly size?: number;
  /** Where the bytes may be had, in the order to try. */
  readonly sources: readonly string[];
}

/** What one publication declares, with the pieces that it stands in. */
export interface PublishedDeclaration extends ArchiveDeclaration {
  /** Keys of pieces of the snapshot that is published; those with which it was published before are known. */
  readonly pieces?: readonly string[];
}

/** An archive as one repository lists it. */
export interface ListedArchive extends Archive {
  readonly sources: readonly string[];
}

/** A run of a snapshot's index.tar.gz that is compressed on its own and shared between snapshots: where it lies. */
export interface Piece {
  /** Names the files in it: see mirror/index/pieces.ts. */
  readonly key: string;
  /** Where its deflated bytes lie. */
  readonly blob: Sha256;
  readonly offset: number;
  readonly length: number;
  /** Of the tar bytes before compression. */
  readonly rawLength: number;
  readonly crc32: number;
}

/** What is in a piece. Read apart from where it lies: there is a thousand times more of it. */
export interface PieceContent {
  /** Its files, a line each as `sha256sum` prints it, in the order of the tar; opaque here. */
  readonly listing: string;
  /** What the mirror knows of the files beside that; opaque here. */
  readonly facts: string;
}

export interface Snapshot {
  readonly id: Sha256;
  /** Milliseconds since the epoch, by the mirror's clock. */
  readonly publishedAt: number;
  /** Upstream's commit, where the upstream is git. */
  readonly commit?: string;
  /** Pieces in the order of the tar. */
  readonly pieces: readonly string[];
  /** Of the whole index.tar.gz, in bytes. */
  readonly size: number;
  /** Of the whole index.tar.gz. */
  readonly sha256: Sha256;
  /** The rewritten `repo` file, as served. */
  readonly repo: string;
  /** Counts for people: packages, versions, withheld versions. */
  readonly summary: string;
}

/** A snapshot without the list of its pieces: of all that is known of one, 1,200 names take the time. */
export type SnapshotHead = Omit<Snapshot, 'pieces'>;

/** Where a piece's deflated bytes lie, without its name. */
export type PiecePlace = Omit<Piece, 'key'>;

export interface Publication {
  readonly repository: string;
  readonly snapshot: Snapshot;
  /** Pieces that the catalogue may not know yet. */
  readonly pieces: readonly (Piece & PieceContent)[];
  /** What the new pieces declare; archives that the repository lists already stay listed. */
  readonly archives: readonly PublishedDeclaration[];
  /** Archives that the repository listed and must not answer for any more, until one is declared again. */
  readonly withdrawn?: readonly ArchiveDeclaration[];
  /**
   * Archives that were withdrawn and may be answered for again, where the repository listed them. As with
   * `withdrawn`, each stands for every archive that declares all of its checksums, also beside others. One that
   * is both withdrawn and restored ends withdrawn; one that `archives` declares ends listed.
   */
  readonly restored?: readonly ArchiveDeclaration[];
  /** What the snapshot was derived from; its pieces are among `pieces` or known. Replaces the one before. */
  readonly accepted?: AcceptedTree;
  /** Kept for ever; one that is known already (repository, version, identity) stays as it was. */
  readonly firstSeen?: readonly FirstSeen[];
  /** Verdicts that are new or other than before, and versions that have none any more. */
  readonly verdicts?: { readonly replaced: readonly StoredVerdict[]; readonly dropped: readonly string[] };
  /** The dialect's trusted state after this snapshot; opaque here. Written in the same transaction. */
  readonly trusted?: string;
  /** At least one. */
  readonly events: readonly EventInput[];
}

/** The upstream's tree as it was taken in, before what policy makes of it for clients. */
export interface AcceptedTree {
  /** Keys of its pieces in C order of their first path. */
  readonly pieces: readonly string[];
  /** Opaque here. */
  readonly state: string;
}

/** That a version had an archive identity, and when that was first so on this mirror. Append-only. */
export interface FirstSeen {
  /** `name.version`. */
  readonly version: string;
  /** Its sets of checksums, in one order; opaque here. */
  readonly identity: string;
  /** Milliseconds since the epoch, by the mirror's clock. */
  readonly at: number;
  /** It stood in the first tree that was ever accepted. */
  readonly baseline: boolean;
}

/** What a person decided beside the configuration, until it is undone. */
export interface Decision {
  readonly kind: 'denial' | 'release';
  /** Undefined for every repository. */
  readonly repository?: string;
  /** Of a denial `PACKAGE[FORMULA]` in canonical form, of a release `name.version`. */
  readonly subject: string;
  /** For people. */
  readonly reason: string;
  /** Of a release: the form of the version that is released; opaque here, empty for a denial. */
  readonly form: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Strong hashes of an archive that its opam file has only weak ones of, or none; kept for ever. */
export interface Pin {
  /** The weak checksums in one order, or the address where there is none. */
  readonly key: string;
  /** Of the bytes that were fetched: at least SHA-256 and SHA-512. */
  readonly checksums: readonly Checksum[];
  /** In bytes. */
  readonly size: number;
  readonly at: number;
}

/** The last advisory feed that could be read. */
export interface StoredFeed {
  readonly fetchedAt: number;
  /** Opaque here. */
  readonly advisories: string;
  /** What makes the next request conditional. */
  readonly validator?: string;
}

/** What verification found of one version, kept under the name of all that it depends on. */
export interface StoredVerdict {
  /** `name.version`, or the dialect's name for what is no package. */
  readonly version: string;
  readonly key: string;
  /** Opaque here. */
  readonly verdict: string;
}

export interface EventInput {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly repository: string;
  readonly kind: string;
  /** JSON. */
  readonly detail: string;
}

export interface LoggedEvent extends EventInput {
  readonly sequence: number;
  /** Of the event before, 64 zeros for the first. */
  readonly previous: string;
  /** SHA-256 over previous, sequence, at, repository, kind and detail. */
  readonly hash: string;
}

/** What a sync leaves behind for the next one and for people, whether or not it published. */
export interface SyncState {
  /** Of the last attempt, milliseconds since the epoch. */
  readonly attemptedAt: number;
  /** Of the last attempt that reached the upstream and was accepted. */
  readonly succeededAt?: number;
  /** Error code and message of the last attempt, when it failed. */
  readonly failure?: { readonly code: string; readonly message: string };
  /** What makes the next request conditional; opaque here. */
  readonly validator?: string;
}

export interface Catalogue {
  /**
   * One transaction: all that it names, or nothing, and the current snapshot moves. A
   * snapshot that was published before becomes the current one again. A known piece moves to the new place,
   * but the same key for other tar bytes is refused. Sources of an archive that is listed again are replaced;
   * those of several declarations of one archive in one publication are joined.
   */
  publish(publication: Publication): Promise<void>;
  currentSnapshot(repository: string): Promise<Snapshot | undefined>;
  /**
   * A number that is greater after each publication of this repository, also of a snapshot that was there before:
   * what was read from the current snapshot stands while it is the same. Undefined before the first.
   */
  currentPublication(repository: string): Promise<number | undefined>;
  /** As `currentSnapshot`, a fraction of its cost: asked whenever another connection has written anything. */
  currentHead(repository: string): Promise<SnapshotHead | undefined>;
  /** Where the pieces of a snapshot that this repository published lie, in the order of the tar. */
  places(repository: string, id: Sha256): Promise<readonly PiecePlace[]>;
  /** A snapshot that this repository once published. */
  snapshot(repository: string, id: Sha256): Promise<Snapshot | undefined>;
  /** By publication, the last one first, whatever the clock said. */
  snapshots(repository: string, limit: number): Promise<readonly Snapshot[]>;
  /** Those of `keys` that are known, by key. */
  pieces(keys: readonly string[]): Promise<ReadonlyMap<string, Piece>>;
  /** Of those of `keys` that are known, their listings alone, by key. */
  listings(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Of those of `keys` that are known, all that is in them, by key. */
  contents(keys: readonly string[]): Promise<ReadonlyMap<string, PieceContent>>;
  /**
   * For each declaration, the keys of all pieces with which this repository ever published it: the same set of
   * checksums with the same size.
   */
  declaring(
    repository: string,
    declarations: readonly Pick<ArchiveDeclaration, 'checksums' | 'size'>[],
  ): Promise<readonly (readonly string[])[]>;
  /** For each checksum, the keys of all pieces with which this repository ever published an archive that has it. */
  naming(repository: string, checksums: readonly Checksum[]): Promise<readonly (readonly string[])[]>;
  trusted(repository: string): Promise<string | undefined>;
  /** Replaces the trusted state beside a publication, for a decision of a person; the event goes with it. */
  saveTrusted(repository: string, trusted: string, event: EventInput): Promise<void>;
  /** All verdicts of a repository, or those of one package's versions, by version. */
  verdicts(repository: string, packageName?: string): Promise<readonly StoredVerdict[]>;
  syncState(repository: string): Promise<SyncState | undefined>;
  saveSyncState(repository: string, state: SyncState): Promise<void>;

  /** The archives that this repository lists with this checksum and has not withdrawn, in the order of their ids. */
  listed(repository: string, checksum: Checksum): Promise<readonly ListedArchive[]>;
  /** All that `listed` can answer for this repository, in the order of their ids. */
  listing(repository: string): Promise<readonly ListedArchive[]>;
  /** All archives that declare this very checksum or any other of `checksums`, of all repositories. */
  related(checksums: readonly Checksum[]): Promise<readonly Archive[]>;
  /**
   * Records that a blob exists and what it measured; more digests of a known blob are added, one for each
   * kind. A size or digest that contradicts an earlier one is refused. The SHA-256 is always among the digests.
   *
   * These archives are answered by this blob from now on. `checksum-mismatch` unless the recorded digests and the
   * size of the blob match every checksum and the size of each; `not-found` when one is unknown. Then nothing of it
   * is recorded. What is asked for in one turn of the event loop may share one transaction, in which one's refusal
   * is no other's.
   */
  recordBlob(
    blob: { id: Sha256; size: number; digests: readonly Checksum[] },
    archives?: readonly number[],
  ): Promise<void>;
  /** Every blob known to have this digest. */
  blobsWith(
    checksum: Checksum,
  ): Promise<readonly { id: Sha256; size: number; digests: readonly Checksum[] }[]>;
  blob(id: Sha256): Promise<{ id: Sha256; size: number; digests: readonly Checksum[] } | undefined>;
  /** Forgets a blob: its digests and every archive's link to it. */
  forgetBlob(id: Sha256): Promise<void>;

  accepted(repository: string): Promise<AcceptedTree | undefined>;
  /** Of a repository, or of one package's versions; by version, then time, then identity. */
  firstSeen(repository: string, packageName?: string): Promise<readonly FirstSeen[]>;
  /** All, by time. */
  decisions(): Promise<readonly Decision[]>;
  /** Replaces the decision of the same kind about the same subject and repository; the event goes with it. */
  saveDecision(decision: Decision, event: EventInput): Promise<void>;
  /** False, and no event, when there is no such decision. */
  dropDecision(
    decision: Pick<Decision, 'kind' | 'repository' | 'subject'>,
    event: EventInput,
  ): Promise<boolean>;
  pins(repository: string): Promise<readonly Pin[]>;
  /** A pin is for ever: one that is known already stays as it was, and then there is no event. */
  savePin(repository: string, pin: Pin, event: EventInput): Promise<void>;
  feed(source: string): Promise<StoredFeed | undefined>;
  saveFeed(source: string, feed: StoredFeed): Promise<void>;
  /**
   * A number that is another one once another connection has written anything; this connection's own writes
   * do not change it. Numbers of two connections cannot be compared. Ask before reading what depends on it: a
   * write between the two is then noticed the next time. At once, not a promise: it is asked before every
   * answer to a client, so that a decision holds from the moment it is written.
   */
  version(): number;

  appendEvent(event: EventInput): Promise<void>;
  /** Oldest first, from a sequence number on. */
  events(from: number, limit: number): Promise<readonly LoggedEvent[]>;
  close(): Promise<void>;
}
