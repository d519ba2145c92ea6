/** What a snapshot says of itself to people and to the archive fetcher; stored as JSON beside it. */
import { z } from 'zod';
import { SeraiError } from '../errors.ts';
import { parseJson } from './json.ts';

const summarySchema = z.object({
  packages: z.int(),
  versions: z.int(),
  archives: z.int(),
  archiveMirrors: z.array(z.string()),
  held: z.array(z.object({ version: z.string(), reason: z.string() })),
  signedAt: z.int().exactOptional(),
  warnings: z.array(z.string()).exactOptional(),
  root: z.object({ date: z.string(), fingerprints: z.array(z.string()), quorum: z.int() }).exactOptional(),
});

export interface Summary {
  readonly packages: number;
  readonly versions: number;
  /** Distinct sets of checksums. */
  readonly archives: number;
  /** Upstream's own archive caches, absolute. */
  readonly archiveMirrors: readonly string[];
  /** Versions that upstream has and this snapshot does not, with the reason. */
  readonly held: readonly { readonly version: string; readonly reason: string }[];
  /** The date that the upstream signed, in milliseconds since the epoch; undefined where it signs none. */
  readonly signedAt?: number;
  /** What verification says loudly although it refuses nothing. */
  readonly warnings?: readonly string[];
  /** Who is at the root of the trust, where the upstream is signed. */
  readonly root?: {
    readonly date: string;
    readonly fingerprints: readonly string[];
    readonly quorum: number;
  };
}

export function encodeSummary(summary: Summary): string {
  return JSON.stringify(summary);
}

/** Throws `store-corrupt` when the text is not what {@link encodeSummary} wrote. */
export function decodeSummary(text: string): Summary {
  const parsed = summarySchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SeraiError('store-corrupt', 'the catalogue holds a snapshot summary that cannot be read', {
    cause: parsed.error,
  });
}
