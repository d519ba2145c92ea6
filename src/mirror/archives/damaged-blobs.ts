/** What becomes of a blob whose bytes no longer have its SHA-256 (HOSTILE 25). */
import type { Clock } from '../../clock.ts';
import type { Sha256 } from '../../hashes.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue } from '../../store/catalogue.ts';

import { eventOf } from '../report/events.ts';

export interface BlobKeepers {
  readonly blobs: Blobs;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
}

/** Puts it aside, forgets it and records that, so that the next request fetches the archive anew. */
export async function putAside(id: Sha256, { blobs, catalogue, clock }: BlobKeepers): Promise<void> {
  await blobs.quarantine(id);
  await catalogue.forgetBlob(id);
  const reason = 'its bytes no longer have its SHA-256';
  await catalogue.appendEvent(eventOf('blob-quarantined', clock.now(), '', { blob: id, reason }));
}
