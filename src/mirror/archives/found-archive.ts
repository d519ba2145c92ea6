/** What finding or fetching an archive comes to. */
import type { Sha256 } from '../../hashes.ts';
import type { BlobHandle } from '../../store/blobs.ts';

export interface FoundArchive {
  readonly blob: Sha256;
  /** Whether it had to be downloaded, by this call or by another at the same time. */
  readonly fetched: boolean;
  /** Its bytes were measured just now, on their way into the store. */
  readonly measured?: boolean;
  /** Of one that is not kept yet. */
  readonly coming?: ComingArchive;
}

/** All checksums of an archive are verified, and its bytes are still on their way to the disk. */
export interface ComingArchive {
  /** Undefined when it could not be kept. */
  open(): Promise<BlobHandle | undefined>;
  /** Rejects when it could not be kept. */
  readonly kept: Promise<FoundArchive>;
}
