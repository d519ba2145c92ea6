/** The blobs that were measured, by every digest that is known of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import { type Checksum, HASH_KINDS, type Sha256, showChecksum } from '../hashes.ts';
import { canonicalSet } from './checksum-set.ts';
import { checksumsIn, choiceIn, integerIn, type Row, sha256In, textIn } from './rows.ts';

export interface KnownBlob {
  readonly id: Sha256;
  /** In bytes. */
  readonly size: number;
  readonly digests: readonly Checksum[];
}

/** A blob with its row, and all digests that are known of it by now. */
export interface RecordedBlob extends KnownBlob {
  readonly row: number;
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
  readonly #digestsOf: Database.Statement<[number], Row>;
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
    this.#digestsOf = database.prepare('SELECT kind, hex FROM blob_digest WHERE blob = ?');
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

  /** Refuses, as `internal`, what contradicts an earlier record: the same bytes measure the same. */
  record(blob: KnownBlob): RecordedBlob {
    const before = this.#row.get(blob.id);
    const entry = before ?? this.#insert.get(blob.id, blob.size);
    if (entry === undefined || integerIn(entry, 'size') !== blob.size) {
      throw new SeraiError('internal', `the blob ${blob.id} is recorded with another size than ${blob.size}`);
    }
    const row = integerIn(entry, 'id');
    const known = before === undefined ? [] : this.#digestsOf.all(row).map(toChecksum);
    for (const digest of canonicalSet([{ kind: 'sha256', hex: blob.id }, ...blob.digests])) {
      const measured = known.find(({ kind }) => kind === digest.kind);
      if (measured === undefined) {
        known.push(digest);
        this.#insertDigest.run(row, digest.kind, digest.hex);
      } else if (measured.hex !== digest.hex) {
        throw new SeraiError('internal', `the blob ${blob.id} does not have ${showChecksum(digest)}`);
      }
    }
    return { id: blob.id, size: blob.size, digests: known, row };
  }

  /** Its digests go with it, and every archive's link to it (see the foreign keys). */
  forget(id: Sha256): void {
    this.#delete.run(id);
  }
}

function toChecksum(row: Row): Checksum {
  return { kind: choiceIn(row, 'kind', HASH_KINDS), hex: textIn(row, 'hex') };
}

function toKnownBlob(row: Row): KnownBlob {
  return {
    id: sha256In(row, 'sha256'),
    size: integerIn(row, 'size'),
    digests: canonicalSet(checksumsIn(row, 'digests')),
  };
}
