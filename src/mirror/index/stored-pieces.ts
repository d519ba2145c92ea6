/** The pieces in the store that can be relied on, looked at once for each publication. */
import type { Sha256 } from '../../hashes.ts';
import type { Piece } from '../../store/catalogue.ts';
import { type BlobKeepers, putAside } from '../archives/damaged-blobs.ts';

export class StoredPieces {
  readonly #keepers: BlobKeepers;
  readonly #known = new Map<string, Piece>();
  /** By blob: each is looked at once, however many ask at the same time. */
  readonly #whole = new Map<Sha256, Promise<boolean>>();

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
