/**
 * Blobs as files:
 *
 *   DIRECTORY/sha256/XX/HEX   a blob; XX are the first two digits of HEX, the SHA-256 of its bytes
 *   DIRECTORY/tmp/            what is being written (blob-draft.ts has the system calls)
 *   DIRECTORY/quarantine/     HEX.RANDOM, blobs whose bytes no longer matched their name
 *
 * Several processes and threads may open the same directory.
 */
import { createHash, randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type Checksum, type HashKind, parseSha256, type Sha256 } from '../hashes.ts';
import { BlobDraft } from './blob-draft.ts';
import { BlobFile } from './blob-file.ts';
import { nameBlobs, type ReadyBlob } from './blob-names.ts';
import type { BlobHandle, Blobs, PutOptions, StoredBlob } from './blobs.ts';
import { BufferPool } from './buffer-pool.ts';
import { fileFailure } from './file-errors.ts';
import { type FileSystem, makeFolder, nodeFileSystem, syncFolder } from './file-system.ts';
import { Groups } from './groups.ts';
import { HashingWriter } from './hashing-writer.ts';
import { type Owner, sweepTemporaryFiles, temporaryName, thisProcess } from './temporary-files.ts';

export interface FileBlobsOptions {
  /** Milliseconds since the epoch; tells how old another host's temporary files are. */
  readonly clock?: () => number;
  readonly files?: FileSystem;
  /**
   * Milliseconds for which a blob that is on the disk waits for its name at most, while others are being put: those that
   * get their names together share the syncs of their folders, and the transaction of the catalogue that records them.
   */
  readonly patience?: number;
}

/** Where somebody may be waiting for a single blob. */
const PATIENCE = 10;

/** Buffers for writing and measuring blobs: 8 MiB. */
const BUFFERS = 32;

const SHARDS: readonly string[] = Array.from({ length: 256 }, (_, index) =>
  index.toString(16).padStart(2, '0'),
);

/** Makes the folders where they are missing, and sweeps what killed processes left. Throws `store-failed`. */
export async function openFileBlobs(directory: string, options: FileBlobsOptions = {}): Promise<Blobs> {
  const files = options.files ?? nodeFileSystem;
  const owner = thisProcess();
  const folders = layoutOf(directory);
  try {
    await makeFolder(files, directory);
    await files.makeFolder(folders.blobs);
    const there = new Set<string>();
    for await (const name of files.names(folders.blobs)) there.add(name);
    // All at once, so that a put has one folder to sync and never a new folder's parent as well.
    const missing = SHARDS.filter((shard) => !there.has(shard));
    await Promise.all(missing.map((shard) => files.makeFolder(join(folders.blobs, shard))));
    await files.makeFolder(folders.temporary);
    await files.makeFolder(folders.quarantine);
    // Also when they were there: another process may have made them a moment ago.
    await syncFolder(files, folders.blobs);
    await syncFolder(files, directory);
    await sweepTemporaryFiles(files, folders.temporary, owner, (options.clock ?? Date.now)());
  } catch (error) {
    throw fileFailure('open the blobs in', directory, error);
  }
  return new FileBlobs(folders, files, owner, options.patience ?? PATIENCE);
}

interface Layout {
  readonly blobs: string;
  readonly temporary: string;
  readonly quarantine: string;
}

function layoutOf(directory: string): Layout {
  return {
    blobs: join(directory, 'sha256'),
    temporary: join(directory, 'tmp'),
    quarantine: join(directory, 'quarantine'),
  };
}

class FileBlobs implements Blobs {
  readonly #folders: Layout;
  readonly #files: FileSystem;
  readonly #owner: Owner;
  readonly #buffers = new BufferPool(BUFFERS);
  readonly #ready: Groups<ReadyBlob, void>;

  constructor(folders: Layout, files: FileSystem, owner: Owner, patience: number) {
    this.#ready = new Groups((blobs) => nameBlobs(files, blobs), patience);
    this.#folders = folders;
    this.#files = files;
    this.#owner = owner;
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: PutOptions,
  ): Promise<StoredBlob> {
    const path = join(this.#folders.temporary, temporaryName(this.#owner));
    const draft = new BlobDraft(this.#files, path, this.#buffers);
    const writer = new HashingWriter(draft, options);
    const announced = this.#ready.announce();
    let failed = false;
    try {
      for await (const bytes of source) await writer.write(bytes);
      const stored = writer.finish();
      const target = this.#pathOf(stored.id);
      await draft.sync(target, stored.size, () =>
        options.verified?.(stored, async () => {
          const handle = (await this.#openAt(path, stored.id)) ?? (await this.#openAt(target, stored.id));
          if (!failed) return handle;
          // What lies at the target now is another's, and was not measured.
          await handle?.close();
          return undefined;
        }),
      );
      options.synced?.();
      await announced.add({ draft, target });
      return stored;
    } catch (error) {
      failed = true;
      await draft.discard();
      throw error;
    } finally {
      announced.leave();
    }
  }

  open(id: Sha256): Promise<BlobHandle | undefined> {
    return this.#openAt(this.#pathOf(id), id);
  }

  async #openAt(path: string, id: Sha256): Promise<BlobHandle | undefined> {
    const descriptor = await this.#attempt('open', path, () => this.#files.open(path));
    if (descriptor === undefined) return undefined;
    try {
      const { size } = await this.#files.statusOf(descriptor);
      return new BlobFile(this.#files, id, descriptor, size);
    } catch (error) {
      await this.#files.close(descriptor).catch(() => undefined);
      throw fileFailure('open', path, error);
    }
  }

  async size(id: Sha256): Promise<number | undefined> {
    const path = this.#pathOf(id);
    const status = await this.#attempt('look at', path, () => this.#files.status(path));
    return status?.size;
  }

  async digest(id: Sha256, kinds: readonly HashKind[]): Promise<readonly Checksum[] | undefined> {
    const blob = await this.open(id);
    if (blob === undefined) return undefined;
    const buffer = this.#buffers.take();
    try {
      const hashes = kinds.map((kind) => ({ kind, hash: createHash(kind) }));
      let position = 0;
      for (;;) {
        const count = await blob.read(buffer, position);
        if (count === 0) break;
        for (const { hash } of hashes) hash.update(buffer.subarray(0, count));
        position += count;
      }
      return hashes.map(({ kind, hash }) => ({ kind, hex: hash.digest('hex') }));
    } finally {
      this.#buffers.give(buffer);
      await blob.close();
    }
  }

  async delete(id: Sha256): Promise<boolean> {
    const path = this.#pathOf(id);
    return this.#attempt('delete', path, async () => {
      const removed = await this.#files.remove(path);
      if (removed) await syncFolder(this.#files, dirname(path));
      return removed;
    });
  }

  async quarantine(id: Sha256): Promise<void> {
    const path = this.#pathOf(id);
    // A blob that was fetched anew may spoil again: both are kept.
    const aside = join(this.#folders.quarantine, `${id}.${randomBytes(4).toString('hex')}`);
    await this.#attempt('quarantine', path, async () => {
      if (!(await this.#files.rename(path, aside))) return;
      await syncFolder(this.#files, this.#folders.quarantine);
      await syncFolder(this.#files, dirname(path));
    });
  }

  async *list(): AsyncGenerator<{ readonly id: Sha256; readonly size: number }> {
    for (const shard of SHARDS) {
      const folder = join(this.#folders.blobs, shard);
      try {
        for await (const name of this.#files.names(folder)) {
          const id = parseSha256(name);
          if (id === undefined || !id.startsWith(shard)) continue;
          const status = await this.#files.status(join(folder, name));
          if (status?.isFile === true) yield { id, size: status.size };
        }
      } catch (error) {
        throw fileFailure('list', folder, error);
      }
    }
  }

  #pathOf(id: Sha256): string {
    return join(this.#folders.blobs, id.slice(0, 2), id);
  }

  async #attempt<T>(doing: string, path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw fileFailure(doing, path, error);
    }
  }
}
