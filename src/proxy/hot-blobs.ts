/** Blobs that are asked for often, whole in memory with their headers, within a budget of bytes. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Sha256 } from '../hashes.ts';
import type { BlobHandle } from '../store/blobs.ts';
import type { Representation } from './conditional.ts';
import type { FixedHeaders } from './respond.ts';

/** Blobs up to so many bytes are small: kept as soon as they are asked for (ARCHITECTURE.md, "Speed"). */
export const SMALL_BLOB_BYTES = 1024 * 1024;

/** Parts of the budget: what all large blobs may take of it, and what one of them may. */
const LARGE_SHARE = 1 / 2;
const LARGEST_SHARE = 1 / 4;

/**
 * Once there is no room for another blob, one of so many that are asked for takes the place of others. Blobs that take
 * turns would else be loaded each time they are asked for, which costs more than sending them from the disk, and what
 * was evicted stands in memory until it is collected: 50 MiB beside a budget of 64 MiB.
 */
const TURNS = 8;

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
  /** The sizes of the large ones among them; some may have been evicted since. */
  readonly #large: LRUCache<Sha256, number>;
  readonly #largest: number;
  #turn = 0;
  readonly #paths = new LRUCache<string, Sha256>({ max: PATHS });
  #generation = 0;

  /** `budget` in bytes. */
  constructor(budget: number) {
    this.#largest = budget * LARGEST_SHARE;
    this.#blobs = new LRUCache({
      maxSize: Math.max(1, budget),
      sizeCalculation: (blob) => blob.bytes.length + ENTRY_BYTES,
    });
    this.#large = new LRUCache({
      maxSize: Math.max(1, Math.floor(budget * LARGE_SHARE)),
      sizeCalculation: (size) => size + ENTRY_BYTES,
      dispose: (_size, id, reason) => {
        if (reason === 'evict') this.#blobs.delete(id);
      },
    });
  }

  /** By the URL path that it was asked for under. */
  at(path: string): HotBlob | undefined {
    const id = this.#paths.get(path);
    return id === undefined ? undefined : this.get(id);
  }

  get(id: Sha256): HotBlob | undefined {
    const blob = this.#blobs.get(id);
    if (blob !== undefined && blob.bytes.length > SMALL_BLOB_BYTES) this.#large.get(id);
    return blob;
  }

  /** Whether a blob that was asked for should be loaded rather than sent from the disk. */
  wants(size: number): boolean {
    const isLarge = size > SMALL_BLOB_BYTES;
    if (isLarge && size > this.#largest) return false;
    const among = isLarge ? this.#large : this.#blobs;
    if (among.calculatedSize + size + ENTRY_BYTES <= among.maxSize) return true;
    this.#turn = (this.#turn + 1) % TURNS;
    return this.#turn === 0;
  }

  keep(blob: HotBlob): void {
    if (blob.bytes.length > SMALL_BLOB_BYTES) this.#large.set(blob.id, blob.bytes.length);
    this.#blobs.set(blob.id, blob);
  }

  /** The blob that this path was answered with, small or large. */
  idAt(path: string): Sha256 | undefined {
    return this.#paths.get(path);
  }

  /** Counts how often all paths were forgotten; taken before it is looked up what a path is answered with. */
  get generation(): number {
    return this.#generation;
  }

  /** Unless all paths were forgotten since: what was looked up before need not hold any more. */
  rememberPath(path: string, id: Sha256, generation: number): void {
    if (generation === this.#generation) this.#paths.set(path, id);
  }

  forgetPath(path: string): void {
    this.#paths.delete(path);
  }

  /** Forgets what any path is answered with. The bytes stay: under their SHA-256 they are right whatever is listed. */
  forgetPaths(): void {
    this.#generation += 1;
    this.#paths.clear();
  }
}

/** The blob's bytes, or undefined when they are not those of its name. Others have their turn between its parts. */
export async function readWhole(handle: BlobHandle): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafeSlow(handle.size);
  const hash = createHash('sha256');
  let filled = 0;
  while (filled < bytes.length) {
    const part = bytes.subarray(filled, filled + SMALL_BLOB_BYTES);
    const count = await handle.read(part, filled);
    if (count === 0) return undefined;
    hash.update(part.subarray(0, count));
    filled += count;
  }
  return hash.digest('hex') === handle.id ? bytes : undefined;
}
