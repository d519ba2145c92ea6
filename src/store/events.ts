/** The append-only log. Each event carries the hash of the one before, so that no line can change unseen. */
import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import type { EventInput, LoggedEvent } from './catalogue.ts';
import { integerIn, type Row, sha256In, textIn } from './rows.ts';

/** What the first event has for `previous`. */
export const NO_EVENT: string = '0'.repeat(64);

/**
 * SHA-256 in hex over six netstrings (`LENGTH:BYTES,`, the length in bytes of UTF-8): previous, sequence and
 * at in decimal, repository, kind, detail. A length before each field leaves one reading only. Half a
 * surrogate pair counts as U+FFFD, which is what SQLite keeps of it.
 */
export function eventHash(event: Omit<LoggedEvent, 'hash'>): string {
  const hash = createHash('sha256');
  const { previous, sequence, at, repository, kind, detail } = event;
  for (const field of [previous, String(sequence), String(at), repository, kind, detail]) {
    hash.update(`${Buffer.byteLength(field)}:${field},`);
  }
  return hash.digest('hex');
}

/**
 * The sequence number of the first event that does not follow from the one before it, or undefined when all
 * do. `last` is the event before the first of `events`; without it they must begin with the log's first.
 * Events cut off at the end are not noticed: for that, keep the last hash elsewhere and compare.
 */
export function findBrokenEvent(
  events: Iterable<LoggedEvent>,
  last?: Pick<LoggedEvent, 'sequence' | 'hash'>,
): number | undefined {
  let sequence = last?.sequence ?? 0;
  let previous = last?.hash ?? NO_EVENT;
  for (const event of events) {
    sequence += 1;
    const follows = event.sequence === sequence && event.previous === previous;
    if (!follows || event.hash !== eventHash(event)) return event.sequence;
    previous = event.hash;
  }
  return undefined;
}

export class EventLog {
  readonly #last: Database.Statement<[], Row>;
  readonly #insert: Database.Statement<[LoggedEvent]>;
  readonly #from: Database.Statement<[number, number], Row>;

  constructor(database: Database.Database) {
    this.#last = database.prepare('SELECT sequence, hash FROM event ORDER BY sequence DESC LIMIT 1');
    this.#insert = database.prepare(
      `INSERT INTO event (sequence, at, repository, kind, detail, previous, hash)
       VALUES (@sequence, @at, @repository, @kind, @detail, @previous, @hash)`,
    );
    this.#from = database.prepare('SELECT * FROM event WHERE sequence >= ? ORDER BY sequence LIMIT ?');
  }

  /** Inside a transaction that holds the write lock. */
  append(input: EventInput): void {
    const last = this.#last.get();
    const event = {
      ...input,
      previous: last === undefined ? NO_EVENT : sha256In(last, 'hash'),
      sequence: last === undefined ? 1 : integerIn(last, 'sequence') + 1,
    };
    this.#insert.run({ ...event, hash: eventHash(event) });
  }

  from(sequence: number, limit: number): readonly LoggedEvent[] {
    return this.#from.all(sequence, limit).map((row) => ({
      sequence: integerIn(row, 'sequence'),
      at: integerIn(row, 'at'),
      repository: textIn(row, 'repository'),
      kind: textIn(row, 'kind'),
      detail: textIn(row, 'detail'),
      previous: sha256In(row, 'previous'),
      hash: sha256In(row, 'hash'),
    }));
  }
}
