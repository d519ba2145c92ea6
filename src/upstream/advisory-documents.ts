/** What an advisory feed is made of, and how much of it there may be; the same for a zip and for a folder. */
import { asSeraiError, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { showPath } from './tree-rules.ts';

/** One JSON document of a feed, not yet parsed. */
export interface FeedDocument {
  /** Tells it apart from the others of the feed, for people; never a path to anything. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export type DocumentLimits = Pick<
  Limits,
  'advisory_content' | 'advisory_files' | 'advisory_file' | 'path_bytes' | 'path_depth'
>;

/** Everything else in a feed (a licence, a page for people) is passed over. */
export function isDocumentName(name: string): boolean {
  return /\.json$/i.test(name);
}

/** Counts a feed's entries and bytes. Each method throws `limit-exceeded` with the entry's name. */
export class DocumentBudget {
  readonly #limits: DocumentLimits;
  #entries = 0;
  #content = 0;

  constructor(limits: DocumentLimits) {
    this.#limits = limits;
  }

  /** Bytes of the documents so far. */
  get content(): number {
    return this.#content;
  }

  /** An entry of any kind; the components of `name` are separated by `/`. */
  addEntry(name: string): void {
    this.#entries += 1;
    this.#check('advisory_files', this.#entries, name);
    this.#check('path_bytes', Buffer.byteLength(name), name);
    this.#check('path_depth', name.replace(/\/$/, '').split('/').length, name);
  }

  /** A document of `size` bytes. */
  addDocument(name: string, size: number): void {
    this.#check('advisory_file', size, name);
    this.#content += size;
    this.#check('advisory_content', this.#content, name);
  }

  #check(limit: keyof DocumentLimits, found: number, name: string): void {
    if (found <= this.#limits[limit]) return;
    throw new SeraiError(
      'limit-exceeded',
      `at ${showPath(name)} the advisory feed exceeds ${limit} = ${this.#limits[limit]} (${found}); if the feed is right, raise limits.${limit} in serai.toml`,
    );
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw asSeraiError(signal.reason, 'aborted', 'reading an advisory feed');
}
