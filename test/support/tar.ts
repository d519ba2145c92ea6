/** Tars made byte by byte, so that a test can have each of them wrong in exactly one place. */

export interface TarEntry {
  readonly name?: string;
  readonly content?: string | Buffer;
  /** The type flag; `0` unless given. */
  readonly type?: string;
  readonly link?: string;
  /** Where the header's size is not that of the content. */
  readonly size?: number;
  /** Last changes to the header, before (`fields`) and after (`damage`) its checksum is made. */
  readonly fields?: (header: Buffer) => void;
  readonly damage?: (header: Buffer) => void;
}

const BLOCK = 512;

/** The two blocks of zeros that end a tar. */
export const END = Buffer.alloc(2 * BLOCK);

/** One entry: header, content and padding. */
export function entry(given: TarEntry): Buffer {
  const content = Buffer.from(given.content ?? '');
  const header = Buffer.alloc(BLOCK);
  header.write(given.name ?? 'repo', 0, 100, 'latin1');
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${octal(given.size ?? content.length)}\0`, 124);
  header.write(`${octal(0)}\0`, 136);
  header.write(given.type ?? '0', 156, 1, 'latin1');
  header.write(given.link ?? '', 157, 100, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  given.fields?.(header);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  given.damage?.(header);
  return Buffer.concat([header, content, Buffer.alloc(-content.length & (BLOCK - 1))]);
}

/** A whole tar of these entries, with its end mark. */
export function tar(...entries: readonly (TarEntry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map((item) => (Buffer.isBuffer(item) ? item : entry(item))), END]);
}

/** A pax extended header: `x` for the next entry, `g` for all. */
export function pax(records: Readonly<Record<string, string>>, type: 'x' | 'g' = 'x'): Buffer {
  const content = Object.entries(records).map(([key, value]) => paxRecord(key, value));
  return entry({ name: 'PaxHeader', type, content: content.join('') });
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}

/** GNU tar's long name for the next entry. */
export function longName(name: string): Buffer {
  return entry({ name: '././@LongLink', type: 'L', content: `${name}\0` });
}

function octal(size: number): string {
  return size.toString(8).padStart(11, '0');
}

/** The bytes as they may come from a network: in pieces of this size. */
export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
