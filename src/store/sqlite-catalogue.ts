/**
 * The catalogue in one SQLite file. Every thread and process has its own connection: readers see the last
 * whole transaction and never wait; writers wait for one another. Nothing is told across connections, so
 * whoever serves asks `currentSnapshot` again, or is told by the one that published.
 */
import type Database from 'better-sqlite3';
import type { Checksum, Sha256 } from '../hashes.ts';
import { ArchiveTable } from './archives.ts';
import type {
  Archive,
  Catalogue,
  EventInput,
  ListedArchive,
  LoggedEvent,
  Piece,
  Publication,
  Snapshot,
  StoredVerdict,
  SyncState,
} from './catalogue.ts';
import { catalogueFailure } from './catalogue-errors.ts';
import { EventLog } from './events.ts';
import { type KnownBlob, KnownBlobTable } from './known-blobs.ts';
import { RepositoryTable } from './repositories.ts';
import { SnapshotTable } from './snapshots.ts';
import { connect } from './sqlite-connection.ts';
import { VerdictTable } from './verdicts.ts';

export interface SqliteCatalogueOptions {
  /** Milliseconds for which a write waits while another connection writes; default 10,000. */
  readonly busyTimeout?: number;
}

const BUSY_TIMEOUT = 10_000;

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
  readonly #repositories: RepositoryTable;
  readonly #snapshots: SnapshotTable;
  readonly #archives: ArchiveTable;
  readonly #blobs: KnownBlobTable;
  readonly #verdicts: VerdictTable;
  readonly #events: EventLog;

  constructor(file: string, database: Database.Database) {
    this.#file = file;
    this.#database = database;
    this.#repositories = new RepositoryTable(database);
    this.#snapshots = new SnapshotTable(database);
    this.#blobs = new KnownBlobTable(database);
    this.#archives = new ArchiveTable(database, this.#blobs);
    this.#verdicts = new VerdictTable(database);
    this.#events = new EventLog(database);
  }

  publish(publication: Publication): Promise<void> {
    return this.#write(`publish ${publication.repository}`, () => {
      const repository = this.#repositories.rowOf(publication.repository);
      for (const piece of publication.pieces) this.#snapshots.savePiece(piece);
      this.#snapshots.save(repository, publication.snapshot);
      this.#archives.withdraw(repository, publication.withdrawn ?? []);
      this.#archives.list(repository, publication.archives);
      const { trusted, verdicts } = publication;
      if (verdicts !== undefined) this.#verdicts.save(repository, verdicts.replaced, verdicts.dropped);
      if (trusted !== undefined) this.#repositories.saveTrusted(repository, trusted);
      this.#events.append(publication.event);
    });
  }

  currentSnapshot(repository: string): Promise<Snapshot | undefined> {
    return this.#read('find a snapshot', () => this.#snapshots.newest(repository, 1)[0]);
  }

  snapshot(repository: string, id: Sha256): Promise<Snapshot | undefined> {
    return this.#read('find a snapshot', () => this.#snapshots.find(repository, id));
  }

  snapshots(repository: string, limit: number): Promise<readonly Snapshot[]> {
    return this.#read('list snapshots', () => this.#snapshots.newest(repository, limit));
  }

  pieces(keys: readonly string[]): Promise<ReadonlyMap<string, Piece>> {
    return this.#read('find pieces', () => this.#snapshots.findPieces(keys));
  }

  trusted(repository: string): Promise<string | undefined> {
    return this.#read('find trusted state', () => this.#repositories.trusted(repository));
  }

  saveTrusted(repository: string, trusted: string, event: EventInput): Promise<void> {
    return this.#write(`save the trusted state of ${repository}`, () => {
      this.#repositories.saveTrusted(this.#repositories.rowOf(repository), trusted);
      this.#events.append(event);
    });
  }

  verdicts(repository: string, packageName?: string): Promise<readonly StoredVerdict[]> {
    return this.#read('find verdicts', () => this.#verdicts.find(repository, packageName));
  }

  syncState(repository: string): Promise<SyncState | undefined> {
    return this.#read('find the state of a sync', () => this.#repositories.syncState(repository));
  }

  saveSyncState(repository: string, state: SyncState): Promise<void> {
    return this.#write(`save the state of the sync of ${repository}`, () =>
      this.#repositories.saveSyncState(this.#repositories.rowOf(repository), state),
    );
  }

  listed(repository: string, checksum: Checksum): Promise<readonly ListedArchive[]> {
    return this.#read('find archives', () => this.#archives.listed(repository, checksum));
  }

  related(checksums: readonly Checksum[]): Promise<readonly Archive[]> {
    return this.#read('find archives', () => this.#archives.related(checksums));
  }

  recordBlob(blob: KnownBlob): Promise<void> {
    return this.#write(`record the blob ${blob.id}`, () => this.#blobs.record(blob));
  }

  blobsWith(checksum: Checksum): Promise<readonly KnownBlob[]> {
    return this.#read('find blobs', () => this.#blobs.with(checksum));
  }

  blob(id: Sha256): Promise<KnownBlob | undefined> {
    return this.#read('find a blob', () => this.#blobs.find(id));
  }

  linkArchive(archive: number, blob: Sha256): Promise<void> {
    return this.#write(`link the archive ${archive}`, () => this.#archives.link(archive, blob));
  }

  forgetBlob(id: Sha256): Promise<void> {
    return this.#write(`forget the blob ${id}`, () => this.#blobs.forget(id));
  }

  appendEvent(event: EventInput): Promise<void> {
    return this.#write('append an event', () => this.#events.append(event));
  }

  events(from: number, limit: number): Promise<readonly LoggedEvent[]> {
    return this.#read('list events', () => this.#events.from(from, limit));
  }

  close(): Promise<void> {
    return this.#read('close', () => {
      this.#database.close();
    });
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
  async #write(doing: string, action: () => void): Promise<void> {
    try {
      this.#database.transaction(action).immediate();
    } catch (error) {
      throw catalogueFailure(doing, this.#file, error);
    }
  }
}
