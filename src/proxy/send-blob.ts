/** Sending a blob too large for memory, by positional reads into pooled buffers. */
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { BlobHandle } from '../store/blobs.ts';
import { type BufferPool, POOLED_BYTES } from '../store/buffer-pool.ts';
import type { Part } from './respond.ts';
import type { SlowClients } from './slow-clients.ts';

export interface SendBlobOptions {
  readonly buffers: BufferPool;
  readonly slow: SlowClients;
  /** Hashes the whole blob on its way and holds its last buffer back until the hash is known (HOSTILE 25). */
  readonly verify: boolean;
}

/**
 * `sent` when the client has all of the part; `left` when it went away or was too slow; `damaged`, with the
 * connection cut before the last byte, when the blob is too short or, with `verify`, not what its name says.
 */
export type BlobSent = 'sent' | 'left' | 'damaged';

/** Reads ahead of the socket by one buffer. The head has to be written, and `part` to be all with `verify`. */
export async function sendBlob(
  response: ServerResponse,
  handle: BlobHandle,
  part: Part,
  { buffers, slow, verify }: SendBlobOptions,
): Promise<BlobSent> {
  const hash = verify ? createHash('sha256') : undefined;
  const client = new Client(response);
  const late = slow.cutWhenLate(response, POOLED_BYTES);
  let position = part.start;
  let sending: Promise<void> = Promise.resolve();
  try {
    while (position < part.end) {
      const buffer = buffers.take();
      try {
        const count = await handle.read(
          buffer.subarray(0, Math.min(buffer.length, part.end - position)),
          position,
        );
        const bytes = buffer.subarray(0, count);
        position += count;
        hash?.update(bytes);
        if (count === 0 || (position === part.end && hash !== undefined && hash.digest('hex') !== handle.id))
          throw new Damaged();
        await sending;
        late.refresh();
        sending = client.write(bytes).finally(() => buffers.give(buffer));
      } catch (error) {
        buffers.give(buffer);
        throw error;
      }
      // Awaited in the next round; a client that leaves in between is no unhandled rejection.
      sending.catch(() => undefined);
    }
    await sending;
    response.end();
    return 'sent';
  } catch (error) {
    response.destroy();
    if (error instanceof Damaged) return 'damaged';
    if (error instanceof ClientLeft) return 'left';
    throw error;
  } finally {
    clearTimeout(late);
    client.done();
  }
}

class Damaged extends Error {}

class ClientLeft extends Error {}

/** Writes one buffer after the other, and notices when the connection ends. */
class Client {
  readonly #response: ServerResponse;
  #leave: ((error: ClientLeft) => void) | undefined;
  readonly #onClose = (): void => this.#leave?.(new ClientLeft('the client left'));

  constructor(response: ServerResponse) {
    this.#response = response;
    response.once('close', this.#onClose);
  }

  /** Resolves when the socket has taken the bytes; one at a time. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#response.destroyed) {
        reject(new ClientLeft('the client left'));
        return;
      }
      this.#leave = reject;
      this.#response.write(bytes, (error) => {
        if (error) reject(new ClientLeft('the client left', { cause: error }));
        else resolve();
      });
    });
  }

  done(): void {
    this.#response.removeListener('close', this.#onClose);
  }
}
