/** Published indexes in memory, ready to be sent: the present one of each repository, and some past ones. */
import { LRUCache } from 'lru-cache';
import type { Config } from '../config.ts';
import { asSeraiError, SeraiError } from '../errors.ts';
import type { Sha256 } from '../hashes.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Archive, Catalogue, Snapshot, SnapshotHead } from '../store/catalogue.ts';
import { Gate } from './archives/gate.ts';
import { measureIndex, readIndex } from './index/index-file.ts';
import { withoutVersions } from './index/reduced-index.ts';
import { readWholeIndex } from './index/whole-index.ts';
import { Denials, type DeniedVersions } from './policy/denied-versions.ts';
import { decodeSummary, type Summary } from './report/summary.ts';

/** Bytes of past indexes kept in memory. */
const PAST_BYTES = 32 * 1024 * 1024;

export interface ServedIndex {
  readonly snapshot: SnapshotHead;
  readonly summary: Summary;
  /** The whole index.tar.gz. */
  readonly index: Buffer;
  /** Of `index`: not the snapshot's own where versions that are denied at present are left out of a past one. */
  readonly sha256: Sha256;
  /** The rewritten `repo` file. */
  readonly repo: Buffer;
}

export interface ServedIndexesOptions {
  readonly repositories: readonly string[];
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
}

/** A present snapshot, of which the index may not be read back yet. */
interface Head {
  readonly snapshot: SnapshotHead;
  /** What it does not serve. */
  readonly held: Summary['held'];
}

/** A present snapshot that cannot be read back. */
interface Broken {
  readonly snapshot: SnapshotHead;
  readonly error: SeraiError;
}

export class ServedIndexes {
  readonly #options: ServedIndexesOptions;
  readonly #denials: Denials;
  readonly #heads = new Map<string, Head>();
  readonly #current = new Map<string, ServedIndex>();
  readonly #broken = new Map<string, Broken>();
  /** One refresh after the other: what an earlier one read must not replace what a later one found. */
  readonly #refreshes = new Gate(1);
  /** The same of heads. */
  readonly #headReads = new Gate(1);
  readonly #listeners: (() => void)[] = [];
  readonly #past = new LRUCache<string, ServedIndex>({
    maxSize: PAST_BYTES,
    sizeCalculation: (served) => served.index.length + 1,
  });

  /** Past indexes that are being read: however many ask for one, it is in memory once. */
  readonly #reading = new Map<string, Promise<ServedIndex | undefined>>();
  /** A past index is put together after the other. */
  readonly #reads = new Gate(1);

  constructor(options: ServedIndexesOptions) {
    this.#options = options;
    this.#denials = new Denials(options);
  }

  has(repository: string): boolean {
    return this.#options.repositories.includes(repository);
  }

  /**
   * Undefined while nothing was published, and while the present snapshot cannot be read back: the one before it
   * may list what was denied since.
   */
  current(repository: string): ServedIndex | undefined {
    return this.#broken.has(repository) ? undefined : this.#current.get(repository);
  }

  /** Why the present snapshot cannot be read back from the store, when it cannot. */
  broken(repository: string): SeraiError | undefined {
    return this.#broken.get(repository)?.error;
  }

  /** Calls `listener` as soon as any repository's present snapshot is another one, before anyone is told of it. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Takes up what was published meanwhile, by whichever process. True when a repository's index is new. */
  refresh(repository: string): Promise<boolean> {
    return this.#refreshes.run(() => this.#refresh(repository));
  }

  /**
   * Takes up what was published meanwhile of all repositories. Cheap when nothing was: a snapshot that is known
   * to be unreadable is not tried again before `refresh`. Throws when the catalogue cannot be read.
   */
  look(): Promise<void> {
    return this.#refreshes.run(async () => {
      for (const repository of this.#options.repositories) {
        const snapshot = await this.#readHead(repository);
        const broken = this.#broken.get(repository)?.snapshot;
        if (snapshot !== undefined && (broken === undefined || !isSame(broken, snapshot)))
          await this.#takeUp(repository, snapshot);
      }
    });
  }

  /**
   * Takes up of all repositories what decides which archives may be answered, and leaves the indexes for `look`: reading
   * one of the real repository's size back takes some 60 ms. Throws when the catalogue cannot be read.
   */
  async lookAtHeads(): Promise<void> {
    for (const repository of this.#options.repositories) await this.#readHead(repository);
  }

  #readHead(repository: string): Promise<SnapshotHead | undefined> {
    return this.#headReads.run(async () => {
      const snapshot = await this.#options.catalogue.currentHead(repository);
      const standing = this.#heads.get(repository)?.snapshot;
      if (snapshot === undefined || (standing !== undefined && isSame(standing, snapshot))) return snapshot;
      this.#heads.set(repository, { snapshot, held: decodeSummary(snapshot.summary).held });
      for (const listener of this.#listeners) listener();
      return snapshot;
    });
  }

  async #refresh(repository: string): Promise<boolean> {
    const snapshot = await this.#readHead(repository);
    return snapshot !== undefined && (await this.#takeUp(repository, snapshot));
  }

  async #takeUp(repository: string, snapshot: SnapshotHead): Promise<boolean> {
    const standing = this.#current.get(repository)?.snapshot;
    if (standing !== undefined && isSame(standing, snapshot)) {
      this.#broken.delete(repository);
      return false;
    }
    try {
      this.#current.set(repository, await this.#readWhole(repository, snapshot));
      this.#broken.delete(repository);
      return true;
    } catch (error) {
      const reason = asSeraiError(error, 'store-corrupt', `the index of ${repository}`);
      this.#broken.set(repository, { snapshot, error: reason });
      return false;
    }
  }

  /**
   * A snapshot that the repository once published, without the versions that are denied at present; undefined
   * when it never did.
   */
  async past(repository: string, id: Sha256): Promise<ServedIndex | undefined> {
    const current = this.current(repository);
    if (current?.snapshot.id === id) return current;
    const denied = await this.#denials.versions(repository, this.#held(repository));
    const key = `${repository}@${id} ${denied.digest}`;
    const kept = this.#past.get(key);
    if (kept !== undefined) return kept;
    let reading = this.#reading.get(key);
    if (reading === undefined) {
      reading = this.#reads
        .run(() => this.#readPast(repository, id, denied, key))
        .finally(() => this.#reading.delete(key));
      this.#reading.set(key, reading);
    }
    return reading;
  }

  /** Of these archives, which the repository lists, those that no version declares alone which is denied at present. */
  answerable<Listed extends Archive>(
    repository: string,
    archives: readonly Listed[],
  ): Promise<readonly Listed[]> {
    return this.#denials.answerable(repository, this.#held(repository), archives);
  }

  /** What the present snapshot does not serve. */
  #held(repository: string): Summary['held'] {
    return this.#heads.get(repository)?.held ?? [];
  }

  async #readPast(
    repository: string,
    id: Sha256,
    denied: DeniedVersions,
    key: string,
  ): Promise<ServedIndex | undefined> {
    const snapshot = await this.#options.catalogue.snapshot(repository, id);
    if (snapshot === undefined) return undefined;
    const served = denied.none
      ? await this.#readWhole(repository, snapshot)
      : await this.#readReduced(snapshot, denied);
    this.#past.set(key, served);
    return served;
  }

  async #readWhole(repository: string, snapshot: SnapshotHead): Promise<ServedIndex> {
    const { catalogue, blobs } = this.#options;
    const places = await catalogue.places(repository, snapshot.id);
    const index = await readWholeIndex(snapshot, places, blobs);
    return servedAs(snapshot, index, snapshot.sha256);
  }

  async #readReduced(snapshot: Snapshot, denied: DeniedVersions): Promise<ServedIndex> {
    const { catalogue, blobs } = this.#options;
    const byKey = await catalogue.pieces(snapshot.pieces);
    const pieces = snapshot.pieces.map((key) => {
      const piece = byKey.get(key);
      if (piece !== undefined) return piece;
      throw new SeraiError('store-corrupt', `a piece of snapshot ${snapshot.id} is not in the catalogue`);
    });
    const whole = await readIndex(pieces, blobs);
    if (measureIndex(whole).sha256 !== snapshot.sha256) {
      throw new SeraiError(
        'store-corrupt',
        `the stored index of snapshot ${snapshot.id} does not have the hash it was published with`,
      );
    }
    const parts = await withoutVersions(pieces, whole, denied.denies, this.#options);
    const { sha256 } = parts === whole ? snapshot : measureIndex(parts);
    return servedAs(snapshot, Buffer.concat(parts), sha256);
  }
}

function servedAs(snapshot: SnapshotHead, index: Buffer, sha256: Sha256): ServedIndex {
  const repo = Buffer.from(snapshot.repo, 'latin1');
  return { snapshot, summary: decodeSummary(snapshot.summary), index, sha256, repo };
}

/** A snapshot may be published again: with its lost bytes made anew, or after another one. */
function isSame(standing: SnapshotHead, found: SnapshotHead): boolean {
  return (
    standing.id === found.id &&
    standing.sha256 === found.sha256 &&
    standing.publishedAt === found.publishedAt &&
    standing.summary === found.summary
  );
}
