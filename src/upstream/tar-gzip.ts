/**
 * Decompressing one gzip member, and nothing but one (RFC 1952). Node's own gunzip joins further members to
 * the first and drops what follows as long as it does not look like gzip; both are ways to show two tar
 * programs two archives (HOSTILE 15). So the frame is read here, and zlib sees the deflate data only.
 */
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import { reasonOf, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';

/** Is handed the decompressed bytes, piece by piece; they are its own until it returns. May throw to end it all. */
export type ByteSink = (bytes: Uint8Array) => void;

export type ExpansionLimits = Pick<Limits, 'expansion' | 'tree_content' | 'tree_entries'>;

const MiB = 1024 * 1024;
/** Header, padding and folder entries for each counted entry, generously. */
const TAR_OVERHEAD = 2 * 1024;
/** Real ones have 10 bytes and a file name. */
const GZIP_HEADER_BYTES = 4 * 1024;
const TRAILER_BYTES = 8;
const OUTPUT_PIECE = 128 * 1024;

/** Flags of the gzip header (RFC 1952, 2.3.1). */
const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const RESERVED = 0xe0;

/**
 * Feeds the bytes of `source` to `sink`, decompressed when they begin as gzip does, as they are otherwise.
 * Throws `limit-exceeded` (expansion, or more bytes than a tree within the limits can have),
 * `upstream-truncated`, `archive-format`.
 */
export async function decompress(
  source: AsyncIterable<Uint8Array>,
  sink: ByteSink,
  limits: ExpansionLimits,
): Promise<void> {
  const meter = new ExpansionMeter(limits, sink);
  const member = new GzipMember((bytes) => meter.output(bytes));
  let head: Uint8Array = new Uint8Array(0);
  let format: 'unknown' | 'gzip' | 'plain' = 'unknown';
  try {
    for await (const chunk of source) {
      meter.input(chunk.length);
      let bytes = chunk;
      if (format === 'unknown') {
        head = Buffer.concat([head, chunk]);
        if (head.length < 2) continue;
        format = head[0] === 0x1f && head[1] === 0x8b ? 'gzip' : 'plain';
        bytes = head;
      }
      if (format === 'gzip') await member.write(bytes);
      else meter.output(bytes);
    }
    if (format === 'gzip') member.end();
    if (format === 'unknown') meter.output(head);
  } finally {
    member.destroy();
  }
}

/** Counts both sides, and ends what expands too much. */
class ExpansionMeter {
  readonly #limits: ExpansionLimits;
  readonly #sink: ByteSink;
  #in = 0;
  #out = 0;

  constructor(limits: ExpansionLimits, sink: ByteSink) {
    this.#limits = limits;
    this.#sink = sink;
  }

  input(bytes: number): void {
    this.#in += bytes;
  }

  output(bytes: Uint8Array): void {
    this.#out += bytes.length;
    const { expansion, tree_content, tree_entries } = this.#limits;
    if (this.#out > MiB && this.#out > expansion * this.#in) {
      throw new SeraiError(
        'limit-exceeded',
        `the archive expands to more than limits.expansion = ${expansion} times its ${this.#in} bytes so far; refused`,
      );
    }
    if (this.#out > tree_content + tree_entries * TAR_OVERHEAD + MiB) {
      throw new SeraiError(
        'limit-exceeded',
        `the archive has ${this.#out} bytes decompressed, more than limits.tree_content and limits.tree_entries leave room for; refused`,
      );
    }
    this.#sink(bytes);
  }
}

/** One gzip member: header, deflate data, trailer, and then zeros at most. */
class GzipMember {
  readonly #deflate: DeflateData;
  #part: 'header' | 'data' | 'trailer' = 'header';
  /** Of the header or the trailer, until it is whole. */
  #held: Uint8Array = new Uint8Array(0);
  #crc = 0;
  #size = 0;

  constructor(sink: ByteSink) {
    this.#deflate = new DeflateData((bytes) => {
      this.#crc = crc32(bytes, this.#crc);
      this.#size = (this.#size + bytes.length) % 2 ** 32;
      sink(bytes);
    });
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest: Uint8Array = chunk;
    if (this.#part === 'header') {
      this.#held = Buffer.concat([this.#held, rest]);
      const length = gzipHeaderLength(this.#held);
      if (length === undefined) {
        if (this.#held.length > GZIP_HEADER_BYTES) throw badHeader('is longer than 4 KiB');
        return;
      }
      rest = this.#held.subarray(length);
      this.#held = new Uint8Array(0);
      this.#part = 'data';
    }
    if (this.#part === 'data') {
      const unused = await this.#deflate.write(rest);
      if (unused === 0) return;
      rest = rest.subarray(rest.length - unused);
      this.#part = 'trailer';
    }
    this.#readTrailer(rest);
  }

  /** Throws unless the member is whole and its sums fit. */
  end(): void {
    if (this.#part !== 'trailer' || this.#held.length < TRAILER_BYTES) {
      throw new SeraiError('upstream-truncated', 'the gzip data ends before its end mark');
    }
    const trailer = Buffer.from(this.#held);
    if (trailer.readUInt32LE(0) !== this.#crc || trailer.readUInt32LE(4) !== this.#size) {
      throw new SeraiError(
        'archive-format',
        'the gzip data is damaged: its CRC-32 or its length does not fit',
      );
    }
  }

  destroy(): void {
    this.#deflate.destroy();
  }

  #readTrailer(bytes: Uint8Array): void {
    const missing = TRAILER_BYTES - this.#held.length;
    if (missing > 0) this.#held = Buffer.concat([this.#held, bytes.subarray(0, missing)]);
    const after = bytes.subarray(Math.max(missing, 0));
    const odd = after.findIndex((byte) => byte !== 0);
    if (odd < 0) return;
    const what = after[odd] === 0x1f ? 'a further gzip member, or other data,' : 'data';
    throw new SeraiError('archive-format', `${what} follows the gzip member; an index has to be one member`);
  }
}

/**
 * The raw deflate data inside a member. A piece goes to the sink when zlib's thread has begun with the next one: handed
 * on as it comes, each would wait for the other. One piece waits, or two.
 */
class DeflateData {
  readonly #sink: ByteSink;
  #pieces: Buffer[] = [];
  readonly #inflate: InflateRaw = createInflateRaw({ chunkSize: OUTPUT_PIECE });
  #fed = 0;
  /** Ends the waiting for the write that is under way. */
  #written: () => void = () => {};
  #failure: unknown;

  constructor(sink: ByteSink) {
    this.#sink = sink;
    this.#inflate.on('data', (bytes: Buffer) => {
      if (this.#pieces.length === 0) setImmediate(() => this.#handOn());
      this.#pieces.push(bytes);
    });
    // Neither an error of zlib's nor `destroy` in the middle of a write is sure to call the write back.
    this.#inflate.on('error', (error) => {
      this.#failure ??= new SeraiError('archive-format', `the gzip data is damaged: ${reasonOf(error)}`, {
        cause: error,
      });
    });
    this.#inflate.on('close', () => this.#written());
  }

  /** Feeds a chunk, and answers how many bytes at its end lie behind the deflate data; 0 while it goes on. */
  async write(chunk: Uint8Array): Promise<number> {
    if (chunk.length === 0) return 0;
    this.#fed += chunk.length;
    await new Promise<void>((resolve) => {
      this.#written = resolve;
      this.#inflate.write(chunk, () => resolve());
    });
    while (this.#inflate.readableLength > 0 && !this.#inflate.destroyed) await new Promise(setImmediate);
    this.#handOn();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#fed - this.#inflate.bytesWritten;
  }

  destroy(): void {
    this.#pieces = [];
    this.#inflate.destroy();
  }

  #handOn(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    try {
      for (const piece of pieces) this.#sink(piece);
    } catch (error) {
      this.#failure ??= error;
      this.destroy();
    }
  }
}

/** The bytes of a gzip header, or undefined while there are not enough of them. */
function gzipHeaderLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 10) return undefined;
  const flags = bytes[3] ?? 0;
  if (bytes[2] !== 8) throw badHeader('names a method other than deflate');
  if ((flags & RESERVED) !== 0) throw badHeader('sets reserved flags');
  let at = 10;
  if ((flags & FEXTRA) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const flag of [FNAME, FCOMMENT]) {
    if ((flags & flag) === 0) continue;
    const nul = bytes.indexOf(0, at);
    if (nul < 0) return undefined;
    at = nul + 1;
  }
  if ((flags & FHCRC) !== 0) at += 2;
  return at <= bytes.length ? at : undefined;
}

function badHeader(what: string): SeraiError {
  return new SeraiError('archive-format', `the gzip header ${what}; refused`);
}
