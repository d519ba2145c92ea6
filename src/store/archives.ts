/** Archives: the sets of checksums that snapshots declare, and what each repository lists of them. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import { type Checksum, type Sha256, showChecksum } from '../hashes.ts';
import type { Archive, ArchiveDeclaration, ListedArchive } from './catalogue.ts';
import { canonicalSet, showChecksums } from './checksum-set.ts';
import type { KnownBlobTable } from './known-blobs.ts';
import { checksumsIn, integerIn, optionalIntegerIn, optionalSha256In, type Row, textListIn } from './rows.ts';

const ARCHIVE_COLUMNS = 'archive.id, archive.checksums, archive.size, blob.sha256 AS blob_id';

export class ArchiveTable {
  readonly #blobs: KnownBlobTable;
  readonly #byIdentity: Database.Statement<[string, number], Row>;
  readonly #byId: Database.Statement<[number], Row>;
  readonly #insert: Database.Statement<[string, number | null], Row>;
  readonly #insertChecksum: Database.Statement<[string, string, number]>;
  readonly #list: Database.Statement<[number, number, string]>;
  readonly #listed: Database.Statement<[string, string, string], Row>;
  readonly #declaring: Database.Statement<[string, string], Row>;
  readonly #setWithdrawn: Database.Statement<[number, number, number]>;
  readonly #link: Database.Statement<[number, number]>;

  constructor(database: Database.Database, blobs: KnownBlobTable) {
    this.#blobs = blobs;
    this.#byIdentity = database.prepare(
      'SELECT id FROM archive WHERE checksums = ? AND ifnull(size, -1) = ?',
    );
    this.#byId = database.prepare(
      `SELECT ${ARCHIVE_COLUMNS} FROM archive LEFT JOIN blob ON blob.id = archive.blob WHERE archive.id = ?`,
    );
    this.#insert = database.prepare('INSERT INTO archive (checksums, size) VALUES (?, ?) RETURNING id');
    this.#insertChecksum = database.prepare(
      'INSERT INTO archive_checksum (kind, hex, archive) VALUES (?, ?, ?)',
    );
    this.#list = database.prepare(
      `INSERT INTO listing (repository, archive, sources) VALUES (?, ?, ?)
       ON CONFLICT (archive, repository) DO UPDATE SET sources = excluded.sources, withdrawn = 0`,
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
   * Lists what one publication declares. When several of its packages declare the same archive, the sources
   * of all are kept, in their order; what an earlier publication gave is replaced.
   */
  list(repository: number, declarations: readonly ArchiveDeclaration[]): void {
    const sourcesOf = new Map<number, Set<string>>();
    for (const declaration of declarations) {
      const archive = this.#rowOf(declaration);
      const sources = sourcesOf.get(archive) ?? new Set<string>();
      for (const source of declaration.sources) sources.add(source);
      sourcesOf.set(archive, sources);
    }
    for (const [archive, sources] of sourcesOf) {
      this.#list.run(repository, archive, JSON.stringify([...sources]));
    }
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

  #rowOf(declaration: ArchiveDeclaration): number {
    const checksums = canonicalSet(declaration.checksums);
    if (checksums.length === 0) {
      // All archives without a checksum would be one and the same.
      throw new SeraiError(
        'internal',
        `an archive without checksums is published: ${declaration.sources.join(' ')}`,
      );
    }
    const identity = showChecksums(checksums);
    const known = this.#byIdentity.get(identity, declaration.size ?? -1);
    if (known !== undefined) return integerIn(known, 'id');
    const inserted = this.#insert.get(identity, declaration.size ?? null);
    if (inserted === undefined) throw new SeraiError('internal', `the archive ${identity} was not recorded`);
    const id = integerIn(inserted, 'id');
    for (const { kind, hex } of checksums) this.#insertChecksum.run(kind, hex, id);
    return id;
  }
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
