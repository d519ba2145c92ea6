/**
 * What a signed repository's trust rests on, as the catalogue keeps it: the dialect's own state, the whole
 * accepted tree where no git history holds it, and the anchors that a person accepted.
 */
import { z } from 'zod';
import { SeraiError } from '../../errors.ts';
import { parseSha256, type Sha256 } from '../../hashes.ts';

export interface AcceptedAnchors {
  readonly fingerprints: readonly string[];
  readonly quorum: number;
}

export interface TrustRecord {
  /** Of the dialect; absent before anything was accepted. */
  readonly state?: string;
  /** Blob of the last accepted tree, whole, as an index.tar.gz; where the upstream is not git. */
  readonly tree?: Sha256;
  /** Accepted on first use, by `serai trust`. */
  readonly anchors?: AcceptedAnchors;
}

const recordSchema = z.strictObject({
  state: z.string().exactOptional(),
  tree: z
    .string()
    .transform((text, context) => {
      const id = parseSha256(text);
      if (id !== undefined) return id;
      context.addIssue({ code: 'custom', message: 'no SHA-256' });
      return z.NEVER;
    })
    .exactOptional(),
  anchors: z.strictObject({ fingerprints: z.array(z.string()), quorum: z.int().min(1) }).exactOptional(),
});

export function encodeTrust(record: TrustRecord): string {
  return JSON.stringify(record);
}

/** Nothing kept is the empty record; what cannot be read is `store-corrupt`, never «nothing trusted yet». */
export function decodeTrust(text: string | undefined): TrustRecord {
  if (text === undefined) return {};
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new SeraiError(
      'store-corrupt',
      'what is trusted of a repository cannot be read from the catalogue; restore the data folder from a copy',
      { cause: error },
    );
  }
}
