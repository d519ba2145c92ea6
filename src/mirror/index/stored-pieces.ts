/** The pieces in the store that can be relied on, looked at once for each publication. */
import type { Sha256 } from '../../hashes.ts';
import type { Piece } from '../../store/catalogue.ts';
import { type BlobKeepers, putAside } from '../archives/damaged-blobs.ts';
import { readMeasured, wholeBlobs } from './piece-bytes.ts';
import type { PieceReader } from './pieces-tree.ts';

/**
 * Bytes of blobs that are kept once they were looked at: a publication reads them three times more. The real index has
 * 4 MiB, one of sixteen times its size would have 66.
 */
const KEPT_BYTES = 64 * 1024 * 1024;

export class StoredPieces implements PieceReader {
  readonly #keepers: BlobKeepers;
  readonly #known = new Map<string, Piece>();
  /** By blob: each is looked at once, however many ask at the same time. */
  readonly #whole = new Map<Sha256, Promise<boolean>>();
  readonly #kept = new Map<Sha256, Buffer>();
  #room = KEPT_BYTES;

  constructor(keepers: BlobKeepers) {
    this.#keepers = keepers;
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

  async pieces(keys: readonly string[]): Promise<ReadonlyMap<string, Piece>> {
    return new Map(Array.from(await this.find(keys), ([key, { stored }]) => [key, stored]));
  }

  async whole(id: Sha256): Promise<Buffer> {
    return this.#kept.get(id) ?? wholeBlobs(this.#keepers.blobs).whole(id);
  }

  /** A damaged blob has to make way: the same bytes put again would be taken for being there already. */
  async #check(id: Sha256): Promise<boolean> {
    const state = await this.#stateOf(id);
    if (state === 'gone') await this.#keepers.catalogue.forgetBlob(id);
    else if (state === 'damaged') await putAside(id, this.#keepers);
    return state === 'whole';
  }

  async #stateOf(id: Sha256): Promise<'whole' | 'gone' | 'damaged'> {
    const { blobs } = this.#keepers;
    const size = await blobs.size(id);
    if (size === undefined) return 'gone';
    if (size > this.#room) {
      const [digest] = (await blobs.digest(id, ['sha256'])) ?? [];
      if (digest === undefined) return 'gone';
      return digest.hex === id ? 'whole' : 'damaged';
    }
    this.#room -= size;
    const bytes = await readMeasured(blobs, id);
    if (typeof bytes === 'string') return bytes;
    this.#kept.set(id, bytes);
    return 'whole';
  }
}
