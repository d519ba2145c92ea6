/** Many puts at once: what is done once for all, what stays each one's own, and what a cut leaves. */
import { basename } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Blobs } from '../../src/store/blobs.ts';
import { openFileBlobs } from '../../src/store/file-blobs.ts';
import { type FileSystem, nodeFileSystem } from '../../src/store/file-system.ts';
import { bytesOf, listOf } from '../support/store-blobs-reading.ts';
import { makeTestFolder, type TestFolder } from '../support/store-folders.ts';
import { sha256Of } from '../support/store-samples.ts';
import { systemError } from '../support/store-watched-files.ts';

const LIMIT = { maxBytes: 1000 };

/** Nine texts: three in each of three folders. */
const TEXTS = textsInFolders(3, 3);
const [FIRST = '', ...OTHERS] = TEXTS;

function textsInFolders(folders: number, each: number): readonly string[] {
  const byFolder = new Map<string, string[]>();
  for (let number = 0; ; number++) {
    const text = `text ${number}`;
    byFolder.set(folderOf(text), [...(byFolder.get(folderOf(text)) ?? []), text]);
    const full = [...byFolder.values()].filter((texts) => texts.length >= each);
    if (full.length >= folders) return full.slice(0, folders).flatMap((texts) => texts.slice(0, each));
  }
}

function folderOf(text: string): string {
  return sha256Of(text).slice(0, 2);
}

function putText(blobs: Blobs, text: string): Promise<unknown> {
  return blobs.put([Buffer.from(text)], LIMIT);
}

type Change = (operation: 'rename' | 'openFolder' | 'sync', name: string) => void | Promise<void>;

/** Operations by their names and what they are of; `change` comes before each that gives a name, and may fail it. */
function writtenDown(log: string[], change: Change = () => undefined): FileSystem {
  const names = new Map<number, string>();
  return {
    ...nodeFileSystem,
    create: async (path) => {
      const descriptor = await nodeFileSystem.create(path);
      names.set(descriptor, basename(path));
      return descriptor;
    },
    openFolder: async (path) => {
      await change('openFolder', basename(path));
      const descriptor = await nodeFileSystem.openFolder(path);
      if (descriptor !== undefined) names.set(descriptor, basename(path));
      return descriptor;
    },
    sync: async (descriptor) => {
      await change('sync', names.get(descriptor) ?? '');
      await nodeFileSystem.sync(descriptor);
      log.push(`sync ${names.get(descriptor)}`);
    },
    rename: async (from, to) => {
      await change('rename', basename(to));
      log.push(`rename ${basename(from)} ${basename(to)}`);
      return nodeFileSystem.rename(from, to);
    },
    close: async (descriptor) => {
      await nodeFileSystem.close(descriptor);
      log.push(`close ${names.get(descriptor)}`);
    },
  };
}

describe('many puts at once', () => {
  let folder: TestFolder;

  beforeEach(async () => {
    folder = await makeTestFolder();
  });
  afterEach(() => folder.remove());

  /** Puts the others while the first one is being named, so that they are one group; their outcomes, by text. */
  async function putTogether(
    log: string[],
    change: Change = () => undefined,
  ): Promise<ReadonlyMap<string, PromiseSettledResult<unknown>>> {
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const files = writtenDown(log, async (operation, name) => {
      if (operation === 'rename' && name === sha256Of(FIRST)) {
        held.resolve();
        await release.promise;
      }
      await change(operation, name);
    });
    const blobs = await openFileBlobs(folder.path, { files });
    const first = putText(blobs, FIRST);
    await held.promise;
    log.length = 0;
    const others = OTHERS.map((text) => putText(blobs, text));
    const settled = Promise.allSettled(others);
    const closed = (): number => log.filter((line) => line.startsWith('close')).length;
    while (closed() < OTHERS.length) await new Promise<void>((resolve) => setImmediate(resolve));
    // The files are all on the disk, and none has a name yet.
    expect(log.filter((line) => line.startsWith('rename'))).toEqual([]);
    release.resolve();
    await first;
    const outcomes = await settled;
    return new Map(
      OTHERS.map((text, index) => [text, outcomes[index] ?? { status: 'rejected', reason: '' }]),
    );
  }

  it('are each synced before any has its name, and each folder once, after the last', async () => {
    const log: string[] = [];
    const outcomes = await putTogether(log);
    expect([...outcomes.values()].every(({ status }) => status === 'fulfilled')).toBe(true);
    const group = log.slice(
      log.findIndex((line) => line.startsWith('rename') && line.endsWith(sha256Of(FIRST))),
    );
    const folders = new Set(TEXTS.map(folderOf));
    const syncs = group.filter((line) => line.startsWith('sync'));
    // The first one's own, and then one of each folder for all the others.
    expect(syncs[0]).toBe(`sync ${folderOf(FIRST)}`);
    expect(new Set(syncs.slice(1))).toEqual(new Set([...folders].map((name) => `sync ${name}`)));
    expect(syncs).toHaveLength(1 + folders.size);
    const renames = group.flatMap((line, index) => (line.startsWith('rename') ? [index] : []));
    expect(renames).toHaveLength(TEXTS.length);
    expect(group.indexOf(syncs[1] ?? '', 2)).toBeGreaterThan(Math.max(...renames));
    for (const [, from, to] of log
      .filter((line) => line.startsWith('rename'))
      .map((line) => line.split(' '))) {
      if (to === sha256Of(FIRST)) continue;
      const synced = log.indexOf(`sync ${from}`);
      expect(synced).toBeGreaterThanOrEqual(0);
      expect(synced).toBeLessThan(log.indexOf(`rename ${from} ${to}`));
    }
  });

  it('of which one cannot get its name: it alone fails, and leaves nothing', async () => {
    const [unlucky = ''] = OTHERS;
    const outcomes = await putTogether([], (operation, name) => {
      if (operation === 'rename' && name === sha256Of(unlucky)) throw systemError('EIO');
    });
    for (const [text, { status }] of outcomes)
      expect([text, status]).toEqual([text, text === unlucky ? 'rejected' : 'fulfilled']);
    const blobs = await openFileBlobs(folder.path);
    expect((await listOf(blobs)).map(([id]) => id).toSorted()).toEqual(
      TEXTS.filter((text) => text !== unlucky)
        .map(sha256Of)
        .toSorted(),
    );
    expect(await leftovers()).toEqual([]);
  });

  it.each(['openFolder', 'sync'] as const)(
    'in a folder whose %s fails: all of it are told so, and stay whole; those of other folders are kept',
    async (failing) => {
      const last = folderOf(OTHERS.at(-1) ?? '');
      const outcomes = await putTogether([], (operation, name) => {
        if (operation === failing && name === last) throw systemError('EIO');
      });
      for (const [text, outcome] of outcomes) {
        expect([text, outcome.status]).toEqual([text, folderOf(text) === last ? 'rejected' : 'fulfilled']);
        if (outcome.status === 'rejected')
          expect(outcome.reason).toMatchObject({ code: 'store-failed', cause: { code: 'EIO' } });
      }
      expect(await listOf(await openFileBlobs(folder.path))).toHaveLength(TEXTS.length);
      expect(await leftovers()).toEqual([]);
    },
  );

  it('leave whole blobs or nothing wherever they are cut', async () => {
    const after = await openFileBlobs(folder.path);
    const texts = [...TEXTS.slice(0, 2), ...TEXTS.slice(-1)];
    let cuts = 0;
    for (let done = false; !done; cuts++) {
      let left = Number.POSITIVE_INFINITY;
      const stopped = Promise.withResolvers<void>();
      // After so many operations of any kind the machine is gone: nothing answers any more.
      const files = dyingFiles(() => {
        left -= 1;
        if (left < 0) stopped.resolve();
        return left >= 0;
      });
      const blobs = await openFileBlobs(folder.path, { files });
      left = cuts;
      const puts = Promise.all(texts.map((text) => putText(blobs, text)));
      done = await Promise.race([puts.then(() => true), stopped.promise.then(() => false)]);
      const there = await listOf(after);
      for (const [id] of there) {
        const text = texts.find((each) => sha256Of(each) === id) ?? 'none of them';
        expect(Buffer.from(await bytesOf(after, id)).toString()).toBe(text);
        await after.delete(id);
      }
      if (done) expect(there).toHaveLength(texts.length);
    }
    // Six operations for each file, and three for each of the two folders; more when one was ahead of the others.
    expect(cuts).toBeGreaterThan(texts.length * 6 + 2 * 3);
  });

  async function leftovers(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const name of nodeFileSystem.names(`${folder.path}/tmp`)) names.push(name);
    return names;
  }
});

/** The real file system as long as `alive`; from then on no operation is begun, and none ends. */
function dyingFiles(alive: () => boolean): FileSystem {
  function mortal<Arguments extends unknown[], Value>(
    action: (...values: Arguments) => Promise<Value>,
  ): (...values: Arguments) => Promise<Value> {
    return (...values) => (alive() ? action(...values) : new Promise(() => undefined));
  }
  return {
    ...nodeFileSystem,
    create: mortal(nodeFileSystem.create),
    status: mortal(nodeFileSystem.status),
    write: mortal(nodeFileSystem.write),
    sync: mortal(nodeFileSystem.sync),
    close: mortal(nodeFileSystem.close),
    rename: mortal(nodeFileSystem.rename),
    openFolder: mortal(nodeFileSystem.openFolder),
  };
}
