/** Small blobs that are asked for often, whole in memory with their headers, within a budget of bytes. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Sha256 } from '../hashes.ts';
import type { BlobHandle } from '../store/blobs.ts';
import type { Representation } from './conditional.ts';
import type { FixedHeaders } from './respond.ts';

/** Larger ones are read from the disk each time (ARCHITECTURE.md, "Speed"). */
export const HOT_BYTES = 1024 * 1024;

/** What an entry costs beside its bytes, about. */
const ENTRY_BYTES = 1024;

/** Paths remembered with their blob. A blob has several: two for each of its hashes, more for each snapshot. */
const PATHS = 20_000;

export interface HotBlob {
  readonly id: Sha256;
  readonly bytes: Buffer;
  readonly representation: Representation;
  readonly fixed: FixedHeaders;
}

export class HotBlobs {
  readonly #blobs: LRUCache<Sha256, HotBlob>;
  readonly #paths = new LRUCache<string, Sha256>({ max: PATHS });
  #generation = 0;

  /** `budget` in bytes. */
  constructor(budget: number) {
    this.#blobs = new LRUCache({
      maxSize: Math.max(1, budget),
      sizeCalculation: (blob) => blob.bytes.length + ENTRY_BYTES,
    });
  }

  /** By the URL path that it was asked for under. */
  at(path: string): HotBlob | undefined {
    const id = this.#paths.get(path);
    return id === undefined ? undefined : this.#blobs.get(id);
  }

  get(id: Sha256): HotBlob | undefined {
    return this.#blobs.get(id);
  }

  keep(blob: HotBlob): void {
    this.#blobs.set(blob.id, blob);
  }

  /** The blob that this path was answered with, small or large. */
  idAt(path: string): Sha256 | undefined {
    return this.#paths.get(path);
  }

  /** Counts how often everything was forgotten; taken before it is looked up what a path is answered with. */
  get generation(): number {
    return this.#generation;
  }

  /** Unless everything was forgotten since: what was looked up before need not hold any more. */
  rememberPath(path: string, id: Sha256, generation: number): void {
    if (generation === this.#generation) this.#paths.set(path, id);
  }

  forgetPath(path: string): void {
    this.#paths.delete(path);
  }

  /** Forgets everything. */
  clear(): void {
    this.#generation += 1;
    this.#blobs.clear();
    this.#paths.clear();
  }
}

/** The blob's bytes, or undefined when they are not those of its name. */
export async function readWhole(handle: BlobHandle): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafeSlow(handle.size);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await handle.read(bytes.subarray(filled), filled);
    if (count === 0) return undefined;
    filled += count;
  }
  return createHash('sha256').update(bytes).digest('hex') === handle.id ? bytes : undefined;
}
