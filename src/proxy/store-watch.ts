/**
 * Whether what the server holds in memory is what the store says: asked before every answer, so that what another
 * process or the syncing thread has published holds from the next request on (HOSTILE 6 and 27).
 */
import { asSeraiError, type SeraiError } from '../errors.ts';
import type { Catalogue } from '../store/catalogue.ts';

export interface StoreWatchOptions {
  readonly catalogue: Pick<Catalogue, 'version'>;
  /** Takes up what was published. */
  readonly look: () => Promise<void>;
  /** Told why the store could not be looked at. */
  readonly report: (error: SeraiError) => void;
}

export class StoreWatch {
  readonly #options: StoreWatchOptions;
  /** The catalogue's version at the beginning of the last look that succeeded. */
  #seen: number | undefined;
  #looking: Promise<boolean> | undefined;
  #askedThisTurn = false;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
  }

  /** False when another connection has written since the last look, or when that cannot be told. Costs microseconds. */
  get isUpToDate(): boolean {
    try {
      return this.#options.catalogue.version() === this.#seen;
    } catch {
      return false;
    }
  }

  /**
   * As `isUpToDate`, asked once for all requests that one turn of the event loop brings: they were here before the
   * first of them was answered. Asking for each took a fifth of a hit's time.
   */
  get wasUpToDateThisTurn(): boolean {
    if (this.#askedThisTurn) return true;
    if (!this.isUpToDate) return false;
    this.#askedThisTurn = true;
    setImmediate(() => {
      this.#askedThisTurn = false;
    });
    return true;
  }

  /**
   * Takes up all that was published before this was called; one look serves all who wait. False when the store
   * cannot be read: then nobody knows whether what is in memory still holds.
   */
  async catchUp(): Promise<boolean> {
    // A look that is under way may have missed what was written after it began.
    if (this.#looking !== undefined) await this.#looking;
    if (this.isUpToDate) return true;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<boolean> {
    const { catalogue, look, report } = this.#options;
    try {
      // Before anything is read: what is written while it is read is looked at the next time.
      const version = catalogue.version();
      await look();
      this.#seen = version;
      return true;
    } catch (error) {
      report(asSeraiError(error, 'store-failed', 'looking for what was published'));
      return false;
    }
  }
}
