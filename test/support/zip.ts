/** Zips made byte by byte (APPNOTE.TXT, 4.3), so that a test can have each of them wrong in exactly one place. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name?: string;
  readonly content?: string | Uint8Array;
  /** 8 (deflate) unless given; only 0 and 8 are really done. */
  readonly method?: number;
  /** General purpose bits. */
  readonly flags?: number;
  /** Where the compressed bytes are not those of the content. */
  readonly raw?: Uint8Array;
  /** Unix mode with its kind. */
  readonly mode?: number;
  /** Where the directory says otherwise than what is so. */
  readonly crc?: number;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly offset?: number;
  /** The name in front of the content. */
  readonly localName?: string;
  readonly extra?: Uint8Array;
}

export interface ZipEnd {
  /** Entries that the end record counts. */
  readonly count?: number;
  readonly directoryOffset?: number;
  readonly comment?: string;
  readonly disk?: number;
  /** Put in front of the end record, such as the two records of zip64. */
  readonly before?: (directory: number, directoryEnd: number) => Buffer;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;

interface Placed {
  readonly entry: ZipEntry;
  readonly raw: Uint8Array;
  readonly content: Uint8Array;
  readonly offset: number;
}

/** A whole zip of these entries. */
export function zip(entries: readonly ZipEntry[], end: ZipEnd = {}): Buffer {
  const parts: Buffer[] = [];
  const placed: Placed[] = [];
  let offset = 0;
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '{}');
    const raw = entry.raw ?? ((entry.method ?? 8) === 8 ? deflateRawSync(content) : content);
    const part = { entry, raw, content, offset };
    placed.push(part);
    const local = Buffer.concat([localHeader(part), raw]);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(placed.map(centralHeader));
  const before = end.before?.(offset, offset + directory.length) ?? Buffer.alloc(0);
  const record = endRecord(end, entries.length, directory.length, offset);
  return Buffer.concat([...parts, directory, before, record]);
}

/** Both records of zip64: how many entries there are, and where the directory begins (where it does, if not given). */
export function zip64Records(count: bigint, offset?: bigint): NonNullable<ZipEnd['before']> {
  return (directory, directoryEnd) => {
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(44n, 4);
    record.writeBigUInt64LE(count, 24);
    record.writeBigUInt64LE(count, 32);
    record.writeBigUInt64LE(offset ?? BigInt(directory), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(directoryEnd), 8);
    locator.writeUInt32LE(1, 16);
    return Buffer.concat([record, locator]);
  };
}

/** What both headers of an entry have in common, from the version that is needed on. */
function common({ entry, raw, content }: Placed): Buffer {
  const fields = Buffer.alloc(22);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(entry.flags ?? 0, 2);
  fields.writeUInt16LE(entry.method ?? 8, 4);
  fields.writeUInt32LE(entry.crc ?? crc32(content), 10);
  fields.writeUInt32LE(entry.compressedSize ?? raw.length, 14);
  fields.writeUInt32LE(entry.size ?? content.length, 18);
  return fields;
}

function localHeader(part: Placed): Buffer {
  const name = Buffer.from(part.entry.localName ?? nameOf(part.entry), 'latin1');
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16LE(name.length, 0);
  return Buffer.concat([uint32(LOCAL), common(part), lengths, name]);
}

function centralHeader(part: Placed): Buffer {
  const { entry, offset } = part;
  const name = Buffer.from(nameOf(entry), 'latin1');
  const extra = entry.extra ?? new Uint8Array(0);
  const rest = Buffer.alloc(18);
  rest.writeUInt16LE(name.length, 0);
  rest.writeUInt16LE(extra.length, 2);
  rest.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 10);
  rest.writeUInt32LE(entry.offset ?? offset, 14);
  const madeByUnix = Buffer.from([20, 3]);
  return Buffer.concat([uint32(CENTRAL), madeByUnix, common(part), rest, name, extra]);
}

function endRecord(end: ZipEnd, count: number, directorySize: number, offset: number): Buffer {
  const comment = Buffer.from(end.comment ?? '', 'latin1');
  const fields = Buffer.alloc(18);
  fields.writeUInt16LE(end.disk ?? 0, 0);
  fields.writeUInt16LE(end.count ?? count, 4);
  fields.writeUInt16LE(end.count ?? count, 6);
  fields.writeUInt32LE(directorySize, 8);
  fields.writeUInt32LE(end.directoryOffset ?? offset, 12);
  fields.writeUInt16LE(comment.length, 16);
  return Buffer.concat([uint32(END), fields, comment]);
}

function nameOf(entry: ZipEntry): string {
  return entry.name ?? 'OSEC-2026-01.json';
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
