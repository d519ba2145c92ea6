/**
 * Tar entries of the published index: plain ustar, regular files, everything but path, size and content
 * fixed, so that the same tree gives the same bytes on any machine. Written here because a piece has to be
 * a plain byte run that is made without a stream; tar-stream only reads.
 */
import { SeraiError } from '../../errors.ts';

const BLOCK = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** 2000-01-01T00:00:00Z: fixed, and late enough that tar does not warn of an implausibly old file. */
const MTIME = 946_684_800;

/** The end of a tar: two empty blocks. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** Bytes that an entry takes: headers, content, padding. */
export function entryLength(path: string, size: number): number {
  const blocks = Math.ceil(size / BLOCK);
  return (1 + blocks) * BLOCK + (splitPath(path) === undefined ? extendedLength(path) : 0);
}

/** Writes one entry at `offset` of `target` (zero-filled there); the offset behind it. `path` is latin1. */
export function writeEntry(target: Buffer, offset: number, path: string, content: Uint8Array): number {
  let at = offset;
  let split = splitPath(path);
  if (split === undefined) {
    const record = paxRecord(path);
    writeHeader(target, at, { name: 'pax', prefix: '' }, record.length, 'x');
    target.set(record, at + BLOCK);
    at += extendedLength(path);
    split = { name: path.slice(-NAME_BYTES), prefix: '' };
  }
  writeHeader(target, at, split, content.length, '0');
  target.set(content, at + BLOCK);
  return at + (1 + Math.ceil(content.length / BLOCK)) * BLOCK;
}

interface SplitPath {
  readonly name: string;
  readonly prefix: string;
}

/** ustar holds a path as prefix and name, divided at a slash; undefined where no division fits. */
function splitPath(path: string): SplitPath | undefined {
  if (path.length <= NAME_BYTES) return { name: path, prefix: '' };
  const slash = path.indexOf('/', path.length - NAME_BYTES - 1);
  if (slash === -1 || slash > PREFIX_BYTES || slash === path.length - 1) return undefined;
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

function extendedLength(path: string): number {
  return (1 + Math.ceil(paxRecord(path).length / BLOCK)) * BLOCK;
}

/** POSIX pax: `<length of the whole record> path=<path>\n`. */
function paxRecord(path: string): Buffer {
  const rest = ` path=${path}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.from(`${length}${rest}`, 'latin1');
}

const MODE = '0000644\0';
const ZERO_ID = '0000000\0';

function writeHeader(target: Buffer, at: number, path: SplitPath, size: number, type: '0' | 'x'): void {
  if (size > 0o77777777777)
    throw new SeraiError('internal', `a tar entry of ${size} bytes cannot be written`);
  target.write(path.name, at, 'latin1');
  target.write(MODE + ZERO_ID + ZERO_ID, at + 100, 'latin1');
  target.write(octal(size, 11), at + 124, 'latin1');
  target.write(octal(MTIME, 11), at + 136, 'latin1');
  target.write(`        ${type}`, at + 148, 'latin1');
  target.write('ustar\x0000', at + 257, 'latin1');
  target.write(path.prefix, at + 345, 'latin1');
  let sum = 0;
  for (let i = at; i < at + BLOCK; i++) sum += target[i] ?? 0;
  target.write(`${octal(sum, 6)}\0 `, at + 148, 'latin1');
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
