/** What is trusted after an accepted verdict, as the text that is stored (HOSTILE.md, Trust 3). */
import { z } from 'zod';
import { SeraiError } from '../../errors.ts';
import { parseDate, showDate } from './dates.ts';
import type { Anchors } from './first-trust.ts';
import type { ValidFile } from './form.ts';
import { type RootFile, type RootReading, readRootFile } from './root-file.ts';

export interface TrustedState {
  readonly root: ValidFile<RootFile>;
  /** The anchors under which the trust began; other ones in the configuration begin it anew. */
  readonly anchors?: Anchors;
  /** Of the last accepted snapshot, where the upstream is git. */
  readonly commit?: string;
  /** The newest date of an accepted snapshot, in milliseconds since the epoch. */
  readonly floor?: number;
}

const stateSchema = z.strictObject({
  dialect: z.literal('signed'),
  version: z.literal(1),
  /** The canonical text, one byte a character; its signatures were judged when it was accepted. */
  root: z.string(),
  anchors: z.strictObject({ fingerprints: z.array(z.string()), quorum: z.int().min(1) }).exactOptional(),
  commit: z
    .string()
    .regex(/^[0-9a-f]{40,64}$/)
    .exactOptional(),
  floor: z.string().exactOptional(),
});

export function printTrustedState({ root, anchors, commit, floor }: TrustedState): string {
  return JSON.stringify({
    dialect: 'signed',
    version: 1,
    root: root.signed.text,
    ...(anchors === undefined ? {} : { anchors }),
    ...(commit === undefined ? {} : { commit }),
    ...(floor === undefined ? {} : { floor: showDate(floor) }),
  });
}

/** Throws `store-corrupt` for anything malformed: it must never read as «nothing trusted yet». */
export function parseTrustedState(text: string, reading: RootReading): TrustedState {
  const state = stateSchema.safeParse(parseJson(text));
  if (!state.success) throw corrupt(z.prettifyError(state.error));
  const { anchors, commit } = state.data;
  const root = readRootFile(Buffer.from(state.data.root, 'latin1'), reading);
  if (!root.valid) throw corrupt(`its keys/root is invalid: ${root.reason}`);
  const floor = state.data.floor === undefined ? undefined : parseDate(state.data.floor);
  if (state.data.floor !== undefined && floor === undefined) throw corrupt('its floor is no date');
  return {
    root,
    ...(anchors === undefined ? {} : { anchors }),
    ...(commit === undefined ? {} : { commit }),
    ...(floor === undefined ? {} : { floor }),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw corrupt('it is no JSON');
  }
}

function corrupt(why: string): SeraiError {
  return new SeraiError('store-corrupt', `the trusted state of a signed repository cannot be read: ${why}`);
}
