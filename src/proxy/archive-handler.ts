/** Answering for archives: from memory, from the store, or fetched on the way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { asSeraiError, SeraiError } from '../errors.ts';
import { type Checksum, type Sha256, showChecksum } from '../hashes.ts';
import type { Limits } from '../limits.ts';
import type { Archives } from '../mirror/archives/archives.ts';
import type { BlobKeepers } from '../mirror/archives/damaged-blobs.ts';
import type { ComingArchive, FoundArchive } from '../mirror/archives/found-archive.ts';
import { Gate } from '../mirror/archives/gate.ts';
import type { ServedIndexes } from '../mirror/served-index.ts';
import type { BlobHandle } from '../store/blobs.ts';
import { BufferPool } from '../store/buffer-pool.ts';
import type { ListedArchive } from '../store/catalogue.ts';
import type { Representation } from './conditional.ts';
import { type HotBlob, HotBlobs, readWhole, SMALL_BLOB_BYTES } from './hot-blobs.ts';
import { decideRequest, type FixedHeaders, fixedHeaders, sendText, writeHead } from './respond.ts';
import { sendBlob } from './send-blob.ts';
import type { SlowClients } from './slow-clients.ts';
import type { StoreWatch } from './store-watch.ts';
import { VerifiedBlobs } from './verified-blobs.ts';

/** Bytes under a checksum are the same for ever, whenever they were fetched: 2000-01-01T00:00:00Z. */
const LAST_MODIFIED = 946_684_800_000;

/** Buffers for large blobs: 16 MiB. */
const POOLED_BUFFERS = 64;

/**
 * Times that an archive is looked up for one request. A blob that turns out damaged is put aside, and the
 * next round fetches it anew.
 */
const ROUNDS = 4;

/** Small blobs read into memory at the same time: at most as many MiB. */
const LOADS = 16;

export interface ArchiveHandlerOptions extends BlobKeepers {
  readonly archives: Archives;
  readonly served: ServedIndexes;
  readonly watch: StoreWatch;
  readonly limits: Limits;
  readonly slow: SlowClients;
  /** Told while a client waits for a download, so that its silence is not taken for a stall. */
  readonly waiting: (request: IncomingMessage, waits: boolean) => void;
  /** Told what is the operator's business and not the client's. */
  readonly report: (error: SeraiError) => void;
}

/** A path, and the generation of what is in memory when it was looked up what it is answered with. */
interface AskedPath {
  readonly path: string;
  readonly generation: number;
}

export class ArchiveHandler {
  readonly #options: ArchiveHandlerOptions;
  readonly #hot: HotBlobs;
  readonly #verified: VerifiedBlobs;
  readonly #buffers = new BufferPool(POOLED_BUFFERS);
  readonly #loads = new Gate(LOADS);
  /** One at a time: meanwhile others are sent from the disk. */
  #loadsLarge = false;
  readonly #loading = new Map<Sha256, Promise<HotBlob | undefined>>();

  constructor(options: ArchiveHandlerOptions) {
    this.#options = options;
    this.#hot = new HotBlobs(options.limits.hot_blobs);
    this.#verified = new VerifiedBlobs(options);
  }

  /** Answers at once when the path is hot; false when it is not. */
  answerHot(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const hot = this.#hot.at(path);
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
    const known = this.#hot.idAt(path);
    const asked = { path, generation: this.#hot.generation };
    if (known !== undefined && (await this.#send(asked, known, request, response))) return;
    const { archives, served } = this.#options;
    for (let round = 0; round < ROUNDS; round++) {
      const { generation } = this.#hot;
      const listed = await served.answerable(repository, await archives.listed(repository, checksum));
      if (listed.length === 0) {
        sendText(request, response, 404, `no snapshot of ${repository} lists ${showChecksum(checksum)}`);
        return;
      }
      const found =
        (await archives.find(listed)) ?? (await this.#fetch(repository, listed, request, response));
      if (found === undefined || response.destroyed) return;
      if (found.measured === true) {
        this.#verified.trust(found.blob);
        // What was measured is not what lies at its place then.
        found.coming?.kept.catch(() => this.#verified.distrust(found.blob));
      }
      if (await this.#send({ path, generation }, found.blob, request, response, found.coming)) return;
    }
    sendText(request, response, 404, `${showChecksum(checksum)} could not be read back; try again later`);
  }

  /** Waits for the archive no longer than `miss_wait`; answers 404 itself when it cannot be had. */
  async #fetch(
    repository: string,
    listed: readonly ListedArchive[],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<FoundArchive | undefined> {
    const { archives, clock, limits, waiting, report } = this.#options;
    const patience = new AbortController();
    waiting(request, true);
    try {
      // What is verified is sent while it is still on its way to the disk.
      const download = archives.obtain(repository, listed, 'verified');
      // When the client's patience ends first, nobody listens any more.
      download.catch(() => undefined);
      const late = clock.sleep(limits.miss_wait, patience.signal).then(() => undefined);
      late.catch(() => undefined);
      const found = await Promise.race([download, late]);
      if (found === undefined)
        sendText(request, response, 404, 'the archive is still being fetched; try again later');
      found?.coming?.kept.catch((error: unknown) =>
        report(asSeraiError(error, 'internal', 'keeping an archive')),
      );
      return found;
    } catch (error) {
      if (!(error instanceof SeraiError) || error.code === 'internal') throw error;
      if (error.code !== 'store-failed' && error.code !== 'store-corrupt') {
        sendText(request, response, 404, error.message);
        return undefined;
      }
      // A client asks the archive's own source after a 404, and asks here again after a 5xx (OPAM-CLIENT).
      report(error);
      sendText(request, response, 404, 'the mirror cannot keep the archive now; its log tells more');
      return undefined;
    } finally {
      patience.abort();
      waiting(request, false);
    }
  }

  /**
   * Whether what was looked up may be sent: while a client waited for it, it may have been withdrawn, by whichever
   * process (HOSTILE 6, 27).
   */
  async #holds({ generation }: AskedPath): Promise<boolean> {
    const { watch } = this.#options;
    if (!watch.isUpToDate && !(await watch.catchUp())) return false;
    return generation === this.#hot.generation;
  }

  /** False when nothing was sent yet: the blob is gone or damaged, or there was a publication since it was looked up. */
  async #send(
    asked: AskedPath,
    id: Sha256,
    request: IncomingMessage,
    response: ServerResponse,
    coming?: ComingArchive,
  ): Promise<boolean> {
    const hot = this.#hot.get(id) ?? (await this.#loading.get(id));
    if (hot !== undefined) return await this.#sendFirst(asked, hot, request, response);
    const handle = await (coming === undefined ? this.#options.blobs.open(id) : coming.open());
    if (handle === undefined) {
      this.#hot.forgetPath(asked.path);
      if (coming === undefined) await this.#options.catalogue.forgetBlob(id);
      return false;
    }
    try {
      if (!this.#isLoaded(asked.path, handle))
        return await this.#sendFromDisk(asked, handle, request, response);
      const loaded = await this.#load(handle);
      return loaded !== undefined && (await this.#sendFirst(asked, loaded, request, response));
    } finally {
      await handle.close();
    }
  }

  /**
   * A small blob is loaded when it is asked for, a large one when this path was answered with it before, while there
   * is room for it. While clients hold too much in memory, none is. A small one that has to be measured is loaded for
   * that: so nothing of it is sent before it is known to be right.
   */
  #isLoaded(path: string, { id, size }: BlobHandle): boolean {
    if (this.#options.slow.full) return false;
    if (size <= SMALL_BLOB_BYTES) return !this.#verified.trusts(id) || this.#hot.wants(size);
    return !this.#loadsLarge && this.#hot.idAt(path) === id && this.#hot.wants(size);
  }

  /** Verified and read into memory once for all who ask at the same time; undefined when it is damaged. */
  #load(handle: BlobHandle): Promise<HotBlob | undefined> {
    const { id, size } = handle;
    let loading = this.#loading.get(id);
    if (loading === undefined) {
      const reading =
        size > SMALL_BLOB_BYTES ? this.#readLarge(handle) : this.#loads.run(() => this.#read(handle));
      loading = reading.finally(() => this.#loading.delete(id));
      this.#loading.set(id, loading);
    }
    return loading;
  }

  async #readLarge(handle: BlobHandle): Promise<HotBlob | undefined> {
    this.#loadsLarge = true;
    try {
      return await this.#read(handle);
    } finally {
      this.#loadsLarge = false;
    }
  }

  async #read(handle: BlobHandle): Promise<HotBlob | undefined> {
    const bytes = await readWhole(handle);
    if (bytes === undefined) {
      await this.#verified.measure(handle.id);
      return undefined;
    }
    this.#verified.trust(handle.id);
    const hot = { id: handle.id, bytes, ...headersOf(handle) };
    this.#hot.keep(hot);
    return hot;
  }

  /** As `#send`. */
  async #sendFromDisk(
    asked: AskedPath,
    handle: BlobHandle,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<boolean> {
    const { representation, fixed } = headersOf(handle);
    const decision = decideRequest(request, representation);
    // A part alone cannot be measured on its way out, so the whole is measured first.
    if (decision.status === 206 && !this.#verified.trusts(handle.id)) {
      if (!(await this.#verified.measure(handle.id))) return false;
    }
    if (!(await this.#holds(asked))) return false;
    this.#hot.rememberPath(asked.path, handle.id, asked.generation);
    const part = writeHead(request, response, decision, representation, fixed);
    if (part === undefined) return true;
    const verify = decision.status === 200 && !this.#verified.trusts(handle.id);
    const { slow } = this.#options;
    const sent = await sendBlob(response, handle, part, { buffers: this.#buffers, slow, verify });
    if (sent === 'sent' && verify) this.#verified.trust(handle.id);
    if (sent === 'damaged') await this.#verified.measure(handle.id);
    return true;
  }

  async #sendFirst(
    asked: AskedPath,
    hot: HotBlob,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<boolean> {
    if (!(await this.#holds(asked))) return false;
    this.#hot.rememberPath(asked.path, hot.id, asked.generation);
    this.#sendHot(hot, request, response);
    return true;
  }

  #sendHot(hot: HotBlob, request: IncomingMessage, response: ServerResponse): void {
    const decision = decideRequest(request, hot.representation);
    const part = writeHead(request, response, decision, hot.representation, hot.fixed);
    if (part === undefined) return;
    const whole = part.end - part.start === hot.bytes.length;
    response.end(whole ? hot.bytes : hot.bytes.subarray(part.start, part.end));
    this.#options.slow.ended(response, hot.bytes);
  }

  /** Forgets what any path is answered with, so that a decision made meanwhile holds at once. */
  forget(): void {
    this.#hot.forgetPaths();
  }
}

function headersOf({ id, size }: { readonly id: Sha256; readonly size: number }): {
  readonly representation: Representation;
  readonly fixed: FixedHeaders;
} {
  const representation = { etag: `"${id}"`, lastModified: LAST_MODIFIED, size };
  const cacheControl = 'public, max-age=31536000, immutable';
  return { representation, fixed: fixedHeaders(representation, 'application/octet-stream', cacheControl) };
}
