/** Measures bytes on their way to a sink and holds them to what was promised of them. */
import { createHash, type Hash } from 'node:crypto';
import { SeraiError } from '../errors.ts';
import { type Checksum, type HashKind, parseSha256, showChecksum } from '../hashes.ts';
import type { PutOptions, StoredBlob } from './blobs.ts';

export interface Sink {
  /** Takes all of `bytes`; they may be reused by their owner as soon as the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

export class HashingWriter {
  readonly #sink: Sink;
  readonly #options: PutOptions;
  readonly #kinds: ReadonlySet<HashKind>;
  /** Made with the first bytes: thousands may wait for their turn to be downloaded. */
  #hashes: ReadonlyMap<HashKind, Hash> | undefined;
  #size = 0;

  constructor(sink: Sink, options: PutOptions) {
    this.#sink = sink;
    this.#options = options;
    const kinds = new Set<HashKind>(['sha256', ...(options.kinds ?? [])]);
    for (const checksum of options.expected ?? []) kinds.add(checksum.kind);
    this.#kinds = kinds;
  }

  get #measures(): ReadonlyMap<HashKind, Hash> {
    this.#hashes ??= new Map([...this.#kinds].map((kind) => [kind, createHash(kind)]));
    return this.#hashes;
  }

  /** Refuses with `limit-exceeded` or `checksum-mismatch` before a byte too many reaches the sink. */
  async write(bytes: Uint8Array): Promise<void> {
    const { maxBytes, exactBytes } = this.#options;
    this.#size += bytes.length;
    if (this.#size > maxBytes) {
      throw new SeraiError(
        'limit-exceeded',
        `more than the ${maxBytes} bytes that are allowed; nothing kept`,
      );
    }
    if (exactBytes !== undefined && this.#size > exactBytes) {
      throw new SeraiError('checksum-mismatch', `more than the declared ${exactBytes} bytes; nothing kept`);
    }
    const written = this.#sink.write(bytes);
    try {
      for (const hash of this.#measures.values()) hash.update(bytes);
    } finally {
      await written;
    }
  }

  /** What was written; throws `checksum-mismatch` unless size and every digest are as promised. */
  finish(): StoredBlob {
    const { exactBytes, expected } = this.#options;
    if (exactBytes !== undefined && this.#size !== exactBytes) {
      throw new SeraiError(
        'checksum-mismatch',
        `${this.#size} bytes where ${exactBytes} are declared; nothing kept`,
      );
    }
    const digests = [...this.#measures].map(([kind, hash]): Checksum => ({ kind, hex: hash.digest('hex') }));
    for (const wanted of expected ?? []) {
      const measured = digests.find((digest) => digest.kind === wanted.kind);
      if (measured === undefined || measured.hex !== wanted.hex) {
        throw new SeraiError(
          'checksum-mismatch',
          `the bytes do not have ${showChecksum(wanted)}${
            measured === undefined ? '' : ` but ${showChecksum(measured)}`
          }; nothing kept`,
        );
      }
    }
    const id = parseSha256(digests.find((digest) => digest.kind === 'sha256')?.hex ?? '');
    if (id === undefined) throw new SeraiError('internal', 'the SHA-256 of the bytes was not measured');
    return { id, size: this.#size, digests };
  }
}
