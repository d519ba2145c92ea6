/** What is trusted after an accepted verdict, as the text that is stored (HOSTILE.md, Trust 3). */
import { SeraiError } from '../../errors.ts';
import { isObject, isTexts, type JsonObject, parseJson } from '../../json.ts';
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

const COMMIT = /^[0-9a-f]{40,64}$/;
const NAMES: ReadonlySet<string> = new Set(['dialect', 'version', 'root', 'anchors', 'commit', 'floor']);

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
  const state = parseJson(text);
  if (!isObject(state)) throw corrupt('it is no JSON object');
  const strange = Object.keys(state).find((name) => !NAMES.has(name));
  if (strange !== undefined) throw corrupt(`it has a field ${strange}`);
  if (state.dialect !== 'signed' || state.version !== 1) throw corrupt('it is of another dialect or version');
  const anchors = state.anchors === undefined ? undefined : anchorsIn(state.anchors);
  const commit = state.commit === undefined ? undefined : textIn(state, 'commit');
  if (commit !== undefined && !COMMIT.test(commit)) throw corrupt('its commit is none');
  const floor = state.floor === undefined ? undefined : parseDate(textIn(state, 'floor'));
  if (state.floor !== undefined && floor === undefined) throw corrupt('its floor is no date');
  // The canonical text, one byte a character; its signatures were judged when it was accepted.
  const root = readRootFile(Buffer.from(textIn(state, 'root'), 'latin1'), reading);
  if (!root.valid) throw corrupt(`its keys/root is invalid: ${root.reason}`);
  return {
    root,
    ...(anchors === undefined ? {} : { anchors }),
    ...(commit === undefined ? {} : { commit }),
    ...(floor === undefined ? {} : { floor }),
  };
}

function anchorsIn(found: unknown): Anchors {
  if (!isObject(found) || Object.keys(found).length !== 2) throw corrupt('its anchors are none');
  const { fingerprints, quorum } = found;
  if (!isTexts(fingerprints) || typeof quorum !== 'number' || !Number.isInteger(quorum) || quorum < 1)
    throw corrupt('its anchors are none');
  return { fingerprints, quorum };
}

function textIn(state: JsonObject, name: string): string {
  const text = state[name];
  if (typeof text !== 'string') throw corrupt(`its ${name} is no text`);
  return text;
}

function corrupt(why: string): SeraiError {
  return new SeraiError('store-corrupt', `the trusted state of a signed repository cannot be read: ${why}`);
}
