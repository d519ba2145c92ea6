/** Published indexes in memory, ready to be sent: the present one of each repository, and some past ones. */
import { LRUCache } from 'lru-cache';
import { asSeraiError, SeraiError } from '../errors.ts';
import type { Sha256 } from '../hashes.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Catalogue, Snapshot } from '../store/catalogue.ts';
import { measureIndex, readIndex } from './index-file.ts';
import { decodeSummary, type Summary } from './summary.ts';

/** Bytes of past indexes kept in memory. */
const PAST_BYTES = 32 * 1024 * 1024;

export interface ServedIndex {
  readonly snapshot: Snapshot;
  readonly summary: Summary;
  /** The whole index.tar.gz. */
  readonly index: Buffer;
  /** The rewritten `repo` file. */
  readonly repo: Buffer;
}

export interface ServedIndexesOptions {
  readonly repositories: readonly string[];
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
}

export class ServedIndexes {
  readonly #options: ServedIndexesOptions;
  readonly #current = new Map<string, ServedIndex>();
  readonly #broken = new Map<string, SeraiError>();
  readonly #past = new LRUCache<string, ServedIndex>({
    maxSize: PAST_BYTES,
    sizeCalculation: (served) => served.index.length + 1,
  });

  /** Past indexes that are being read: however many ask for one, it is in memory once. */
  readonly #reading = new Map<string, Promise<ServedIndex | undefined>>();

  constructor(options: ServedIndexesOptions) {
    this.#options = options;
  }

  has(repository: string): boolean {
    return this.#options.repositories.includes(repository);
  }

  current(repository: string): ServedIndex | undefined {
    return this.#current.get(repository);
  }

  /** Why the present snapshot cannot be read back from the store, when it cannot. */
  broken(repository: string): SeraiError | undefined {
    return this.#broken.get(repository);
  }

  /** Takes up what was published meanwhile, by whichever process. True when a repository's index is new. */
  async refresh(repository: string): Promise<boolean> {
    const snapshot = await this.#options.catalogue.currentSnapshot(repository);
    if (snapshot === undefined) return false;
    const standing = this.#current.get(repository)?.snapshot;
    if (standing !== undefined && isSame(standing, snapshot)) return false;
    try {
      this.#current.set(repository, await this.#read(snapshot));
      this.#broken.delete(repository);
      return true;
    } catch (error) {
      this.#broken.set(repository, asSeraiError(error, 'store-corrupt', `the index of ${repository}`));
      return false;
    }
  }

  /** A snapshot that the repository once published; undefined when it never did. */
  async past(repository: string, id: Sha256): Promise<ServedIndex | undefined> {
    const current = this.#current.get(repository);
    if (current?.snapshot.id === id) return current;
    const key = `${repository}@${id}`;
    const kept = this.#past.get(key);
    if (kept !== undefined) return kept;
    let reading = this.#reading.get(key);
    if (reading === undefined) {
      reading = this.#readPast(repository, id, key).finally(() => this.#reading.delete(key));
      this.#reading.set(key, reading);
    }
    return reading;
  }

  async #readPast(repository: string, id: Sha256, key: string): Promise<ServedIndex | undefined> {
    const snapshot = await this.#options.catalogue.snapshot(repository, id);
    if (snapshot === undefined) return undefined;
    const served = await this.#read(snapshot);
    this.#past.set(key, served);
    return served;
  }

  async #read(snapshot: Snapshot): Promise<ServedIndex> {
    const { catalogue, blobs } = this.#options;
    const byKey = await catalogue.pieces(snapshot.pieces);
    const pieces = snapshot.pieces.map((key) => {
      const piece = byKey.get(key);
      if (piece !== undefined) return piece;
      throw new SeraiError('store-corrupt', `a piece of snapshot ${snapshot.id} is not in the catalogue`);
    });
    const parts = await readIndex(pieces, blobs);
    if (measureIndex(parts).sha256 !== snapshot.sha256) {
      throw new SeraiError(
        'store-corrupt',
        `the stored index of snapshot ${snapshot.id} does not have the hash it was published with`,
      );
    }
    return {
      snapshot,
      summary: decodeSummary(snapshot.summary),
      index: Buffer.concat(parts),
      repo: Buffer.from(snapshot.repo, 'latin1'),
    };
  }
}

/** A snapshot may be published again: with its lost bytes made anew, or after another one. */
function isSame(standing: Snapshot, found: Snapshot): boolean {
  return (
    standing.id === found.id &&
    standing.sha256 === found.sha256 &&
    standing.publishedAt === found.publishedAt &&
    standing.summary === found.summary
  );
}
