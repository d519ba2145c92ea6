/** Which blobs were measured against their names of late. */
import { LRUCache } from 'lru-cache';
import type { Sha256 } from '../hashes.ts';
import { type BlobKeepers, putAside } from '../mirror/archives/damaged-blobs.ts';

/** A blob's bytes are measured at its first sending, and again after so long: 1 day. */
const VERIFY_AGAIN = 86_400_000;

/** Blobs remembered; the real repository has 11,496 archives. */
const REMEMBERED = 32_768;

export class VerifiedBlobs {
  readonly #keepers: BlobKeepers;
  readonly #verifiedAt = new LRUCache<Sha256, number>({ max: REMEMBERED });
  readonly #measuring = new Map<Sha256, Promise<boolean>>();

  constructor(keepers: BlobKeepers) {
    this.#keepers = keepers;
  }

  /** Whether the blob can be sent without measuring it. */
  trusts(id: Sha256): boolean {
    const at = this.#verifiedAt.get(id);
    return at !== undefined && this.#keepers.clock.now() - at < VERIFY_AGAIN;
  }

  /** Its bytes were just measured, and are right. */
  trust(id: Sha256): void {
    this.#verifiedAt.set(id, this.#keepers.clock.now());
  }

  distrust(id: Sha256): void {
    this.#verifiedAt.delete(id);
  }

  /**
   * Reads the whole blob; a damaged one is put aside. False when it is gone or damaged. All who ask at the
   * same time share one measurement: of those who meet the same damage, one puts the blob aside, and none
   * the good one that was fetched in its place.
   */
  measure(id: Sha256): Promise<boolean> {
    let measuring = this.#measuring.get(id);
    if (measuring === undefined) {
      measuring = this.#measure(id).finally(() => this.#measuring.delete(id));
      this.#measuring.set(id, measuring);
    }
    return measuring;
  }

  async #measure(id: Sha256): Promise<boolean> {
    const { blobs, catalogue } = this.#keepers;
    this.distrust(id);
    const measured = await blobs.digest(id, ['sha256']);
    if (measured === undefined) {
      await catalogue.forgetBlob(id);
      return false;
    }
    if (measured.some(({ hex }) => hex === id)) {
      this.trust(id);
      return true;
    }
    await putAside(id, this.#keepers);
    return false;
  }
}
