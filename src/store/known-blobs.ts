/** The blobs that were measured, by every digest that is known of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import { type Checksum, type Sha256, showChecksum } from '../hashes.ts';
import { canonicalSet } from './checksum-set.ts';
import { checksumsIn, integerIn, type Row, sha256In, textIn } from './rows.ts';

export interface KnownBlob {
  readonly id: Sha256;
  /** In bytes. */
  readonly size: number;
  readonly digests: readonly Checksum[];
}

const SELECT_BLOB = `
  SELECT blob.sha256, blob.size,
    (SELECT group_concat(kind || '=' || hex, ' ') FROM blob_digest WHERE blob_digest.blob = blob.id) AS digests
  FROM blob`;

export class KnownBlobTable {
  readonly #byId: Database.Statement<[string], Row>;
  readonly #byDigest: Database.Statement<[string, string], Row>;
  readonly #row: Database.Statement<[string], Row>;
  readonly #insert: Database.Statement<[string, number], Row>;
  readonly #digestOf: Database.Statement<[number, string], Row>;
  readonly #insertDigest: Database.Statement<[number, string, string]>;
  readonly #delete: Database.Statement<[string]>;

  constructor(database: Database.Database) {
    this.#byId = database.prepare(`${SELECT_BLOB} WHERE blob.sha256 = ?`);
    this.#byDigest = database.prepare(
      `${SELECT_BLOB} JOIN blob_digest AS wanted ON wanted.blob = blob.id
       WHERE wanted.kind = ? AND wanted.hex = ? ORDER BY blob.id`,
    );
    this.#row = database.prepare('SELECT id, size FROM blob WHERE sha256 = ?');
    this.#insert = database.prepare('INSERT INTO blob (sha256, size) VALUES (?, ?) RETURNING id, size');
    this.#digestOf = database.prepare('SELECT hex FROM blob_digest WHERE blob = ? AND kind = ?');
    this.#insertDigest = database.prepare('INSERT INTO blob_digest (blob, kind, hex) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM blob WHERE sha256 = ?');
  }

  find(id: Sha256): KnownBlob | undefined {
    const row = this.#byId.get(id);
    return row === undefined ? undefined : toKnownBlob(row);
  }

  with(checksum: Checksum): readonly KnownBlob[] {
    return this.#byDigest.all(checksum.kind, checksum.hex).map(toKnownBlob);
  }

  /** The row of a blob, or undefined when it was never recorded. */
  rowOf(id: Sha256): number | undefined {
    const row = this.#row.get(id);
    return row === undefined ? undefined : integerIn(row, 'id');
  }

  /** Refuses, as `internal`, what contradicts an earlier record: the same bytes measure the same. */
  record(blob: KnownBlob): void {
    const row = this.#row.get(blob.id) ?? this.#insert.get(blob.id, blob.size);
    if (row === undefined || integerIn(row, 'size') !== blob.size) {
      throw new SeraiError('internal', `the blob ${blob.id} is recorded with another size than ${blob.size}`);
    }
    const number = integerIn(row, 'id');
    for (const digest of canonicalSet([{ kind: 'sha256', hex: blob.id }, ...blob.digests])) {
      const known = this.#digestOf.get(number, digest.kind);
      if (known === undefined) this.#insertDigest.run(number, digest.kind, digest.hex);
      else if (textIn(known, 'hex') !== digest.hex) {
        throw new SeraiError('internal', `the blob ${blob.id} does not have ${showChecksum(digest)}`);
      }
    }
  }

  /** Its digests go with it, and every archive's link to it (see the foreign keys). */
  forget(id: Sha256): void {
    this.#delete.run(id);
  }
}

function toKnownBlob(row: Row): KnownBlob {
  return {
    id: sha256In(row, 'sha256'),
    size: integerIn(row, 'size'),
    digests: canonicalSet(checksumsIn(row, 'digests')),
  };
}
