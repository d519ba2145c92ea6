/**
 * The catalogue in one SQLite file. Every thread and process has its own connection: readers see the last
 * whole transaction and never wait; writers wait for one another. Nothing is told across connections, so
 * whoever serves asks `version` whether another one has written.
 */
import type Database from 'better-sqlite3';
import type { Checksum, Sha256 } from '../hashes.ts';
import type {
  AcceptedTree,
  Archive,
  ArchiveDeclaration,
  Catalogue,
  Decision,
  EventInput,
  FirstSeen,
  ListedArchive,
  LoggedEvent,
  Piece,
  PieceContent,
  PiecePlace,
  Pin,
  Publication,
  Snapshot,
  SnapshotHead,
  StoredFeed,
  StoredVerdict,
  SyncState,
} from './catalogue.ts';
import { catalogueFailure } from './catalogue-errors.ts';
import type { DecisionKey } from './decisions.ts';
import { Groups } from './groups.ts';
import type { KnownBlob } from './known-blobs.ts';
import { connect } from './sqlite-connection.ts';
import { Tables } from './tables.ts';

export interface SqliteCatalogueOptions {
  /** Milliseconds for which a write waits while another connection writes; default 10,000. */
  readonly busyTimeout?: number;
}

const BUSY_TIMEOUT = 10_000;

/** A blob, and the archives that it answers. */
interface MeasuredBlob {
  readonly blob: KnownBlob;
  readonly archives: readonly number[];
}

/**
 * Makes the file where there is none, and brings an older one up to date. Throws `store-corrupt` for a
 * damaged file; `store-failed` for a newer serai's or another program's database, and when the disk refuses.
 */
export async function openSqliteCatalogue(
  file: string,
  options: SqliteCatalogueOptions = {},
): Promise<Catalogue> {
  try {
    return new SqliteCatalogue(file, connect(file, options.busyTimeout ?? BUSY_TIMEOUT));
  } catch (error) {
    throw catalogueFailure('begin to work', file, error);
  }
}

class SqliteCatalogue implements Catalogue {
  readonly #file: string;
  readonly #database: Database.Database;
  readonly #tables: Tables;
  readonly #version: Database.Statement<[], unknown>;
  /** Within a transaction: what the action throws undoes what it did and no more. */
  readonly #inSavepoint: (action: () => void) => void;
  readonly #blobs = new Groups((blobs: readonly MeasuredBlob[]) => this.#recordBlobs(blobs));

  constructor(file: string, database: Database.Database) {
    this.#file = file;
    this.#database = database;
    this.#tables = new Tables(database);
    this.#inSavepoint = database.transaction((action: () => void) => action());
    this.#version = database.prepare<[], unknown>('PRAGMA data_version').pluck();
  }

  publish(publication: Publication): Promise<void> {
    return this.#write(`publish ${publication.repository}`, () => this.#tables.publish(publication));
  }

  currentSnapshot(repository: string): Promise<Snapshot | undefined> {
    return this.#read('find a snapshot', () => this.#tables.snapshots.newest(repository, 1)[0]);
  }

  currentPublication(repository: string): Promise<number | undefined> {
    return this.#read('find a snapshot', () => this.#tables.snapshots.publication(repository));
  }

  currentHead(repository: string): Promise<SnapshotHead | undefined> {
    return this.#read('find a snapshot', () => this.#tables.snapshots.head(repository));
  }

  places(repository: string, id: Sha256): Promise<readonly PiecePlace[]> {
    return this.#read('find pieces', () => this.#tables.snapshots.places(repository, id));
  }

  snapshot(repository: string, id: Sha256): Promise<Snapshot | undefined> {
    return this.#read('find a snapshot', () => this.#tables.snapshots.find(repository, id));
  }

  snapshots(repository: string, limit: number): Promise<readonly Snapshot[]> {
    return this.#read('list snapshots', () => this.#tables.snapshots.newest(repository, limit));
  }

  pieces(keys: readonly string[]): Promise<ReadonlyMap<string, Piece>> {
    return this.#read('find pieces', () => this.#tables.pieces.find(keys));
  }

  listings(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#read('find listings of pieces', () => this.#tables.pieces.listings(keys));
  }

  contents(keys: readonly string[]): Promise<ReadonlyMap<string, PieceContent>> {
    return this.#read('find what is in pieces', () => this.#tables.pieces.contents(keys));
  }

  declaring(
    repository: string,
    declarations: readonly Pick<ArchiveDeclaration, 'checksums' | 'size'>[],
  ): Promise<readonly (readonly string[])[]> {
    return this.#read('find what declares archives', () =>
      this.#tables.archives.declaring(repository, declarations),
    );
  }

  naming(repository: string, checksums: readonly Checksum[]): Promise<readonly (readonly string[])[]> {
    return this.#read('find what names checksums', () => this.#tables.archives.naming(repository, checksums));
  }

  trusted(repository: string): Promise<string | undefined> {
    return this.#read('find trusted state', () => this.#tables.repositories.trusted(repository));
  }

  saveTrusted(repository: string, trusted: string, event: EventInput): Promise<void> {
    return this.#write(`save the trusted state of ${repository}`, () => {
      this.#tables.repositories.saveTrusted(this.#tables.repositories.rowOf(repository), trusted);
      this.#tables.events.append(event);
    });
  }

  verdicts(repository: string, packageName?: string): Promise<readonly StoredVerdict[]> {
    return this.#read('find verdicts', () => this.#tables.verdicts.find(repository, packageName));
  }

  syncState(repository: string): Promise<SyncState | undefined> {
    return this.#read('find the state of a sync', () => this.#tables.repositories.syncState(repository));
  }

  saveSyncState(repository: string, state: SyncState): Promise<void> {
    return this.#write(`save the state of the sync of ${repository}`, () =>
      this.#tables.repositories.saveSyncState(this.#tables.repositories.rowOf(repository), state),
    );
  }

  listed(repository: string, checksum: Checksum): Promise<readonly ListedArchive[]> {
    return this.#read('find archives', () => this.#tables.archives.listed(repository, checksum));
  }

  listing(repository: string): Promise<readonly ListedArchive[]> {
    return this.#read('list archives', () => this.#tables.archives.listing(repository));
  }

  related(checksums: readonly Checksum[]): Promise<readonly Archive[]> {
    return this.#read('find archives', () => this.#tables.archives.related(checksums));
  }

  recordBlob(blob: KnownBlob, archives: readonly number[] = []): Promise<void> {
    return this.#blobs.add({ blob, archives });
  }

  blobsWith(checksum: Checksum): Promise<readonly KnownBlob[]> {
    return this.#read('find blobs', () => this.#tables.blobs.with(checksum));
  }

  blob(id: Sha256): Promise<KnownBlob | undefined> {
    return this.#read('find a blob', () => this.#tables.blobs.find(id));
  }

  forgetBlob(id: Sha256): Promise<void> {
    return this.#write(`forget the blob ${id}`, () => this.#tables.blobs.forget(id));
  }

  accepted(repository: string): Promise<AcceptedTree | undefined> {
    return this.#read('find an accepted tree', () => this.#tables.accepted.find(repository));
  }

  firstSeen(repository: string, packageName?: string): Promise<readonly FirstSeen[]> {
    return this.#read('find what was first seen', () => this.#tables.firstSeen.find(repository, packageName));
  }

  decisions(): Promise<readonly Decision[]> {
    return this.#read('list decisions', () => this.#tables.decisions.all());
  }

  saveDecision(decision: Decision, event: EventInput): Promise<void> {
    return this.#write(`save the ${decision.kind} of ${decision.subject}`, () => {
      this.#tables.decisions.save(decision);
      this.#tables.events.append(event);
    });
  }

  dropDecision(key: DecisionKey, event: EventInput): Promise<boolean> {
    return this.#write(`drop the ${key.kind} of ${key.subject}`, () => {
      const dropped = this.#tables.decisions.drop(key);
      if (dropped) this.#tables.events.append(event);
      return dropped;
    });
  }

  pins(repository: string): Promise<readonly Pin[]> {
    return this.#read('list pins', () => this.#tables.pins.all(repository));
  }

  savePin(repository: string, pin: Pin, event: EventInput): Promise<void> {
    return this.#write(`pin ${pin.key}`, () => {
      if (this.#tables.pins.add(this.#tables.repositories.rowOf(repository), pin))
        this.#tables.events.append(event);
    });
  }

  feed(source: string): Promise<StoredFeed | undefined> {
    return this.#read('find an advisory feed', () => this.#tables.feeds.find(source));
  }

  saveFeed(source: string, feed: StoredFeed): Promise<void> {
    return this.#write(`save the advisory feed ${source}`, () => this.#tables.feeds.save(source, feed));
  }

  version(): number {
    try {
      return Number(this.#version.get());
    } catch (error) {
      throw catalogueFailure('ask for the version', this.#file, error);
    }
  }

  appendEvent(event: EventInput): Promise<void> {
    return this.#write('append an event', () => this.#tables.events.append(event));
  }

  events(from: number, limit: number): Promise<readonly LoggedEvent[]> {
    return this.#read('list events', () => this.#tables.events.from(from, limit));
  }

  close(): Promise<void> {
    return this.#read('close', () => {
      this.#database.close();
    });
  }

  /**
   * In one transaction. A savepoint for each would write each page that it touches once more, to take it back; so there
   * are savepoints only once something was refused, so that it is refused alone.
   */
  async #recordBlobs(blobs: readonly MeasuredBlob[]): Promise<readonly PromiseSettledResult<void>[]> {
    let begun = false;
    try {
      await this.#write('record blobs', () => {
        begun = true;
        for (const blob of blobs) this.#recordBlob(blob);
      });
      return blobs.map(() => ({ status: 'fulfilled', value: undefined }));
    } catch (error) {
      // Who has waited for another's transaction in vain does not wait once more.
      if (blobs.length === 1 || !begun) throw error;
    }
    return this.#write('record blobs', () =>
      blobs.map((blob): PromiseSettledResult<void> => {
        try {
          this.#inSavepoint(() => this.#recordBlob(blob));
          return { status: 'fulfilled', value: undefined };
        } catch (error) {
          // What SQLite rolled back itself, as it does when the disk is full, is the whole transaction.
          if (!this.#database.inTransaction) throw error;
          return {
            status: 'rejected',
            reason: catalogueFailure(`record the blob ${blob.blob.id}`, this.#file, error),
          };
        }
      }),
    );
  }

  #recordBlob({ blob, archives }: MeasuredBlob): void {
    const recorded = this.#tables.blobs.record(blob);
    for (const archive of archives) this.#tables.archives.link(archive, recorded);
  }

  /** Each answer is one statement, or several that need not agree with one another: no transaction. */
  async #read<T>(doing: string, action: () => T): Promise<T> {
    try {
      return action();
    } catch (error) {
      throw catalogueFailure(doing, this.#file, error);
    }
  }

  /** One transaction that takes the write lock first: what it reads cannot change before it writes. */
  async #write<T>(doing: string, action: () => T): Promise<T> {
    try {
      return this.#database.transaction(action).immediate();
    } catch (error) {
      throw catalogueFailure(doing, this.#file, error);
    }
  }
}
