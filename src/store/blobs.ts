/** The seam of the blobs: bytes under their SHA-256, read-only once they are there. */
import type { Checksum, HashKind, Sha256 } from '../hashes.ts';

export interface StoredBlob {
  readonly id: Sha256;
  /** In bytes. */
  readonly size: number;
  /** Digests measured while writing: SHA-256 always, the expected and the asked-for kinds beside it. */
  readonly digests: readonly Checksum[];
}

export interface PutOptions {
  /** Every one must match the bytes, else `checksum-mismatch` and nothing is kept. */
  readonly expected?: readonly Checksum[];
  /** Kinds to measure beside SHA-256 and those of `expected`. */
  readonly kinds?: readonly HashKind[];
  /** One byte more ends the reading with `limit-exceeded`, and nothing is kept. */
  readonly maxBytes: number;
  /** When given, the size must be exactly this, else `checksum-mismatch`. */
  readonly exactBytes?: number;
  /**
   * Called once the bytes are found to be what was promised, while they are still on their way to the disk. `open` reads
   * them from then on, unless `put` fails. Not called for bytes that were there before.
   */
  readonly verified?: (blob: StoredBlob, open: () => Promise<BlobHandle | undefined>) => void;
  /** Called when the bytes are on the disk, and nothing is held any more: only their name is missing. */
  readonly synced?: () => void;
}

/** An open blob. Positional reads only, so that many readers share nothing. */
export interface BlobHandle {
  readonly id: Sha256;
  readonly size: number;
  /** Fills `buffer` from its start with up to `buffer.length` bytes at `position`; the count read, 0 at the end. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Waits for reads in flight; closing again does nothing. */
  close(): Promise<void>;
}

/**
 * Promises, each tried by the conformance suite (test/support/blobs-conformance.ts):
 * when `put` returns, the bytes are on the disk under their name and survive a power cut; before that,
 * nobody sees anything of them but whom `verified` tells; whatever makes `put` fail leaves nothing behind (but when only the last
 * sync of the name fails, the whole and verified blob stays); the same bytes put twice, also at the same
 * time, are kept once; a blob never changes.
 */
export interface Blobs {
  put(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options: PutOptions): Promise<StoredBlob>;
  open(id: Sha256): Promise<BlobHandle | undefined>;
  /** Size in bytes, or undefined when it is not there. */
  size(id: Sha256): Promise<number | undefined>;
  /** Reads the whole blob and measures these kinds; undefined when it is not there. */
  digest(id: Sha256, kinds: readonly HashKind[]): Promise<readonly Checksum[] | undefined>;
  /** True when it was there. An open handle stays readable. */
  delete(id: Sha256): Promise<boolean>;
  /** Takes a blob whose bytes no longer match its name out of service, keeping it aside for a person to look at. */
  quarantine(id: Sha256): Promise<void>;
  list(): AsyncIterable<{ readonly id: Sha256; readonly size: number }>;
}
