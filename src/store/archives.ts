/** Archives: the sets of checksums that snapshots declare, and what each repository lists of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import { type Checksum, type Sha256, showChecksum } from '../hashes.ts';
import type { Archive, ArchiveDeclaration, ListedArchive, PublishedDeclaration } from './catalogue.ts';
import { canonicalSet, showChecksums } from './checksum-set.ts';
import type { KnownBlobTable } from './known-blobs.ts';
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
  readonly #blobs: KnownBlobTable;
  readonly #insertMissing: Database.Statement<[string]>;
  readonly #newest: Database.Statement<[], unknown>;
  readonly #idsOf: Database.Statement<[string], Row>;
  readonly #byId: Database.Statement<[number], Row>;
  readonly #insertChecksums: Database.Statement<[string]>;
  readonly #list: Database.Statement<[number, string]>;
  readonly #declare: Database.Statement<[number, string]>;
  readonly #declaringPieces: Database.Statement<[string, string, number], Row>;
  readonly #namingPieces: Database.Statement<[string, string, string], Row>;
  readonly #listed: Database.Statement<[string, string, string], Row>;
  readonly #declaring: Database.Statement<[string, string], Row>;
  readonly #setWithdrawn: Database.Statement<[number, number, number]>;
  readonly #link: Database.Statement<[number, number]>;

  constructor(database: Database.Database, blobs: KnownBlobTable) {
    this.#blobs = blobs;
    // Rows are handed over as JSON, all at once: the first publication declares 11,496 archives.
    this.#insertMissing = database.prepare(
      `INSERT INTO archive (checksums, size)
       SELECT row.value ->> 0, nullif(row.value ->> 1, -1) FROM json_each(?) AS row
       WHERE NOT EXISTS (
         SELECT 1 FROM archive AS known
         WHERE known.checksums = row.value ->> 0 AND ifnull(known.size, -1) = row.value ->> 1
       )`,
    );
    this.#newest = database.prepare<[], unknown>('SELECT ifnull(max(id), 0) FROM archive').pluck();
    this.#idsOf = database.prepare(
      `SELECT row.key AS "index", archive.id FROM json_each(?) AS row
       JOIN archive ON archive.checksums = row.value ->> 0 AND ifnull(archive.size, -1) = row.value ->> 1`,
    );
    this.#byId = database.prepare(
      `SELECT ${ARCHIVE_COLUMNS} FROM archive LEFT JOIN blob ON blob.id = archive.blob WHERE archive.id = ?`,
    );
    this.#insertChecksums = database.prepare(
      `INSERT INTO archive_checksum (hex, kind, archive)
       SELECT row.value ->> 0, row.value ->> 1, row.value ->> 2 FROM json_each(?) AS row`,
    );
    this.#list = database.prepare(
      `INSERT INTO listing (repository, archive, sources)
       SELECT ?, row.value ->> 0, row.value ->> 1 FROM json_each(?) AS row WHERE true
       ON CONFLICT (archive, repository) DO UPDATE SET sources = excluded.sources, withdrawn = 0`,
    );
    this.#declare = database.prepare(
      `INSERT OR IGNORE INTO declared (archive, repository, piece)
       SELECT row.value ->> 0, ?, piece.id FROM json_each(?) AS row JOIN piece ON piece.key = row.value ->> 1`,
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
    this.#declaring = database.prepare(
      `SELECT ${ARCHIVE_COLUMNS}
       FROM archive_checksum AS wanted
       JOIN archive ON archive.id = wanted.archive
       LEFT JOIN blob ON blob.id = archive.blob
       WHERE wanted.kind = ? AND wanted.hex = ?`,
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
    const identities = declarations.map(identityOf);
    const ids = this.#recordAll(identities);
    const listings = new Map<number, Set<string>>();
    const declared: (readonly [archive: number, piece: string])[] = [];
    for (const [index, { sources, pieces = [] }] of declarations.entries()) {
      const archive = ids[index] ?? 0;
      const known = listings.get(archive) ?? new Set<string>();
      for (const source of sources) known.add(source);
      listings.set(archive, known);
      for (const piece of pieces) declared.push([archive, piece]);
    }
    const rows = [...listings].map(([archive, sources]) => [archive, JSON.stringify([...sources])]);
    this.#list.run(repository, JSON.stringify(rows));
    this.#declare.run(repository, JSON.stringify(declared));
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
    return this.#listed.all(repository, checksum.kind, checksum.hex).map((row) => ({
      ...toArchive(row),
      sources: textListIn(row, 'sources'),
    }));
  }

  related(checksums: readonly Checksum[]): readonly Archive[] {
    const found = new Map<number, Archive>();
    for (const checksum of checksums) {
      for (const row of this.#declaring.all(checksum.kind, checksum.hex)) {
        const archive = toArchive(row);
        found.set(archive.id, archive);
      }
    }
    return [...found.values()].sort((a, b) => a.id - b.id);
  }

  /** Inside a transaction that holds the write lock. Throws `not-found` and `checksum-mismatch`. */
  link(id: number, blobId: Sha256): void {
    const row = this.#byId.get(id);
    if (row === undefined) throw new SeraiError('not-found', `no archive ${id} in the catalogue`);
    const archive = toArchive(row);
    const blob = this.#blobs.find(blobId);
    const blobRow = this.#blobs.rowOf(blobId);
    if (blob === undefined || blobRow === undefined) {
      throw new SeraiError(
        'not-found',
        `the blob ${blobId} was not recorded before the archive ${id} got it`,
      );
    }
    const measured = new Set(blob.digests.map(showChecksum));
    const missing = archive.checksums.find((checksum) => !measured.has(showChecksum(checksum)));
    if (missing !== undefined) {
      throw new SeraiError(
        'checksum-mismatch',
        `the blob ${blobId} was not measured to have ${showChecksum(missing)}, which the archive ${id} declares`,
      );
    }
    if (archive.size !== undefined && archive.size !== blob.size) {
      throw new SeraiError(
        'checksum-mismatch',
        `the blob ${blobId} has ${blob.size} bytes, the archive ${id} declares ${archive.size}`,
      );
    }
    this.#link.run(blobRow, id);
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
    const distinct = new Map(identities.map(({ text, size }) => [`${size} ${text}`, [text, size]]));
    const newestBefore = Number(this.#newest.get());
    this.#insertMissing.run(JSON.stringify([...distinct.values()]));
    const ids: number[] = new Array(identities.length).fill(0);
    const keys = JSON.stringify(identities.map(({ text, size }) => [text, size]));
    for (const row of this.#idsOf.all(keys)) ids[integerIn(row, 'index')] = integerIn(row, 'id');
    const checksums = new Map<string, readonly [hex: string, kind: string, archive: number]>();
    for (const [index, { set }] of identities.entries()) {
      const id = ids[index] ?? 0;
      if (id <= newestBefore) continue;
      for (const { kind, hex } of set) checksums.set(`${hex} ${kind} ${id}`, [hex, kind, id]);
    }
    // In the order of the key, each goes behind the one before; in any other, all over the table.
    const rows = [...checksums.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    if (rows.length > 0) this.#insertChecksums.run(JSON.stringify(rows));
    return ids;
  }
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
