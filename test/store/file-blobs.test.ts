/** Blobs as files: the promises of the seam, and what is this engine's own. */
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sha256 } from '../../src/hashes.ts';
import type { BlobHandle } from '../../src/store/blobs.ts';
import { openFileBlobs } from '../../src/store/file-blobs.ts';
import { nodeFileSystem } from '../../src/store/file-system.ts';
import { testBlobs } from '../support/blobs-conformance.ts';
import { bytesOf, listOf } from '../support/store-blobs-reading.ts';
import { canMountDisks, makeTestFolder, mountTinyDisk, type TestFolder } from '../support/store-folders.ts';
import { SAMPLE_BYTES, SAMPLE_ID, sampleChunks, sha256Of } from '../support/store-samples.ts';
import { systemError, watchedFiles } from '../support/store-watched-files.ts';

const LIMIT = { maxBytes: 1_000_000 };

function pathOf(directory: string, id: Sha256): string {
  return join(directory, 'sha256', id.slice(0, 2), id);
}

testBlobs('openFileBlobs', async () => {
  const folder = await makeTestFolder();
  const directory = join(folder.path, 'data', 'blobs');
  return {
    blobs: await openFileBlobs(directory),
    again: () => openFileBlobs(directory),
    leftovers: () => readdir(join(directory, 'tmp')),
    damage: async (id, bytes) => {
      await chmod(pathOf(directory, id), 0o644);
      await writeFile(pathOf(directory, id), bytes);
    },
    remove: folder.remove,
  };
});

describe('openFileBlobs', () => {
  let folder: TestFolder;
  let directory: string;

  beforeEach(async () => {
    folder = await makeTestFolder();
    directory = join(folder.path, 'blobs');
  });
  afterEach(() => folder.remove());

  function leftovers(): Promise<string[]> {
    return readdir(join(directory, 'tmp'));
  }

  it('keeps a blob as a read-only file under its hash', async () => {
    const blobs = await openFileBlobs(directory);
    await blobs.put(sampleChunks(), LIMIT);
    expect(new Uint8Array(await readFile(pathOf(directory, SAMPLE_ID)))).toEqual(SAMPLE_BYTES);
    expect((await stat(pathOf(directory, SAMPLE_ID))).mode & 0o777).toBe(0o444);
  });

  it('makes its folders once, and looks whether they are there with one call', async () => {
    const counts: number[] = [];
    for (let round = 0; round < 2; round++) {
      const operations: string[] = [];
      await openFileBlobs(join(directory, 'anew'), {
        files: watchedFiles((operation) => operations.push(operation)),
      });
      counts.push(operations.filter((operation) => operation === 'makeFolder').length);
    }
    // The folders of all first two digits, and those that they stand in.
    expect(counts).toEqual([expect.any(Number), 3]);
    expect(counts[0]).toBeGreaterThan(256);
  });

  it('makes the system calls of a put in the order that it promises', async () => {
    const operations: string[] = [];
    const blobs = await openFileBlobs(directory, {
      files: watchedFiles((operation) => operations.push(operation)),
    });
    const name = 'openFolder sync close';
    const puts: readonly (readonly [Uint8Array, string])[] = [
      // More than one buffer: written as it comes.
      [SAMPLE_BYTES, `create write status write sync close rename ${name}`],
      [SAMPLE_BYTES, `create write status close remove ${name}`],
      [Buffer.from('small'), `status create write sync close rename ${name}`],
      [Buffer.from('small'), `status ${name}`],
      [Buffer.from(''), `status create sync close rename ${name}`],
    ];
    for (const [bytes, expected] of puts) {
      operations.length = 0;
      await blobs.put([bytes], LIMIT);
      expect(operations.join(' ')).toBe(expected);
    }
  });

  it('can be read as soon as it is verified, before it is synced, and after it has its name', async () => {
    const operations: string[] = [];
    const blobs = await openFileBlobs(directory, {
      files: watchedFiles((operation) => operations.push(operation)),
    });
    for (const bytes of [SAMPLE_BYTES, Buffer.from('small'), Buffer.from('')]) {
      operations.length = 0;
      let told = '';
      let early: BlobHandle | undefined;
      let openLate: () => Promise<BlobHandle | undefined> = async () => undefined;
      let opening: Promise<unknown> = Promise.resolve();
      const stored = await blobs.put([bytes], {
        ...LIMIT,
        verified: (blob, open) => {
          told = blob.id;
          expect(operations).not.toContain('sync');
          openLate = open;
          opening = open().then((handle) => {
            early = handle;
          });
        },
      });
      await opening;
      expect(told).toBe(stored.id);
      const late = await openLate();
      for (const handle of [early, late]) {
        const read = Buffer.alloc(bytes.length);
        expect(await handle?.read(read, 0)).toBe(bytes.length);
        expect(read.equals(bytes)).toBe(true);
        await handle?.close();
      }
    }
  });

  it('is not told as verified when other bytes were there before, or when its own are wrong', async () => {
    const blobs = await openFileBlobs(directory);
    const told: string[] = [];
    const verified = ({ id }: { readonly id: string }): void => void told.push(id);
    await blobs.put(sampleChunks(), LIMIT);
    await blobs.put(sampleChunks(), { ...LIMIT, verified });
    const expected = [{ kind: 'sha256', hex: sha256Of('other') }] as const;
    await expect(blobs.put([Buffer.from('text')], { ...LIMIT, expected, verified })).rejects.toMatchObject({
      code: 'checksum-mismatch',
    });
    expect(told).toEqual([]);
  });

  it('cannot be opened any more once its put has failed', async () => {
    let open: () => Promise<BlobHandle | undefined> = () => Promise.reject(new Error('not told'));
    const blobs = await openFileBlobs(directory, {
      files: watchedFiles((operation) => {
        if (operation === 'rename') throw systemError('EIO');
      }),
    });
    const put = blobs.put([Buffer.from('text')], {
      ...LIMIT,
      verified: (_blob, early) => {
        open = early;
      },
    });
    await expect(put).rejects.toMatchObject({ code: 'store-failed' });
    expect(await open()).toBeUndefined();
  });

  it('leaves nothing behind, whichever operation of a put fails', async () => {
    let step = 0;
    let failed = true;
    for (; failed; step++) {
      const place = join(directory, String(step));
      let left = Number.POSITIVE_INFINITY;
      const files = watchedFiles(() => {
        left -= 1;
        if (left === 0) throw systemError('EIO');
      });
      const blobs = await openFileBlobs(place, { files });
      left = step + 1;
      const outcome = await blobs.put(sampleChunks(), LIMIT).catch((error: unknown) => error);
      failed = outcome instanceof Error;
      if (failed) expect(outcome).toMatchObject({ code: 'store-failed', cause: { code: 'EIO' } });
      left = Number.POSITIVE_INFINITY;
      expect(await readdir(join(place, 'tmp'))).toEqual([]);
      // After the rename only the folder is left to sync: the blob is whole, and is told as failed.
      const visible = await listOf(blobs);
      expect(visible).toEqual(step < 7 ? [] : [[SAMPLE_ID, SAMPLE_BYTES.length]]);
      await blobs.put(sampleChunks(), LIMIT);
      expect(await bytesOf(blobs, SAMPLE_ID)).toEqual(SAMPLE_BYTES);
    }
    expect(step).toBe(11);
  });

  it('goes on after writes and reads of a few bytes only', async () => {
    const files = {
      ...nodeFileSystem,
      write: (descriptor: number, buffer: Uint8Array, offset: number) =>
        nodeFileSystem.write(descriptor, buffer.subarray(0, offset + 997), offset),
      read: (descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number) =>
        nodeFileSystem.read(descriptor, buffer, offset, Math.min(length, 997), position),
    };
    const blobs = await openFileBlobs(directory, { files });
    const { id } = await blobs.put(sampleChunks(), LIMIT);
    expect(id).toBe(SAMPLE_ID);
    expect(await bytesOf(blobs, SAMPLE_ID)).toEqual(SAMPLE_BYTES);
  });

  it('keeps the descriptor open until the reads in flight are done: its number may be given away', async () => {
    const gate = Promise.withResolvers<void>();
    const operations: string[] = [];
    const files = {
      ...nodeFileSystem,
      read: async (...values: Parameters<typeof nodeFileSystem.read>) => {
        await gate.promise;
        operations.push('read');
        return nodeFileSystem.read(...values);
      },
      close: async (descriptor: number) => {
        operations.push('close');
        await nodeFileSystem.close(descriptor);
      },
    };
    const blobs = await openFileBlobs(directory, { files });
    await blobs.put(sampleChunks(), LIMIT);
    operations.length = 0;
    const handle = await blobs.open(SAMPLE_ID);
    const reading = handle?.read(new Uint8Array(10), 0);
    const closing = handle?.close();
    gate.resolve();
    await Promise.all([reading, closing]);
    expect(operations).toEqual(['read', 'close']);
  });

  it('replaces a stored file of another size, which can only be damaged', async () => {
    const blobs = await openFileBlobs(directory);
    await writeFile(pathOf(directory, SAMPLE_ID), SAMPLE_BYTES.subarray(0, 1000));
    await blobs.put(sampleChunks(), LIMIT);
    expect(await bytesOf(blobs, SAMPLE_ID)).toEqual(SAMPLE_BYTES);
  });

  it('keeps every quarantined file for a person to look at', async () => {
    const blobs = await openFileBlobs(directory);
    for (let round = 0; round < 2; round++) {
      await blobs.put(sampleChunks(), LIMIT);
      await blobs.quarantine(SAMPLE_ID);
    }
    const names = await readdir(join(directory, 'quarantine'));
    expect(names.map((name) => name.slice(0, 65))).toEqual([`${SAMPLE_ID}.`, `${SAMPLE_ID}.`]);
  });

  it('lists only files that have a blob’s name in its folder', async () => {
    const blobs = await openFileBlobs(directory);
    const other = sha256Of('other');
    await writeFile(join(directory, 'sha256', other.slice(0, 2), 'README'), 'no blob');
    await writeFile(join(directory, 'sha256', other.startsWith('00') ? '01' : '00', other), 'wrong folder');
    expect(await listOf(blobs)).toEqual([]);
  });

  it('tells what to do when its folder is gone, and ends the source', async () => {
    const blobs = await openFileBlobs(directory);
    await rm(directory, { recursive: true });
    let ended = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield Buffer.from('text');
      } finally {
        ended = true;
      }
    }
    await expect(blobs.put(source(), LIMIT)).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('put the folder back'),
    });
    expect(ended).toBe(true);
    await expect(listOf(blobs)).rejects.toMatchObject({ code: 'store-failed' });
  });

  it('refuses a file in the place of its folder', async () => {
    await writeFile(directory, 'a file');
    await expect(openFileBlobs(directory)).rejects.toMatchObject({ code: 'store-failed' });
  });

  it('tells one failure of a read by its code', async () => {
    const files = watchedFiles((operation) => {
      if (operation === 'read') throw systemError('EIO');
    });
    const blobs = await openFileBlobs(directory, { files });
    await blobs.put(sampleChunks(), LIMIT);
    await expect(blobs.digest(SAMPLE_ID, ['md5'])).rejects.toMatchObject({ code: 'store-failed' });
    expect(await leftovers()).toEqual([]);
  });
});

describe.skipIf(!(await canMountDisks()))('openFileBlobs on a disk of its own', () => {
  it('refuses what a full disk does not take, keeps nothing of it, and takes what fits', async () => {
    const disk = await mountTinyDisk(256 * 1024);
    if (disk === undefined) throw new Error('the disk could be mounted a moment ago');
    try {
      const blobs = await openFileBlobs(join(disk.path, 'blobs'));
      await expect(blobs.put(sampleChunks(), LIMIT)).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringContaining('the disk is full'),
        cause: { code: 'ENOSPC' },
      });
      expect(await readdir(join(disk.path, 'blobs', 'tmp'))).toEqual([]);
      const { id } = await blobs.put([Buffer.from('small')], LIMIT);
      expect(await listOf(blobs)).toEqual([[id, 5]]);
    } finally {
      await disk.remove();
    }
  });

  it('serves what it has when the disk became read-only, also after a restart', async () => {
    const disk = await mountTinyDisk(1024 * 1024);
    if (disk === undefined) throw new Error('the disk could be mounted a moment ago');
    try {
      const blobs = await openFileBlobs(join(disk.path, 'blobs'));
      await blobs.put(sampleChunks(), LIMIT);
      await writeFile(join(disk.path, 'blobs', 'tmp', 'leftover'), 'left');
      disk.makeReadOnly();
      const farFuture = () => 8_640_000_000_000_000;
      for (const opened of [blobs, await openFileBlobs(join(disk.path, 'blobs'), { clock: farFuture })]) {
        await expect(opened.put([Buffer.from('new')], LIMIT)).rejects.toMatchObject({
          code: 'store-failed',
          message: expect.stringContaining('read-only'),
        });
        expect(await bytesOf(opened, SAMPLE_ID)).toEqual(SAMPLE_BYTES);
      }
    } finally {
      await disk.remove();
    }
  });
});
