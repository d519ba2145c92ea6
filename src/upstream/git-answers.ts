/**
 * The answers of `git cat-file --batch-command`, from the pieces in which they arrive. Each byte is copied
 * once, from its piece to its object; nothing is held but the batch that is arriving. Objects of a batch share one
 * buffer: whoever keeps one for long copies it.
 */
import { SeraiError } from '../errors.ts';

export interface Answer {
  readonly type: string;
  /** In bytes. */
  readonly size: number;
  /** Empty for `info`. */
  readonly bytes: Uint8Array;
}

/** Questions that are asked, and answered, together. */
export interface Batch {
  readonly command: 'info' | 'contents';
  readonly oids: readonly string[];
  /** For `contents`: the bytes that each object must have. */
  readonly sizes: readonly number[];
}

interface Waiting {
  readonly batch: Batch;
  readonly answers: (Answer | undefined)[];
  /** Of all objects of the batch, one behind the other: a buffer for each took longer than to read it. */
  readonly bytes: Uint8Array;
  filled: number;
  readonly resolve: (answers: readonly (Answer | undefined)[]) => void;
  readonly reject: (error: SeraiError) => void;
}

const LINE_FEED = 0x0a;
/** `<oid> <type> <size>`: 64, 6 and 20 characters at most. */
const HEADER_BYTES = 128;
const HEADER = /^([0-9a-f]{40,64}) (?:(missing)|(blob|tree|commit|tag) ([0-9]{1,15}))$/;
const NO_BYTES = new Uint8Array(0);

/** The questions' text, as cat-file reads it; `flush` makes it answer at once. */
export function questionsOf(batch: Batch): string {
  return `${batch.oids.map((oid) => `${batch.command} ${oid}\n`).join('')}flush\n`;
}

export class AnswerParser {
  readonly #waiting: Waiting[] = [];
  #header = '';
  #object: { readonly type: string; readonly bytes: Uint8Array; filled: number } | undefined;

  /** The answers to a batch that has just been asked; undefined for an object that is missing. */
  expect(batch: Batch): Promise<readonly (Answer | undefined)[]> {
    return new Promise((resolve, reject) => {
      if (batch.oids.length === 0) resolve([]);
      else {
        const bytes = new Uint8Array(batch.sizes.reduce((sum, size) => sum + size, 0));
        this.#waiting.push({ batch, answers: [], bytes, filled: 0, resolve, reject });
      }
    });
  }

  /** Throws `store-corrupt` for an answer that does not fit its question; nothing after it can be trusted. */
  take(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; )
      at = this.#object ? this.#takeBody(piece, at) : this.#takeHeader(piece, at);
  }

  /** Rejects all that is still waited for. */
  fail(error: SeraiError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #takeHeader(piece: Uint8Array, start: number): number {
    const end = piece.indexOf(LINE_FEED, start);
    const text = latin1(piece.subarray(start, end < 0 ? piece.length : end));
    this.#header += text;
    if (this.#header.length > HEADER_BYTES) throw unexpected(this.#header);
    if (end < 0) return piece.length;
    const head = this.#waiting[0];
    const index = head?.answers.length ?? 0;
    const { oid, missing, type, size } = readHeader(this.#header, head?.batch, index);
    if (head === undefined || oid === undefined || oid !== head.batch.oids[index])
      throw unexpected(this.#header);
    this.#header = '';
    if (missing) this.#answered(undefined);
    else if (head.batch.command === 'info') this.#answered({ type, size, bytes: NO_BYTES });
    else if (size !== head.batch.sizes[index]) throw otherSize(oid, size, head.batch.sizes[index]);
    else {
      this.#object = { type, bytes: head.bytes.subarray(head.filled, head.filled + size), filled: 0 };
      head.filled += size;
    }
    return end + 1;
  }

  /** The object's bytes, and the line feed after them. */
  #takeBody(piece: Uint8Array, start: number): number {
    const object = this.#object;
    if (object === undefined) return start;
    const { type, bytes } = object;
    const end = Math.min(piece.length, start + bytes.length - object.filled);
    bytes.set(piece.subarray(start, end), object.filled);
    object.filled += end - start;
    if (end === piece.length) return end;
    if (piece[end] !== LINE_FEED) throw unexpected('no line feed after an object');
    this.#object = undefined;
    this.#answered({ type, size: bytes.length, bytes });
    return end + 1;
  }

  #answered(answer: Answer | undefined): void {
    const head = this.#waiting[0];
    if (head === undefined) return;
    head.answers.push(answer);
    if (head.answers.length < head.batch.oids.length) return;
    this.#waiting.shift();
    head.resolve(head.answers);
  }
}

interface Header {
  readonly oid: string | undefined;
  readonly missing: boolean;
  readonly type: string;
  readonly size: number;
}

/** Nearly every header is the one that was expected, and need not be taken apart. */
function readHeader(text: string, batch: Batch | undefined, index: number): Header {
  const [expected, expectedSize] = [batch?.oids[index], batch?.sizes[index]];
  if (expectedSize !== undefined && text === `${expected} blob ${expectedSize}`)
    return { oid: expected, missing: false, type: 'blob', size: expectedSize };
  const [, oid, missing, type = '', digits] = HEADER.exec(text) ?? [];
  return { oid, missing: missing !== undefined, type, size: Number(digits) };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function unexpected(text: string): SeraiError {
  return new SeraiError(
    'store-corrupt',
    `git cat-file answered ${JSON.stringify(text.slice(0, HEADER_BYTES))}`,
  );
}

function otherSize(oid: string, size: number, expected: number | undefined): SeraiError {
  return new SeraiError(
    'store-corrupt',
    `the object ${oid} has ${size} bytes, and ${expected} were expected`,
  );
}
