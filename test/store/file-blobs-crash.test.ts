/** What a killed process leaves in the blobs, and what the next start makes of it. */
import { spawnSync } from 'node:child_process';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileBlobs } from '../../src/store/file-blobs.ts';
import { type Owner, temporaryName, thisProcess } from '../../src/store/temporary-files.ts';
import { bytesOf, listOf } from '../support/store-blobs-reading.ts';
import { makeTestFolder, type TestFolder } from '../support/store-folders.ts';
import { runScript } from '../support/store-processes.ts';
import { SAMPLE_BYTES, SAMPLE_ID, sampleChunks } from '../support/store-samples.ts';

const HOUR = 3_600_000;

describe('the blobs after a kill -9', () => {
  let folder: TestFolder;

  beforeEach(async () => {
    folder = await makeTestFolder();
  });
  afterEach(() => folder.remove());

  it('hold all of a put or nothing, wherever it was killed, and are swept', async () => {
    let killed = 0;
    let sweptSomething = false;
    for (let finished = false; !finished; ) {
      const directory = join(folder.path, String(killed));
      const ending = await runScript('store-child-put', directory, String(killed + 1));
      finished = ending.signal !== 'SIGKILL';
      if (finished) expect(ending).toMatchObject({ code: 0 });
      else killed += 1;

      const left = await readdir(join(directory, 'tmp'));
      if (left.length > 0) sweptSomething = true;
      const blobs = await openFileBlobs(directory);
      expect(await readdir(join(directory, 'tmp'))).toEqual([]);
      const visible = await listOf(blobs);
      if (visible.length > 0) expect(await bytesOf(blobs, SAMPLE_ID)).toEqual(SAMPLE_BYTES);
      // The rename is the seventh operation: before it nothing is seen, after it everything.
      expect(visible.length).toBe(killed > 7 || finished ? 1 : 0);
      await blobs.put(sampleChunks(), { maxBytes: 1_000_000 });
      expect(await listOf(blobs)).toEqual([[SAMPLE_ID, SAMPLE_BYTES.length]]);
    }
    expect(killed).toBe(10);
    expect(sweptSomething).toBe(true);
  });
});

describe('the sweep at the start', () => {
  let folder: TestFolder;
  const me = thisProcess();

  beforeEach(async () => {
    folder = await makeTestFolder();
    await openFileBlobs(folder.path);
  });
  afterEach(() => folder.remove());

  async function leave(name: string, modifiedAt = Date.now()): Promise<string> {
    const path = join(folder.path, 'tmp', name);
    await writeFile(path, 'left');
    await utimes(path, modifiedAt / 1000, modifiedAt / 1000);
    return name;
  }

  async function namesAfterSweep(clock?: () => number): Promise<string[]> {
    await openFileBlobs(folder.path, clock === undefined ? {} : { clock });
    return readdir(join(folder.path, 'tmp'));
  }

  function deadProcess(): Owner {
    return { ...me, pid: spawnSync(process.execPath, ['--version']).pid };
  }

  it('removes what a dead process left', async () => {
    await leave(temporaryName(deadProcess()));
    expect(await namesAfterSweep()).toEqual([]);
  });

  it('removes what an earlier process with our own id left, as in a container', async () => {
    await leave(temporaryName({ ...me, startedAt: me.startedAt + 5000 }));
    await leave(temporaryName({ ...me, startedAt: 0 }));
    expect(await namesAfterSweep()).toEqual([]);
  });

  it('leaves what this and other living processes write', async () => {
    const mine = await leave(temporaryName(me), 0);
    const parents = await leave(temporaryName({ ...me, pid: process.ppid }), 0);
    expect(new Set(await namesAfterSweep())).toEqual(new Set([mine, parents]));
  });

  it('judges another host’s files, and files of unknown name, by their age', async () => {
    const now = Date.now();
    const other = { ...deadProcess(), host: me.host === '00000000' ? '11111111' : '00000000' };
    const fresh = await leave(temporaryName(other), now - HOUR);
    await leave(temporaryName(other), now - 25 * HOUR);
    const unknown = await leave('notes.txt', now - HOUR);
    await leave('old notes.txt', now - 25 * HOUR);
    expect(new Set(await namesAfterSweep(() => now))).toEqual(new Set([fresh, unknown]));
    // A clock that jumped back makes everything young.
    expect(new Set(await namesAfterSweep(() => 0))).toEqual(new Set([fresh, unknown]));
  });

  it('does no harm to a put in flight, and neither does a clock that jumps', async () => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield* sampleChunks();
      reached.resolve();
      await gate.promise;
    }
    const blobs = await openFileBlobs(folder.path);
    const put = blobs.put(source(), { maxBytes: 1_000_000 });
    await reached.promise;
    for (const now of [0, 8_640_000_000_000_000]) await openFileBlobs(folder.path, { clock: () => now });
    gate.resolve();
    expect(await put).toMatchObject({ id: SAMPLE_ID });
  });
});
