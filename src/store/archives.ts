/** Archives: the sets of checksums that snapshots declare, and what each repository lists of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import { type Checksum, showChecksum } from '../hashes.ts';
import type { Archive, ArchiveDeclaration, ListedArchive, PublishedDeclaration } from './catalogue.ts';
import { canonicalSet, showChecksums } from './checksum-set.ts';
import type { RecordedBlob } from './known-blobs.ts';
import {
  checksumsIn,
  integerIn,
  optionalIntegerIn,
  optionalSha256In,
  type Row,
  textIn,
  textListIn,
} from './rows.ts';

const ARCHIVE_COLUMNS = 'archive.id, archive.checksums, archive.size, blob.sha256 AS blob_id';

export class ArchiveTable {
  readonly #byIdentity: Database.Statement<[string, number], Row>;
  readonly #byId: Database.Statement<[number], Row>;
  readonly #insert: Database.Statement<[string, number | null]>;
  readonly #insertChecksum: Database.Statement<[string, string, number]>;
  readonly #list: Database.Statement<[number, number, string]>;
  readonly #declare: Database.Statement<[number, number, string]>;
  readonly #declaringPieces: Database.Statement<[string, string, number], Row>;
  readonly #namingPieces: Database.Statement<[string, string, string], Row>;
  readonly #listed: Database.Statement<[string, string, string], Row>;
  readonly #listing: Database.Statement<[string], Row>;
  readonly #related: Database.Statement<[string], Row>;
  readonly #setWithdrawn: Database.Statement<[number, number, number]>;
  readonly #link: Database.Statement<[number, number]>;

  constructor(database: Database.Database) {
    this.#byIdentity = database.prepare(
      'SELECT id FROM archive WHERE checksums = ? AND ifnull(size, -1) = ?',
    );
    this.#byId = database.prepare(
      `SELECT ${ARCHIVE_COLUMNS} FROM archive LEFT JOIN blob ON blob.id = archive.blob WHERE archive.id = ?`,
    );
    this.#insert = database.prepare('INSERT INTO archive (checksums, size) VALUES (?, ?)');
    this.#insertChecksum = database.prepare(
      'INSERT INTO archive_checksum (hex, kind, archive) VALUES (?, ?, ?)',
    );
    this.#list = database.prepare(
      `INSERT INTO listing (repository, archive, sources) VALUES (?, ?, ?)
       ON CONFLICT (archive, repository) DO UPDATE SET sources = excluded.sources, withdrawn = 0`,
    );
    this.#declare = database.prepare(
      `INSERT OR IGNORE INTO declared (archive, repository, piece)
       SELECT ?, ?, piece.id FROM piece WHERE piece.key = ?`,
    );
    const declaredBy = `JOIN declared ON declared.archive = archive.id
         AND declared.repository = (SELECT id FROM repository WHERE name = ?)
       JOIN piece ON piece.id = declared.piece`;
    this.#declaringPieces = database.prepare(
      `SELECT piece.key FROM archive ${declaredBy} WHERE archive.checksums = ? AND ifnull(archive.size, -1) = ?`,
    );
    this.#namingPieces = database.prepare(
      `SELECT DISTINCT piece.key FROM archive_checksum AS wanted JOIN archive ON archive.id = wanted.archive
       ${declaredBy} WHERE wanted.kind = ? AND wanted.hex = ?`,
    );
    this.#listed = database.prepare(
      `SELECT ${ARCHIVE_COLUMNS}, listing.sources
       FROM archive_checksum AS wanted
       JOIN archive ON archive.id = wanted.archive
       JOIN listing ON listing.archive = archive.id
         AND listing.repository = (SELECT id FROM repository WHERE name = ?)
         AND listing.withdrawn = 0
       LEFT JOIN blob ON blob.id = archive.blob
       WHERE wanted.kind = ? AND wanted.hex = ? ORDER BY archive.id`,
    );
    this.#listing = database.prepare(
      `SELECT ${ARCHIVE_COLUMNS}, listing.sources
       FROM listing
       JOIN archive ON archive.id = listing.archive
       LEFT JOIN blob ON blob.id = archive.blob
       WHERE listing.repository = (SELECT id FROM repository WHERE name = ?) AND listing.withdrawn = 0
       ORDER BY archive.id`,
    );
    this.#related = database.prepare(
      `SELECT ${ARCHIVE_COLUMNS}
       FROM archive LEFT JOIN blob ON blob.id = archive.blob
       WHERE archive.id IN (
         SELECT wanted.archive FROM json_each(?) AS asked
         JOIN archive_checksum AS wanted
           ON wanted.hex = asked.value ->> 'hex' AND wanted.kind = asked.value ->> 'kind')
       ORDER BY archive.id`,
    );
    this.#setWithdrawn = database.prepare(
      'UPDATE listing SET withdrawn = ? WHERE repository = ? AND archive = ?',
    );
    this.#link = database.prepare('UPDATE archive SET blob = ? WHERE id = ?');
  }

  /**
   * Lists what one publication declares, after its pieces were saved. When several of its packages declare the same
   * archive, the sources of all are kept, in their order; what an earlier publication gave is replaced.
   */
  list(repository: number, declarations: readonly PublishedDeclaration[]): void {
    if (declarations.length === 0) return;
    const sourcesOf = new Map<number, Set<string>>();
    const declared: (readonly [archive: number, piece: string])[] = [];
    const ids = this.#recordAll(declarations.map(identityOf));
    for (const [index, { sources, pieces = [] }] of declarations.entries()) {
      const archive = ids[index] ?? 0;
      const known = sourcesOf.get(archive) ?? new Set<string>();
      for (const source of sources) known.add(source);
      sourcesOf.set(archive, known);
      for (const piece of pieces) declared.push([archive, piece]);
    }
    for (const [archive, sources] of inOrder([...sourcesOf], ([id]) => id))
      this.#list.run(repository, archive, JSON.stringify([...sources]));
    for (const [archive, piece] of inOrder(declared, ([id]) => id))
      this.#declare.run(archive, repository, piece);
  }

  /** The keys of the pieces with which the repository published each of these, in no order. */
  declaring(
    repository: string,
    declarations: readonly Pick<ArchiveDeclaration, 'checksums' | 'size'>[],
  ): readonly (readonly string[])[] {
    return declarations.map((declaration) => {
      const { text, size } = identityOf(declaration);
      return this.#declaringPieces.all(repository, text, size).map((row) => textIn(row, 'key'));
    });
  }

  /** The keys of the pieces with which the repository published an archive that has the checksum, for each. */
  naming(repository: string, checksums: readonly Checksum[]): readonly (readonly string[])[] {
    return checksums.map(({ kind, hex }) =>
      this.#namingPieces.all(repository, kind, hex).map((row) => textIn(row, 'key')),
    );
  }

  /** Every archive that declares all of the checksums, of whatever size. Before `list`, which takes it back. */
  withdraw(repository: number, declarations: readonly ArchiveDeclaration[]): void {
    this.#mark(repository, declarations, 1);
  }

  /**
   * Takes back `withdraw`, for the same archives; what the repository never listed stays unlisted. Before
   * `withdraw`, so that an archive which one publication both restores and withdraws is not answered for.
   */
  restore(repository: number, declarations: readonly ArchiveDeclaration[]): void {
    this.#mark(repository, declarations, 0);
  }

  listed(repository: string, checksum: Checksum): readonly ListedArchive[] {
    return this.#listed.all(repository, checksum.kind, checksum.hex).map(toListedArchive);
  }

  listing(repository: string): readonly ListedArchive[] {
    return this.#listing.all(repository).map(toListedArchive);
  }

  related(checksums: readonly Checksum[]): readonly Archive[] {
    return this.#related.all(JSON.stringify(checksums)).map(toArchive);
  }

  /** Inside a transaction that holds the write lock. Throws `not-found` and `checksum-mismatch`. */
  link(id: number, blob: RecordedBlob): void {
    const row = this.#byId.get(id);
    if (row === undefined) throw new SeraiError('not-found', `no archive ${id} in the catalogue`);
    const archive = toArchive(row);
    const measured = new Set(blob.digests.map(showChecksum));
    const missing = archive.checksums.find((checksum) => !measured.has(showChecksum(checksum)));
    if (missing !== undefined) {
      throw new SeraiError(
        'checksum-mismatch',
        `the blob ${blob.id} was not measured to have ${showChecksum(missing)}, which the archive ${id} declares`,
      );
    }
    if (archive.size !== undefined && archive.size !== blob.size) {
      throw new SeraiError(
        'checksum-mismatch',
        `the blob ${blob.id} has ${blob.size} bytes, the archive ${id} declares ${archive.size}`,
      );
    }
    this.#link.run(blob.row, id);
  }

  #mark(repository: number, declarations: readonly ArchiveDeclaration[], withdrawn: 0 | 1): void {
    for (const { checksums } of declarations) {
      const wanted = checksums.map((checksum) => showChecksum(checksum));
      for (const archive of this.related(checksums)) {
        const declared = new Set(archive.checksums.map((checksum) => showChecksum(checksum)));
        if (wanted.every((checksum) => declared.has(checksum))) {
          this.#setWithdrawn.run(withdrawn, repository, archive.id);
        }
      }
    }
  }

  /** The rows of these archives, made where there are none. */
  #recordAll(identities: readonly Identity[]): readonly number[] {
    const ids = new Map<string, number>();
    const checksums: (readonly [hex: string, kind: string, archive: number])[] = [];
    for (const identity of identities) {
      const key = keyOf(identity);
      if (ids.has(key)) continue;
      const { text, size, set } = identity;
      const known = this.#byIdentity.get(text, size);
      const id =
        known === undefined
          ? Number(this.#insert.run(text, size === -1 ? null : size).lastInsertRowid)
          : integerIn(known, 'id');
      ids.set(key, id);
      if (known === undefined) for (const { kind, hex } of set) checksums.push([hex, kind, id]);
    }
    for (const [hex, kind, id] of inOrder(checksums, ([hex]) => hex)) this.#insertChecksum.run(hex, kind, id);
    return identities.map((identity) => ids.get(keyOf(identity)) ?? 0);
  }
}

/** In the order of a table's key each row goes behind the one before; in any other, all over the table. */
function inOrder<Item>(items: readonly Item[], keyOf: (item: Item) => string | number): readonly Item[] {
  return items.toSorted((a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  });
}

function keyOf({ text, size }: Identity): string {
  return `${size} ${text}`;
}

interface Identity {
  readonly set: readonly Checksum[];
  /** The set as one text. */
  readonly text: string;
  /** Signed, in bytes; -1 where none is. */
  readonly size: number;
}

function identityOf({ checksums, size }: Pick<ArchiveDeclaration, 'checksums' | 'size'>): Identity {
  const set = canonicalSet(checksums);
  // All archives without a checksum would be one and the same.
  if (set.length === 0) throw new SeraiError('internal', 'an archive without checksums is published');
  return { set, text: showChecksums(set), size: size ?? -1 };
}

function toListedArchive(row: Row): ListedArchive {
  return { ...toArchive(row), sources: textListIn(row, 'sources') };
}

function toArchive(row: Row): Archive {
  const size = optionalIntegerIn(row, 'size');
  const blob = optionalSha256In(row, 'blob_id');
  return {
    id: integerIn(row, 'id'),
    checksums: checksumsIn(row, 'checksums'),
    ...(size === undefined ? {} : { size }),
    ...(blob === undefined ? {} : { blob }),
  };
}
