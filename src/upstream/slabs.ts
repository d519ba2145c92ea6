/** Where the bytes of files that are held in memory are put. */

/**
 * Memory for many small files: cut from slabs, so that neither each file is an allocation of its own nor a
 * file keeps alive what was read around it.
 */
export class Slabs {
  static readonly #SLAB = 1024 * 1024;
  static readonly #OWN = 128 * 1024;
  #slab = new Uint8Array(0);

  take(size: number): Uint8Array {
    if (size > Slabs.#OWN) return new Uint8Array(size);
    if (size > this.#slab.length) this.#slab = new Uint8Array(Slabs.#SLAB);
    const taken = this.#slab.subarray(0, size);
    this.#slab = this.#slab.subarray(size);
    return taken;
  }
}
