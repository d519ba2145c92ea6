/** All tables as one connection sees them, and the one act that writes into most of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import { AcceptedTreeTable } from './accepted-trees.ts';
import { ArchiveTable } from './archives.ts';
import type { Publication } from './catalogue.ts';
import { DecisionTable } from './decisions.ts';
import { EventLog } from './events.ts';
import { FeedTable } from './feeds.ts';
import { FirstSeenTable } from './first-seen.ts';
import { KnownBlobTable } from './known-blobs.ts';
import { PieceTable } from './pieces.ts';
import { PinTable } from './pins.ts';
import { RepositoryTable } from './repositories.ts';
import { SnapshotTable } from './snapshots.ts';
import { VerdictTable } from './verdicts.ts';

export class Tables {
  readonly repositories: RepositoryTable;
  readonly pieces: PieceTable;
  readonly snapshots: SnapshotTable;
  readonly accepted: AcceptedTreeTable;
  readonly firstSeen: FirstSeenTable;
  readonly blobs: KnownBlobTable;
  readonly archives: ArchiveTable;
  readonly verdicts: VerdictTable;
  readonly decisions: DecisionTable;
  readonly pins: PinTable;
  readonly feeds: FeedTable;
  readonly events: EventLog;

  constructor(database: Database.Database) {
    this.repositories = new RepositoryTable(database);
    this.pieces = new PieceTable(database);
    this.snapshots = new SnapshotTable(database, this.pieces);
    this.accepted = new AcceptedTreeTable(database, this.pieces);
    this.firstSeen = new FirstSeenTable(database);
    this.blobs = new KnownBlobTable(database);
    this.archives = new ArchiveTable(database);
    this.verdicts = new VerdictTable(database);
    this.decisions = new DecisionTable(database);
    this.pins = new PinTable(database);
    this.feeds = new FeedTable(database);
    this.events = new EventLog(database);
  }

  /** Inside a transaction that holds the write lock. */
  publish(publication: Publication): void {
    const { accepted, events, trusted, verdicts } = publication;
    const repository = this.repositories.rowOf(publication.repository);
    for (const piece of publication.pieces) this.pieces.save(piece);
    this.snapshots.save(repository, publication.snapshot);
    if (accepted !== undefined) this.accepted.save(repository, accepted);
    this.firstSeen.add(repository, publication.firstSeen ?? []);
    // The later one wins: what is declared is answered for, and else what is withdrawn is not.
    this.archives.restore(repository, publication.restored ?? []);
    this.archives.withdraw(repository, publication.withdrawn ?? []);
    this.archives.list(repository, publication.archives);
    if (verdicts !== undefined) this.verdicts.save(repository, verdicts.replaced, verdicts.dropped);
    if (trusted !== undefined) this.repositories.saveTrusted(repository, trusted);
    if (events.length === 0) {
      throw new SeraiError('internal', `${publication.repository} is published without an event`);
    }
    for (const event of events) this.events.append(event);
  }
}
