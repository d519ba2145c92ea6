/** The pieces in the store that can be relied on, looked at once for each publication. */
import type { Sha256 } from '../../hashes.ts';
import type { Piece } from '../../store/catalogue.ts';
import { type BlobKeepers, putAside } from '../archives/damaged-blobs.ts';
import { wholeBlobs } from './piece-bytes.ts';
import type { PieceReader } from './pieces-tree.ts';

/**
 * Bytes of blobs that a publication keeps once it has read them, since several of its steps need some: of the real index
 * 4 MiB. What is beyond is read and measured each time.
 */
const KEPT_BYTES = 64 * 1024 * 1024;

export class StoredPieces implements PieceReader {
  readonly #keepers: BlobKeepers;
  readonly #known = new Map<string, Piece>();
  /** By blob: each is looked at once, however many ask at the same time. */
  readonly #whole = new Map<Sha256, Promise<boolean>>();
  readonly #kept = new Map<Sha256, Buffer>();
  /** Bytes that may be kept beside those that are. */
  #room: number;

  constructor(keepers: BlobKeepers, keptBytes: number = KEPT_BYTES) {
    this.#keepers = keepers;
    this.#room = keptBytes;
  }

  /** Those of `keys` that are known and whose bytes are in place, by key. The others are to be made anew. */
  async find(keys: readonly string[]): Promise<ReadonlyMap<string, { readonly stored: Piece }>> {
    const found = new Map<string, { readonly stored: Piece }>();
    const unknown = keys.filter((key) => !this.#known.has(key));
    if (unknown.length > 0)
      for (const [key, piece] of await this.#keepers.catalogue.pieces(unknown)) this.#known.set(key, piece);
    for (const key of keys) {
      const piece = this.#known.get(key);
      if (piece === undefined) continue;
      let whole = this.#whole.get(piece.blob);
      if (whole === undefined) {
        whole = this.#check(piece.blob);
        this.#whole.set(piece.blob, whole);
        // A look that failed says nothing: the next one who asks looks again.
        whole.catch(() => this.#whole.delete(piece.blob));
      }
      if (await whole) found.set(key, { stored: piece });
      // Made anew it lies elsewhere.
      else this.#known.delete(key);
    }
    return found;
  }

  pieces(keys: readonly string[]): Promise<ReadonlyMap<string, Piece>> {
    return this.#keepers.catalogue.pieces(keys);
  }

  async whole(id: Sha256): Promise<Buffer> {
    const kept = this.#kept.get(id);
    if (kept !== undefined) return kept;
    const bytes = await wholeBlobs(this.#keepers.blobs).whole(id);
    if (bytes.length <= this.#room && !this.#kept.has(id)) {
      this.#room -= bytes.length;
      this.#kept.set(id, bytes);
    }
    return bytes;
  }

  /** A damaged blob has to make way: the same bytes put again would be taken for being there already. */
  async #check(id: Sha256): Promise<boolean> {
    const { blobs, catalogue } = this.#keepers;
    const [digest] = (await blobs.digest(id, ['sha256'])) ?? [];
    if (digest?.hex === id) return true;
    if (digest === undefined) await catalogue.forgetBlob(id);
    else await putAside(id, this.#keepers);
    return false;
  }
}
