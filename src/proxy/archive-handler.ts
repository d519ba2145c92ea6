/** Answering for archives: from memory, from the store, or fetched on the way. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { SeraiError } from '../errors.ts';
import { type Checksum, type Sha256, showChecksum } from '../hashes.ts';
import type { Limits } from '../limits.ts';
import type { Archives, FoundArchive } from '../mirror/archives.ts';
import type { BlobHandle, Blobs } from '../store/blobs.ts';
import { BufferPool } from '../store/buffer-pool.ts';
import type { Catalogue, ListedArchive } from '../store/catalogue.ts';
import type { Representation } from './conditional.ts';
import { createHotBlobs, HOT_BYTES, type HotBlob } from './hot-blobs.ts';
import { type FixedHeaders, fixedHeaders, sendBlob, sendText, writeHead } from './respond.ts';

/** Bytes under a checksum are the same for ever, whenever they were fetched: 2000-01-01T00:00:00Z. */
const LAST_MODIFIED = 946_684_800_000;

/** Buffers kept for the next large blobs: 16 MiB. */
const POOLED_BUFFERS = 64;

/** A blob's bytes are measured against its name at its first sending, and again after so long: 1 day. */
const VERIFY_AGAIN = 86_400_000;

export interface ArchiveHandlerOptions {
  readonly archives: Archives;
  readonly blobs: Blobs;
  readonly catalogue: Catalogue;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Told while a client waits for a download, so that its silence is not taken for a stall. */
  readonly waiting: (request: IncomingMessage, waits: boolean) => void;
}

export class ArchiveHandler {
  readonly #options: ArchiveHandlerOptions;
  readonly #hot: LRUCache<string, HotBlob>;
  readonly #buffers = new BufferPool(POOLED_BUFFERS);
  readonly #verified = new Map<Sha256, number>();

  constructor(options: ArchiveHandlerOptions) {
    this.#options = options;
    this.#hot = createHotBlobs(options.limits.hot_blobs);
  }

  /** Answers at once when the path is hot; false when it is not. */
  answerHot(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const hot = this.#hot.get(path);
    if (hot === undefined) return false;
    this.#sendHot(hot, request, response);
    return true;
  }

  async answer(
    path: string,
    repository: string,
    checksum: Checksum,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { archives } = this.#options;
    const listed = await archives.listed(repository, checksum);
    if (listed.length === 0) {
      sendText(request, response, 404, `no snapshot of ${repository} lists ${showChecksum(checksum)}`);
      return;
    }
    // A blob that turns out damaged is put aside; the second round fetches it anew.
    for (let round = 0; round < 2; round++) {
      const found =
        (await archives.find(listed)) ?? (await this.#fetch(repository, listed, request, response));
      if (found === undefined) return;
      if (await this.#send(path, found.blob, request, response)) return;
    }
    if (!response.headersSent)
      sendText(request, response, 404, `${showChecksum(checksum)} is damaged in the store`);
  }

  /** Waits for the archive no longer than `miss_wait`; answers 404 itself when it cannot be had. */
  async #fetch(
    repository: string,
    listed: readonly ListedArchive[],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<FoundArchive | undefined> {
    const { archives, clock, limits, waiting } = this.#options;
    const patience = new AbortController();
    waiting(request, true);
    try {
      const download = archives.obtain(repository, listed);
      download.catch(() => undefined);
      const late = clock.sleep(limits.miss_wait, patience.signal).then(() => undefined);
      late.catch(() => undefined);
      const found = await Promise.race([download, late]);
      if (found === undefined)
        sendText(request, response, 404, 'the archive is still being fetched; try again later');
      return found;
    } catch (error) {
      if (!(error instanceof SeraiError)) throw error;
      sendText(request, response, 404, error.message);
      return undefined;
    } finally {
      patience.abort();
      waiting(request, false);
    }
  }

  /** False when the blob is gone or damaged and nothing was sent yet. */
  async #send(
    path: string,
    id: Sha256,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<boolean> {
    const handle = await this.#options.blobs.open(id);
    if (handle === undefined) {
      await this.#options.catalogue.forgetBlob(id);
      return false;
    }
    try {
      const representation = { etag: `"${id}"`, lastModified: LAST_MODIFIED, size: handle.size };
      const fixed = blobHeaders(representation);
      if (handle.size <= HOT_BYTES) {
        const bytes = await readWhole(handle);
        if (bytes === undefined) return await this.#damaged(id);
        const hot = { bytes, representation, fixed };
        this.#hot.set(path, hot);
        this.#sendHot(hot, request, response);
        return true;
      }
      return await this.#sendLarge(handle, representation, fixed, request, response);
    } finally {
      await handle.close();
    }
  }

  async #sendLarge(
    handle: BlobHandle,
    representation: Representation,
    fixed: FixedHeaders,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<boolean> {
    const { blobs, clock } = this.#options;
    const now = clock.now();
    const trusted = now - (this.#verified.get(handle.id) ?? Number.NEGATIVE_INFINITY) < VERIFY_AGAIN;
    // A part alone cannot be measured on its way out, so the whole is measured first.
    if (!trusted && request.headers.range !== undefined) {
      const [digest] = (await blobs.digest(handle.id, ['sha256'])) ?? [];
      if (digest?.hex !== handle.id) return this.#damaged(handle.id);
      this.#verified.set(handle.id, now);
    }
    const part = writeHead(request, response, representation, fixed);
    if (part === undefined) return true;
    const whole = part.start === 0 && part.end === handle.size;
    const verify = whole && !trusted && request.headers.range === undefined;
    const good = await sendBlob(response, handle, part, this.#buffers, verify);
    if (good && verify) this.#verified.set(handle.id, now);
    if (!good) await this.#damaged(handle.id);
    return true;
  }

  #sendHot(hot: HotBlob, request: IncomingMessage, response: ServerResponse): void {
    const part = writeHead(request, response, hot.representation, hot.fixed);
    if (part === undefined) return;
    const whole = part.end - part.start === hot.bytes.length;
    response.end(whole ? hot.bytes : hot.bytes.subarray(part.start, part.end));
  }

  /** Puts a damaged blob aside and records it, so that the next request fetches the archive anew. */
  async #damaged(id: Sha256): Promise<false> {
    const { blobs, catalogue, clock } = this.#options;
    await blobs.quarantine(id);
    await catalogue.forgetBlob(id);
    await catalogue.appendEvent({
      at: clock.now(),
      repository: '',
      kind: 'blob-quarantined',
      detail: JSON.stringify({ blob: id, reason: 'its bytes no longer have its SHA-256' }),
    });
    return false;
  }

  /** Forgets everything that is kept in memory, so that a decision made meanwhile holds at once. */
  forget(): void {
    this.#hot.clear();
  }
}

function blobHeaders(representation: Representation): FixedHeaders {
  return fixedHeaders(representation, 'application/octet-stream', 'public, max-age=31536000, immutable');
}

/** The blob's bytes, or undefined when they are not those of its name. */
async function readWhole(handle: BlobHandle): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafeSlow(handle.size);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await handle.read(bytes.subarray(filled), filled);
    if (count === 0) return undefined;
    filled += count;
  }
  return createHash('sha256').update(bytes).digest('hex') === handle.id ? bytes : undefined;
}
