/** git's tree objects as they are stored (gitformat: `<mode> <name>\0<id in bytes>` for each entry). */
import { SeraiError } from '../errors.ts';

export interface GitTreeEntry {
  /** Each character is one byte (latin1). */
  readonly name: string;
  /** Octal without leading zeros, as git stores it: `40000` for a tree. */
  readonly mode: string;
  readonly oid: string;
}

export const TREE_MODE = '40000';

const BLANK = 0x20;

/** The entries in their order. `idBytes` is 20 for SHA-1, 32 for SHA-256. Throws `store-corrupt` for anything else. */
export function parseTreeObject(bytes: Uint8Array, idBytes: number): GitTreeEntry[] {
  const entries: GitTreeEntry[] = [];
  takeRest(bufferOf(bytes), 0, idBytes, entries);
  return entries;
}

/**
 * The entries of each that the other does not have just so. Those that both have are compared as they are stored: to take
 * all of `packages/` apart, twice, took ten times as long. Throws as `parseTreeObject` does.
 */
export function differingEntries(
  before: Uint8Array,
  after: Uint8Array,
  idBytes: number,
): { readonly before: readonly GitTreeEntry[]; readonly after: readonly GitTreeEntry[] } {
  const [old, now] = [bufferOf(before), bufferOf(after)];
  const was: GitTreeEntry[] = [];
  const is: GitTreeEntry[] = [];
  let atOld = 0;
  let atNow = 0;
  while (atOld < old.length && atNow < now.length) {
    const oldEnd = endOf(old, atOld, idBytes);
    const nowEnd = endOf(now, atNow, idBytes);
    if (oldEnd - atOld === nowEnd - atNow && now.compare(old, atOld, oldEnd, atNow, nowEnd) === 0) {
      atOld = oldEnd;
      atNow = nowEnd;
      continue;
    }
    const one = entryIn(old, atOld, oldEnd, idBytes);
    const other = entryIn(now, atNow, nowEnd, idBytes);
    // Sorted and each name once, which git's fsck has seen to; were they not sorted, more would seem to differ.
    const order = compareEntries(one, other);
    if (order <= 0) {
      was.push(one);
      atOld = oldEnd;
    }
    if (order >= 0) {
      is.push(other);
      atNow = nowEnd;
    }
  }
  takeRest(old, atOld, idBytes, was);
  takeRest(now, atNow, idBytes, is);
  return { before: was, after: is };
}

/** The names alone, in their order. Throws as `parseTreeObject` does. */
export function namesIn(bytes: Uint8Array, idBytes: number): readonly string[] {
  const buffer = bufferOf(bytes);
  const names: string[] = [];
  for (let at = 0; at < buffer.length; ) {
    const end = endOf(buffer, at, idBytes);
    const zero = end - idBytes - 1;
    names.push(buffer.toString('latin1', blankIn(buffer, at, zero) + 1, zero));
    at = end;
  }
  return names;
}

function takeRest(buffer: Buffer, from: number, idBytes: number, entries: GitTreeEntry[]): void {
  for (let at = from; at < buffer.length; ) {
    const end = endOf(buffer, at, idBytes);
    entries.push(entryIn(buffer, at, end, idBytes));
    at = end;
  }
}

/** Where the entry ends that begins at `at`. */
function endOf(buffer: Buffer, at: number, idBytes: number): number {
  const zero = buffer.indexOf(0, at);
  const end = zero + 1 + idBytes;
  if (zero === -1 || end > buffer.length) throw cutShort();
  return end;
}

function entryIn(buffer: Buffer, at: number, end: number, idBytes: number): GitTreeEntry {
  const zero = end - idBytes - 1;
  const blank = blankIn(buffer, at, zero);
  return {
    mode: buffer.toString('latin1', at, blank),
    name: buffer.toString('latin1', blank + 1, zero),
    oid: buffer.toString('hex', zero + 1, end),
  };
}

/** Between an entry's mode and its name. */
function blankIn(buffer: Buffer, at: number, zero: number): number {
  const blank = buffer.indexOf(BLANK, at);
  if (blank === -1 || blank > zero) throw cutShort();
  return blank;
}

/** As git sorts them: a folder as if its name ended in a slash. */
function compareEntries(a: GitTreeEntry, b: GitTreeEntry): number {
  const [left, right] = [sortedAs(a), sortedAs(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function sortedAs({ name, mode }: GitTreeEntry): string {
  return mode === TREE_MODE ? `${name}/` : name;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function cutShort(): SeraiError {
  return new SeraiError('store-corrupt', 'a tree object of git ends in the middle of an entry');
}
