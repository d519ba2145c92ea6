/**
 * One plain gzip member (RFC 1952) made of pieces that were deflated apart: each piece ends at a byte border
 * with a full flush, so pieces can be put one behind the other in any selection.
 */
import { constants, crc32, createDeflateRaw, type DeflateRaw, deflateRawSync } from 'node:zlib';

/** No name, no time, "unknown" system: nothing of the machine. */
export const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

export interface DeflatedPiece {
  readonly deflated: Buffer;
  readonly rawLength: number;
  readonly crc32: number;
}

/** Deflations under way at once; each holds a piece's raw bytes. Node has four threads for them. */
const DEFLATIONS = 4;
/** Bytes of output that come from zlib at once: nearly all pieces in one go. */
const CHUNK = 64 * 1024;

/**
 * Pieces that are compressed beside one another, on the thread pool, so many that memory stays bounded. Streams are
 * used again: to begin one is to get 268 KiB from the system and give them back, which took as long as a small piece.
 */
export class Deflations {
  readonly #idle: Deflater[] = [];
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  /** Resolves once there is room for another; `done` is called when the piece is deflated. */
  async add(raw: Buffer, done: (piece: DeflatedPiece) => void): Promise<void> {
    const deflater = this.#idle.pop() ?? new Deflater();
    const deflation: Promise<void> = deflater
      .deflate(raw)
      .then(
        (deflated) => {
          this.#idle.push(deflater);
          done({ deflated, rawLength: raw.length, crc32: crc32(raw) });
        },
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => this.#running.delete(deflation));
    this.#running.add(deflation);
    if (this.#running.size >= DEFLATIONS) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when all are deflated; throws what made one fail. */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    for (const deflater of this.#idle.splice(0)) deflater.close();
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** One stream, one piece after the other: each gives the bytes that a stream of its own would. */
class Deflater {
  readonly #stream: DeflateRaw = createDeflateRaw({
    level: 6,
    flush: constants.Z_FULL_FLUSH,
    chunkSize: CHUNK,
  });
  #chunks: Buffer[] = [];
  #used = false;

  constructor() {
    this.#stream.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
  }

  deflate(raw: Buffer): Promise<Buffer> {
    if (this.#used) this.#stream.reset();
    this.#used = true;
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject);
      this.#stream.write(raw, (error) => {
        this.#stream.removeListener('error', reject);
        if (error) {
          reject(error);
          return;
        }
        // What was not handed over yet is handed over here.
        while (this.#stream.read() !== null);
        resolve(Buffer.concat(this.#chunks.splice(0)));
      });
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}

/** One piece alone. */
export async function deflatePiece(raw: Buffer): Promise<DeflatedPiece> {
  const deflater = new Deflater();
  try {
    return { deflated: await deflater.deflate(raw), rawLength: raw.length, crc32: crc32(raw) };
  } finally {
    deflater.close();
  }
}

/** What follows the last piece: `tail` as the final block, CRC-32 and length modulo 2^32 of everything. */
export function gzipTrailer(
  pieces: readonly { readonly rawLength: number; readonly crc32: number }[],
  tail: Buffer,
): Buffer {
  let crc = 0;
  let length = 0;
  for (const piece of [...pieces, { rawLength: tail.length, crc32: crc32(tail) }]) {
    crc = combineCrc32(crc, piece.crc32, piece.rawLength);
    length += piece.rawLength;
  }
  const sums = Buffer.alloc(8);
  sums.writeUInt32LE(crc, 0);
  sums.writeUInt32LE(length % 2 ** 32, 4);
  return Buffer.concat([deflateRawSync(tail), sums]);
}

/**
 * The CRC-32 of `first ∥ second` from both CRCs and the second's length: a CRC is linear over GF(2), so
 * appending n zero bytes is a 32×32 matrix to the power of n.
 */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  let crc = first;
  for (let power = 0, rest = secondLength; rest > 0; power++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) crc = multiply(zeroBytes(power), crc);
  }
  return (crc ^ second) >>> 0;
}

type Matrix = Uint32Array;

const ZERO_BYTE_POWERS: Matrix[] = [];

/** The matrix of appending 2^power zero bytes. */
function zeroBytes(power: number): Matrix {
  let known = ZERO_BYTE_POWERS[power];
  if (known === undefined) {
    known = power === 0 ? oneZeroByte() : square(zeroBytes(power - 1));
    ZERO_BYTE_POWERS[power] = known;
  }
  return known;
}

/** One zero bit, squared three times. The reflected polynomial is that of RFC 1952, section 8. */
function oneZeroByte(): Matrix {
  const bit = new Uint32Array(32);
  bit[0] = 0xedb88320;
  for (let row = 1; row < 32; row++) bit[row] = 2 ** (row - 1);
  return square(square(square(bit)));
}

function square(matrix: Matrix): Matrix {
  return matrix.map((row) => multiply(matrix, row));
}

function multiply(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let row = 0, rest = vector; rest !== 0; row++, rest >>>= 1) {
    if ((rest & 1) === 1) sum ^= matrix[row] ?? 0;
  }
  return sum >>> 0;
}
