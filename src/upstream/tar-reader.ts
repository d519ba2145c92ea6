/**
 * Reading a tar as its bytes come, without a disk and without streams for each entry. It is our own reader,
 * not tar-stream, because tar-stream reads on behind the end mark, does not show global headers, and lets a
 * pax record override a size in silence (HOSTILE 15); the tests hold the two side by side.
 */
import { SeraiError } from '../errors.ts';
import {
  BLOCK,
  EXTENSION_BYTES,
  isZero,
  malformed,
  parseHeader,
  parseLongName,
  parsePax,
  type TarHeader,
} from './tar-headers.ts';

/** What the reader does with an entry's content: fill this, of the entry's size, or pass over it. */
export type EntryContent = Uint8Array | undefined;

export interface TarEntries {
  /** A header, with its final name. Answers where its content goes. May throw to end the reading. */
  entry(header: TarHeader): EntryContent;
  /** The content that the last `entry` asked for is complete; also for one of no bytes. */
  content(header: TarHeader, bytes: Uint8Array): void;
}

type Part = 'header' | 'content' | 'extension' | 'padding' | 'end';

export class TarReader {
  readonly #entries: TarEntries;
  /** Of a header that comes in more than one piece. */
  readonly #block = Buffer.alloc(BLOCK);
  #part: Part = 'header';
  /** Bytes of the current part so far, and in all. */
  #filled = 0;
  #length = BLOCK;
  #header: TarHeader = { name: '', size: 0, type: '0' };
  #target: EntryContent;
  /** What extended headers say of the entry that comes next. */
  #longName: string | undefined;
  #paxPath: string | undefined;
  #pending = new Set<string>();
  #offset = 0;

  constructor(entries: TarEntries) {
    this.#entries = entries;
  }

  /** Throws `archive-format`, or what `entries` throws. */
  write(bytes: Uint8Array): void {
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < piece.length; ) {
      if (this.#part === 'end') {
        if (!isZero(piece.subarray(at))) throw malformed(this.#offset, 'data follows its end mark');
        return;
      }
      const take = Math.min(piece.length - at, this.#length - this.#filled);
      const end = at + take;
      this.#offset += take;
      if (this.#part === 'header' && take === BLOCK) this.#completeHeader(piece.subarray(at, end));
      else {
        this.#take(piece, at, end);
        if (this.#filled === this.#length) this.#complete();
      }
      at = end;
    }
  }

  /** Throws `upstream-truncated` when the archive is not complete. */
  end(): void {
    if (this.#part === 'end') return;
    if (this.#offset < BLOCK) throw notTar(this.#block.subarray(0, this.#filled));
    throw new SeraiError('upstream-truncated', `the tar ends at byte ${this.#offset}, before its end mark`);
  }

  #take(piece: Buffer, from: number, to: number): void {
    const into = this.#part === 'header' ? this.#block : this.#part === 'padding' ? undefined : this.#target;
    into?.set(piece.subarray(from, to), this.#filled);
    this.#filled += to - from;
  }

  #begin(part: Part, length: number): void {
    this.#part = part;
    this.#filled = 0;
    this.#length = length;
    if (length === 0) this.#complete();
  }

  #complete(): void {
    if (this.#part === 'header') this.#completeHeader(this.#block);
    else if (this.#part === 'padding') this.#begin('header', BLOCK);
    else {
      if (this.#part === 'extension') this.#completeExtension();
      else if (this.#target !== undefined) this.#entries.content(this.#header, this.#target);
      this.#begin('padding', -this.#header.size & (BLOCK - 1));
    }
  }

  #completeHeader(block: Buffer): void {
    const at = this.#offset - BLOCK;
    if (isZero(block)) {
      // A global header alone is what `git archive` makes of an empty tree.
      this.#pending.delete('g');
      if (this.#pending.size > 0) throw malformed(at, 'an extended header has no entry');
      this.#part = 'end';
      return;
    }
    if (at === 0 && !hasMagic(block)) throw notTar(block);
    this.#header = parseHeader(block, at);
    if ('xgLK'.includes(this.#header.type)) this.#beginExtension(at);
    else this.#beginEntry(at);
  }

  #beginExtension(at: number): void {
    const { size, type } = this.#header;
    if (size > EXTENSION_BYTES) throw malformed(at, `an extended header has ${size} bytes`);
    // Two of a kind for one entry, or without end for none: no writer makes them.
    if (this.#pending.has(type)) throw malformed(at, 'an entry has two extended headers of one kind');
    this.#pending.add(type);
    this.#target = new Uint8Array(size);
    this.#begin('extension', size);
  }

  #completeExtension(): void {
    const bytes = this.#target ?? new Uint8Array(0);
    const { type } = this.#header;
    if (type === 'L') this.#longName = parseLongName(bytes);
    if (type === 'x' || type === 'g') this.#paxPath = parsePax(bytes, type, this.#offset) ?? this.#paxPath;
  }

  #beginEntry(at: number): void {
    if (this.#longName !== undefined && this.#paxPath !== undefined)
      throw malformed(at, 'an entry has two long names');
    const name = this.#paxPath ?? this.#longName;
    if (name !== undefined) this.#header = { ...this.#header, name };
    this.#paxPath = undefined;
    this.#longName = undefined;
    this.#pending.clear();
    this.#target = this.#entries.entry(this.#header);
    this.#begin('content', this.#header.size);
  }
}

function hasMagic(block: Uint8Array): boolean {
  return Buffer.from(block.subarray(257, 262)).toString('latin1') === 'ustar';
}

/** First bytes of what is served in place of an index, and what to call it. */
const LOOKS_LIKE: readonly (readonly [RegExp, string])[] = [
  [/^$/, 'it is empty'],
  [/^\s*</, 'it looks like HTML or XML: is the URL that of an opam repository?'],
  [/^\x1f\x8b/, 'it is gzip inside gzip'],
  [/^PK/, 'it looks like a zip file'],
  [/^BZh/, 'it looks like bzip2'],
  [/^\xfd7zXZ/, 'it looks like xz'],
  [/^\x28\xb5\x2f\xfd/, 'it looks like zstd'],
  [/^[\t\n\r\x20-\x7e]+$/, 'it looks like text'],
];

function notTar(start: Uint8Array): SeraiError {
  const text = Buffer.from(start.subarray(0, 64)).toString('latin1');
  const hint = LOOKS_LIKE.find(([pattern]) => pattern.test(text))?.[1] ?? 'it is of no known format';
  return new SeraiError('archive-format', `the index is not a tar: ${hint}`);
}
