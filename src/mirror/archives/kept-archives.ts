/** The archives that the store has, by all the checksums that a set of them asks for. */
import { parseSha256, type Sha256 } from '../../hashes.ts';
import type { StoredBlob } from '../../store/blobs.ts';
import type { Archive } from '../../store/catalogue.ts';
import { type BlobKeepers, putAside } from './damaged-blobs.ts';
import type { FoundArchive } from './found-archive.ts';

export class KeptArchives {
  readonly #keepers: BlobKeepers;

  constructor(keepers: BlobKeepers) {
    this.#keepers = keepers;
  }

  /** A blob in the store that matches all checksums of one of these archives; no network. */
  async find(archives: readonly Archive[]): Promise<FoundArchive | undefined> {
    for (const archive of archives) {
      if (archive.blob !== undefined && (await this.#keepers.blobs.size(archive.blob)) !== undefined)
        return { blob: archive.blob, fetched: false };
    }
    for (const archive of archives) {
      const blob = await this.#adopt(archive);
      if (blob !== undefined) return { blob, fetched: false };
    }
    return undefined;
  }

  /** Whether there is certainly no file that a download would leave as it is, unmeasured. */
  async isAbsent({ checksums }: Archive): Promise<boolean> {
    const known = checksums.find(({ kind }) => kind === 'sha256');
    const id = known && parseSha256(known.hex);
    return id !== undefined && (await this.#keepers.blobs.size(id)) === undefined;
  }

  /** For the archive that was asked for, and for every other that these bytes answer. */
  record(blob: StoredBlob, archives: readonly Archive[]): Promise<void> {
    const answered = archives.filter((archive) => matches(archive, blob)).map(({ id }) => id);
    return this.#keepers.catalogue.recordBlob(blob, [...new Set(answered)]);
  }

  /** A blob that some other set of checksums brought, if it matches this one too. */
  async #adopt(archive: Archive): Promise<Sha256 | undefined> {
    const { catalogue } = this.#keepers;
    // Where a SHA-256 is among them, no other blob than the one of that name can match.
    const name = archive.checksums.find(({ kind }) => kind === 'sha256');
    for (const checksum of name === undefined ? archive.checksums : [name]) {
      for (const known of await catalogue.blobsWith(checksum)) {
        const blob = await this.#measured(known, archive);
        if (blob === undefined || !matches(archive, blob)) continue;
        await catalogue.recordBlob(blob, [archive.id]);
        return blob.id;
      }
    }
    return undefined;
  }

  /** The blob with all digests that the archive asks for; undefined when it is gone or damaged. */
  async #measured(blob: StoredBlob, archive: Archive): Promise<StoredBlob | undefined> {
    const { catalogue, blobs } = this.#keepers;
    const missing = archive.checksums
      .map(({ kind }) => kind)
      .filter((kind) => !blob.digests.some((digest) => digest.kind === kind));
    if (missing.length === 0) {
      if ((await blobs.size(blob.id)) !== undefined) return blob;
      await catalogue.forgetBlob(blob.id);
      return undefined;
    }
    const measured = await blobs.digest(blob.id, [...new Set(missing), 'sha256']);
    if (measured === undefined) {
      await catalogue.forgetBlob(blob.id);
      return undefined;
    }
    // What a damaged blob measures must not be recorded as the hash of what it was.
    if (!measured.some(({ kind, hex }) => kind === 'sha256' && hex === blob.id)) {
      await putAside(blob.id, this.#keepers);
      return undefined;
    }
    const whole = { ...blob, digests: [...blob.digests, ...measured] };
    await catalogue.recordBlob(whole);
    return whole;
  }
}

/** Every checksum of the set, and the signed size. */
function matches(archive: Archive, blob: StoredBlob): boolean {
  if (archive.size !== undefined && archive.size !== blob.size) return false;
  return archive.checksums.every((checksum) =>
    blob.digests.some((digest) => digest.kind === checksum.kind && digest.hex === checksum.hex),
  );
}
