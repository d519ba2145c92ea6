/**
 * What is remembered of an accepted tree beside its files: enough to derive anew what is served, without the
 * upstream. Kept as JSON in the catalogue.
 */
import { z } from 'zod';
import { SeraiError } from '../../errors.ts';
import { parseJson } from '../../json.ts';
import { CHANGE_CLASSES } from '../../verify/guard/classes.ts';

const heldVersion = z.object({ version: z.string(), rule: z.string(), reason: z.string() });

const changeRecord = z.object({
  version: z.string(),
  class: z.enum(CHANGE_CLASSES),
  before: z.string(),
  after: z.string(),
  /** When it was first noticed, milliseconds since the epoch. */
  at: z.int(),
});

const heldChange = changeRecord.extend({
  /** Of the version as upstream has it now: what a release is about. */
  form: z.string(),
  /** What is served instead. */
  served: z.enum(['last-good', 'none']),
});

const stateSchema = z.object({
  /** Upstream's own file `repo` (latin1). */
  repo: z.string().exactOptional(),
  archiveMirrors: z.array(z.string()),
  /** Versions in the upstream's own tree. */
  offered: z.int(),
  /** What verification withholds, and what cannot be read. */
  withheld: z.array(heldVersion),
  unreadable: z.array(heldVersion),
  signedAt: z.int().exactOptional(),
  warnings: z.array(z.string()),
  root: z.object({ date: z.string(), fingerprints: z.array(z.string()), quorum: z.int() }).exactOptional(),
  /** Versions that upstream removed, by when that was noticed. */
  removed: z.record(z.string(), z.int()),
  /** Changes that policy holds. */
  held: z.array(heldChange),
  /** The latest changes that policy let pass, the last one first. */
  passed: z.array(changeRecord),
});

export type ChangeRecord = z.infer<typeof changeRecord>;
export type HeldChange = z.infer<typeof heldChange>;
export type AcceptedState = z.infer<typeof stateSchema>;

/** The same text for the same state. */
export function encodeAcceptedState(state: AcceptedState): string {
  // Parsing sets the keys in the schema's order.
  return JSON.stringify(stateSchema.parse(state));
}

/** Throws `store-corrupt` when the text is not what {@link encodeAcceptedState} wrote. */
export function decodeAcceptedState(text: string): AcceptedState {
  const parsed = stateSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SeraiError('store-corrupt', 'the catalogue holds the state of a tree that cannot be read', {
    cause: parsed.error,
  });
}
