/**
 * Decoding tar's 512-byte headers and extended headers, strictly: where tar programs disagree on what a byte
 * means (pax `size`, sparse files, global names), the archive is refused, so that opam's tar and ours cannot
 * see two different repositories in one file (HOSTILE 15). Formats: POSIX.1-2024 `pax`, and GNU tar's manual.
 */
import { SeraiError } from '../errors.ts';

export const BLOCK = 512;

/** Bytes of one extended header; a path needs 255, but some writers put file attributes there. */
export const EXTENSION_BYTES = 64 * 1024;

export interface TarHeader {
  /** Each character is one byte. */
  readonly name: string;
  /** Bytes of content that follow, in whole blocks. */
  readonly size: number;
  /** The type flag as a character; `0` for a regular file also where the flag is NUL. */
  readonly type: string;
}

const MAGIC_AT = 257;
const USTAR = 'ustar\x0000';
const GNU = 'ustar  \0';

/** Type flags of entries that have no content of their own, as they are called in messages. */
const CONTENTLESS: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a FIFO',
};

/** What an entry that is neither a regular file nor a folder is called in messages: `a symbolic link`. */
export function oddKind(header: TarHeader): string {
  return CONTENTLESS[header.type] ?? 'a contiguous file';
}

/** The header in a block that is not all zeros. Throws `archive-format`. */
export function parseHeader(block: Buffer, offset: number): TarHeader {
  if (octal(block, 148, 156) !== checksum(block)) throw malformed(offset, 'its checksum does not fit');
  const magic = block.toString('latin1', MAGIC_AT, MAGIC_AT + 8);
  if (magic !== USTAR && magic !== GNU)
    throw malformed(offset, 'it is neither of the POSIX nor of the GNU format');
  const flag = String.fromCharCode(block[156] ?? 0);
  const type = flag === '\0' ? '0' : flag;
  const size = octal(block, 124, 136);
  if (size === undefined) throw malformed(offset, 'its size is not an octal number of up to 11 digits');
  if (type === 'S') throw malformed(offset, 'it is a sparse file');
  if (!'01234567xgLK'.includes(type)) throw malformed(offset, `its type is ${JSON.stringify(type)}`);
  // Tar programs differ on whether the content of such an entry is there.
  if (size !== 0 && (type === '5' || type in CONTENTLESS)) {
    throw malformed(offset, 'it has a size, and is of a type without content');
  }
  const name = untilNul(block, 0, 100);
  const prefix = magic === USTAR ? untilNul(block, 345, 500) : '';
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, type };
}

/** True for a block of zeros, the mark of an archive's end. */
export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

/**
 * The path that a pax extended header (`x`) gives to the next entry, undefined when it gives none. A global
 * one (`g`) gives none either: git puts a comment there; names and sizes for all entries are refused.
 */
export function parsePax(bytes: Uint8Array, type: 'x' | 'g', offset: number): string | undefined {
  const text = latin1(bytes);
  let path: string | undefined;
  for (let at = 0; at < text.length; ) {
    const length = /^[1-9][0-9]{0,5}(?= )/.exec(text.slice(at, at + 7))?.[0];
    const end = at + Number(length);
    const record = text.slice(at + (length?.length ?? 0) + 1, end - 1);
    const equals = record.indexOf('=');
    if (length === undefined || end > text.length || text[end - 1] !== '\n' || equals < 1) {
      throw malformed(offset, 'its pax records are malformed');
    }
    const key = record.slice(0, equals);
    const refusal = refusedPaxKey(key, type);
    if (refusal !== undefined) throw malformed(offset, refusal);
    if (key === 'path') path = record.slice(equals + 1);
    at = end;
  }
  if (path?.includes('\0')) throw malformed(offset, 'its pax path has a NUL byte');
  return path;
}

function refusedPaxKey(key: string, type: 'x' | 'g'): string | undefined {
  // No file within our limits needs more than the header's eleven octal digits.
  if (key === 'size') return 'a pax record overrides the size';
  if (key.startsWith('GNU.sparse.') || key === 'SCHILY.realsize') return 'it is a sparse file';
  if (type === 'g' && (key === 'path' || key === 'linkpath')) return 'a global pax record names files';
  return undefined;
}

/** The path in a GNU long-name entry (`L`). */
export function parseLongName(bytes: Uint8Array): string {
  return untilNul(bufferOf(bytes), 0, bytes.length);
}

/** `archive-format` for what stands at a byte offset of the decompressed tar. */
export function malformed(offset: number, what: string): SeraiError {
  return new SeraiError('archive-format', `the tar is refused at byte ${offset}: ${what}`);
}

/** The sum of the header's bytes with the checksum field as blanks. */
function checksum(block: Uint8Array): number {
  let sum = 8 * 32;
  for (let at = 0; at < 148; at++) sum += block[at] ?? 0;
  for (let at = 156; at < BLOCK; at++) sum += block[at] ?? 0;
  return sum;
}

const BLANK = 0x20;
const DIGIT_0 = 0x30;
const DIGIT_7 = 0x37;

/** A number field: blanks, octal digits, then blanks or NULs only. An empty field is 0. */
function octal(block: Uint8Array, from: number, to: number): number | undefined {
  let at = from;
  while (at < to && block[at] === BLANK) at += 1;
  let value = 0;
  for (; at < to; at++) {
    const code = block[at] ?? 0;
    if (code < DIGIT_0 || code > DIGIT_7) break;
    value = value * 8 + code - DIGIT_0;
  }
  for (; at < to; at++) if (block[at] !== BLANK && block[at] !== 0) return undefined;
  return value;
}

/** The bytes up to the first NUL, or all of them. */
function untilNul(block: Buffer, from: number, to: number): string {
  let end = from;
  while (end < to && block[end] !== 0) end += 1;
  return end === from ? '' : block.toString('latin1', from, end);
}

function latin1(bytes: Uint8Array): string {
  return bufferOf(bytes).toString('latin1');
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
