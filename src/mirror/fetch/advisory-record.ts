/** What the catalogue keeps of an advisory feed: the documents about opam packages, as JSON, and what was amiss. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { SeraiError } from '../../errors.ts';

/** One OSV document. */
export interface KeptDocument {
  /** Of the feed's document that it came from, and its own id. */
  readonly name: string;
  readonly id: string;
  /** JSON without blanks, so that a document that was only laid out anew is the same one. */
  readonly json: string;
}

export interface FeedRecord {
  /** By their JSON, none twice. */
  readonly documents: readonly KeptDocument[];
  /** Of the last read, for people. */
  readonly problems: readonly string[];
  /** Why the feed could not be taken since. */
  readonly failure?: FeedFailure;
}

export interface FeedFailure {
  /** When it was first so; milliseconds since the epoch. */
  readonly at: number;
  readonly code: string;
  readonly message: string;
}

export const NO_RECORD: FeedRecord = { documents: [], problems: [] };

const recordSchema = z.strictObject({
  documents: z.array(z.strictObject({ name: z.string(), id: z.string(), json: z.string() })),
  problems: z.array(z.string()),
  failure: z.strictObject({ at: z.int(), code: z.string(), message: z.string() }).exactOptional(),
});

/** A record whose documents are in one order, whatever the order in the feed. */
export function makeRecord(documents: readonly KeptDocument[], problems: readonly string[]): FeedRecord {
  const byJson = new Map(documents.map((document) => [document.json, document]));
  const sorted = [...byJson.values()].sort((one, other) => (one.json < other.json ? -1 : 1));
  return { documents: sorted, problems };
}

export function encodeRecord(record: FeedRecord): string {
  return JSON.stringify(record);
}

/** Nothing kept is the empty record; what cannot be read is `store-corrupt`, never «no advisories». */
export function decodeRecord(text: string | undefined): FeedRecord {
  if (text === undefined) return NO_RECORD;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw corrupt(error);
  }
}

/** A kept document, parsed. Throws `store-corrupt`. */
export function parseKept({ json }: KeptDocument): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw corrupt(error);
  }
}

/** Names the documents, and nothing else of the record. */
export function recordDigest({ documents }: FeedRecord): string {
  const hash = createHash('sha256');
  // JSON has no line feed outside its escapes, so that no two lists run together to the same bytes.
  for (const { json } of documents) hash.update(`${json}\n`);
  return hash.digest('hex');
}

function corrupt(cause: unknown): SeraiError {
  return new SeraiError(
    'store-corrupt',
    'the advisories cannot be read from the catalogue; stop serai and put back a backup of the data folder',
    { cause },
  );
}
