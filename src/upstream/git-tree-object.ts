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
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: GitTreeEntry[] = [];
  for (let at = 0; at < buffer.length; ) {
    const blank = buffer.indexOf(BLANK, at);
    const end = buffer.indexOf(0, blank + 1);
    if (blank === -1 || end === -1 || end + 1 + idBytes > buffer.length)
      throw new SeraiError('store-corrupt', 'a tree object of git ends in the middle of an entry');
    entries.push({
      mode: buffer.toString('latin1', at, blank),
      name: buffer.toString('latin1', blank + 1, end),
      oid: buffer.toString('hex', end + 1, end + 1 + idBytes),
    });
    at = end + 1 + idBytes;
  }
  return entries;
}
