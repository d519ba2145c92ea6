/** Small blobs that are asked for often, whole in memory with their headers, within a budget of bytes. */
import { LRUCache } from 'lru-cache';
import type { Representation } from './conditional.ts';
import type { FixedHeaders } from './respond.ts';

/** Larger ones are read from the disk each time (ARCHITECTURE.md, "Speed"). */
export const HOT_BYTES = 1024 * 1024;

/** What an entry costs beside its bytes, about. */
const ENTRY_BYTES = 1024;

export interface HotBlob {
  readonly bytes: Buffer;
  readonly representation: Representation;
  readonly fixed: FixedHeaders;
}

/** By the URL path under which they are asked for. */
export function createHotBlobs(budget: number): LRUCache<string, HotBlob> {
  return new LRUCache<string, HotBlob>({
    maxSize: Math.max(1, budget),
    sizeCalculation: (blob) => blob.bytes.length + ENTRY_BYTES,
  });
}
