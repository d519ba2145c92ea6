/** What a hit costs: nothing that the first request has paid for already, and never more memory than allowed. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Sha256 } from '../../src/hashes.ts';
import { ArchiveHandler } from '../../src/proxy/archive-handler.ts';
import { HotBlobs } from '../../src/proxy/hot-blobs.ts';
import { IndexHandler } from '../../src/proxy/index-handler.ts';
import { SlowClients } from '../../src/proxy/slow-clients.ts';
import { StoreWatch } from '../../src/proxy/store-watch.ts';
import { VerifiedBlobs } from '../../src/proxy/verified-blobs.ts';
import type { BlobHandle } from '../../src/store/blobs.ts';
import { heldBeforeLastByte } from '../support/archive-upstream.ts';
import { hexOf, type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { ask } from '../support/raw-client.ts';
import { TestClock } from '../support/test-clock.ts';

const SMALL = sampleBytes(30_000);
const LARGE = sampleBytes(1024 * 1024 + 300_000, 2);
const DAY = 86_400_000;
const SMALL_ID = hexOf('sha256', SMALL) as Sha256;

/** Counts the reads of all blobs that are opened from now on. */
function countReads(fixture: MirrorFixture): () => number {
  const { blobs } = fixture.mirror;
  const open = blobs.open.bind(blobs);
  let reads = 0;
  vi.spyOn(blobs, 'open').mockImplementation(async (id) => {
    const handle = await open(id);
    if (handle === undefined) return undefined;
    const counted: BlobHandle = {
      id,
      size: handle.size,
      read: (buffer, position) => {
        reads += 1;
        return handle.read(buffer, position);
      },
      close: () => handle.close(),
    };
    return counted;
  });
  return () => reads;
}

describe('a hit', () => {
  test('of a small blob asks neither the store nor the catalogue', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    await fixture.get(fixture.path('hello.1'));
    const open = vi.spyOn(fixture.mirror.blobs, 'open');
    const listed = vi.spyOn(fixture.mirror.catalogue, 'listed');
    for (let round = 0; round < 3; round++)
      expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
    expect(open).not.toHaveBeenCalled();
    expect(listed).not.toHaveBeenCalled();
  });

  test('of a large blob that memory has no room for opens it once and does not ask the catalogue', async () => {
    const fixture = await mirrorOf({ limits: { hot_blobs: '2 MiB' } })
      .package('hello.1', { archive: LARGE })
      .forTest();
    await fixture.get(fixture.path('hello.1'));
    await fixture.mirror.archives.settled();
    for (let round = 0; round < 3; round++) {
      if (round === 1) vi.spyOn(fixture.mirror.catalogue, 'listed').mockRejectedValue(new Error('asked'));
      const open = vi.spyOn(fixture.mirror.blobs, 'open');
      expect((await fixture.get(fixture.path('hello.1'))).body.equals(LARGE)).toBe(true);
      expect(open).toHaveBeenCalledTimes(1);
      open.mockRestore();
    }
  });

  test('of small blobs that memory has no room for, which take turns, loads one of eight and sends the others from the disk', async () => {
    const other = sampleBytes(30_000, 3);
    const fixture = await mirrorOf({ limits: { hot_blobs: 40_000 } })
      .package('hello.1', { archive: SMALL })
      .package('other.1', { archive: other })
      .forTest();
    for (const version of ['hello.1', 'other.1']) await fixture.get(fixture.path(version));
    await fixture.mirror.archives.settled();
    const keep = vi.spyOn(HotBlobs.prototype, 'keep');
    for (let round = 0; round < 16; round++) {
      expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
      expect((await fixture.get(fixture.path('other.1'))).body.equals(other)).toBe(true);
    }
    expect(keep).toHaveBeenCalledTimes(2);
    keep.mockRestore();
  });

  test('of a large blob is from memory once it was asked for twice, also for a part of it', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: LARGE }).forTest();
    for (const _round of [1, 2]) {
      expect((await fixture.get(fixture.path('hello.1'))).body.equals(LARGE)).toBe(true);
      await fixture.mirror.archives.settled();
    }
    const open = vi.spyOn(fixture.mirror.blobs, 'open');
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(LARGE)).toBe(true);
    const part = await fixture.get(fixture.path('hello.1'), { Range: 'bytes=5-9' });
    expect(part.body.equals(LARGE.subarray(5, 10))).toBe(true);
    expect(open).not.toHaveBeenCalled();
  });

  test('after a publication reads no blob anew', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    await fixture.get(fixture.path('hello.1'));
    fixture.package('default', 'other.1');
    await fixture.sync();
    const open = vi.spyOn(fixture.mirror.blobs, 'open');
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
    expect(open).not.toHaveBeenCalled();
  });

  test('that 30 make at once on a blob not in memory, and not measured of late, reads it once', async () => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock, limits: { hot_blobs: 1 } })
      .package('hello.1', { archive: SMALL })
      .forTest();
    await fixture.get(fixture.path('hello.1'));
    await fixture.mirror.archives.settled();
    clock.advance(DAY);
    const { server } = fixture.running;
    const clients = await Promise.all(Array.from({ length: 30 }, () => fixture.connect()));
    // All ask before the first read ends.
    const reads = countReads(fixture);
    let heard = 0;
    const { promise: all, resolve } = Promise.withResolvers<void>();
    server.on('request', () => {
      heard += 1;
      if (heard === clients.length) resolve();
    });
    const counted = vi.mocked(fixture.mirror.blobs.open).getMockImplementation();
    vi.spyOn(fixture.mirror.blobs, 'open').mockImplementation(async (id) => {
      await all;
      return counted?.(id);
    });
    const answers = await Promise.all(clients.map((client) => client.get(fixture.path('hello.1'))));
    expect(answers.every(({ body }) => body.equals(SMALL))).toBe(true);
    expect(reads()).toBeLessThanOrEqual(3);
    for (const client of clients) client.close();
  });
});

describe('hot blobs', () => {
  const blob = (id: string, size: number) => ({
    id: id as Sha256,
    bytes: Buffer.alloc(size),
    representation: { etag: `"${id}"`, lastModified: 0, size },
    fixed: {},
  });

  test('are kept within their budget, once under all their paths', () => {
    const hot = new HotBlobs(10_000);
    hot.keep(blob('a', 3000));
    for (const path of ['/1', '/2', '/3']) hot.rememberPath(path, 'a' as Sha256, hot.generation);
    expect(new Set(['/1', '/2', '/3'].map((path) => hot.at(path))).size).toBe(1);
    hot.keep(blob('b', 3000));
    expect(hot.at('/1')).toBeDefined();
    hot.keep(blob('c', 3000));
    expect(hot.get('b' as Sha256)).toBeUndefined();
    expect(hot.at('/1')).toBeDefined();
    hot.keep(blob('d', 20_000));
    expect(hot.get('d' as Sha256)).toBeUndefined();
  });

  const MIB = 1024 * 1024;

  test('large ones take half of the budget at most, and push out no small ones beyond that', () => {
    const hot = new HotBlobs(16 * MIB);
    for (let index = 0; index < 7; index++) hot.keep(blob(`small ${index}`, MIB - 1024));
    for (let index = 0; index < 9; index++) hot.keep(blob(`large ${index}`, 2 * MIB));
    const has = (id: string): boolean => hot.get(id as Sha256) !== undefined;
    expect(Array.from({ length: 7 }, (_, index) => has(`small ${index}`))).toEqual(Array(7).fill(true));
    expect(Array.from({ length: 9 }, (_, index) => has(`large ${index}`))).toEqual([
      ...Array(6).fill(false),
      ...Array(3).fill(true),
    ]);
  });

  test('large ones are wanted while there is room, then one of eight that are asked for', () => {
    const hot = new HotBlobs(16 * MIB);
    expect(hot.wants(4 * MIB + 1)).toBe(false);
    for (const id of ['a', 'b', 'c']) {
      expect(hot.wants(2 * MIB)).toBe(true);
      hot.keep(blob(id, 2 * MIB));
    }
    expect(Array.from({ length: 24 }, () => hot.wants(3 * MIB)).filter(Boolean)).toHaveLength(3);
  });

  test('small ones are wanted while there is room, then one of eight that are asked for', () => {
    const hot = new HotBlobs(MIB);
    for (const id of ['a', 'b', 'c']) {
      expect(hot.wants(300 * 1024)).toBe(true);
      hot.keep(blob(id, 300 * 1024));
    }
    expect(Array.from({ length: 24 }, () => hot.wants(300 * 1024)).filter(Boolean)).toHaveLength(3);
    expect(hot.wants(30 * 1024)).toBe(true);
  });

  test('what was looked up before everything was forgotten is not remembered after it', () => {
    const hot = new HotBlobs(10_000);
    const { generation } = hot;
    hot.forgetPaths();
    hot.keep(blob('a', 100));
    hot.rememberPath('/1', 'a' as Sha256, generation);
    expect(hot.at('/1')).toBeUndefined();
  });

  test('are forgotten under all their paths, and their bytes stay', () => {
    const hot = new HotBlobs(10_000);
    hot.keep(blob('a', 100));
    hot.rememberPath('/1', 'a' as Sha256, hot.generation);
    hot.forgetPaths();
    expect(hot.at('/1')).toBeUndefined();
    expect(hot.idAt('/1')).toBeUndefined();
  });
});

describe('an archive that is withdrawn (HOSTILE 6)', () => {
  test.each([
    ['small', SMALL],
    ['large', LARGE],
  ])('is not found from then on, although it was in memory: %s', async (_size, content) => {
    const fixture = await mirrorOf().package('hello.1', { archive: content }).forTest();
    for (let round = 0; round < 2; round++)
      expect((await fixture.get(fixture.path('hello.1'))).status).toBe(200);
    vi.spyOn(fixture.mirror.catalogue, 'listed').mockResolvedValue([]);
    fixture.running.forget();
    expect((await fixture.get(fixture.path('hello.1'))).status).toBe(404);
  });

  test('while it is fetched is not sent to those who wait, nor remembered', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    const held = heldBeforeLastByte(SMALL);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const waiting = fixture.get(fixture.path('hello.1'));
    await fixture.upstream.asked('/archives/hello.1');
    vi.spyOn(fixture.mirror.catalogue, 'listed').mockResolvedValue([]);
    fixture.running.forget();
    held.release();
    expect((await waiting).status).toBe(404);
    expect((await fixture.get(fixture.path('hello.1'))).status).toBe(404);
  });

  test('something else is withdrawn while it is fetched: it is sent', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    const held = heldBeforeLastByte(SMALL);
    fixture.upstream.set('/archives/hello.1', held.answer);
    const waiting = fixture.get(fixture.path('hello.1'));
    await fixture.upstream.asked('/archives/hello.1');
    fixture.running.forget();
    held.release();
    expect((await waiting).body.equals(SMALL)).toBe(true);
  });
});

describe('measuring', () => {
  test('is done once for all who ask at the same time, and holds for a day', async () => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock }).package('hello.1', { archive: SMALL }).forTest();
    await fixture.get(fixture.path('hello.1'));
    await fixture.mirror.archives.settled();
    const digest = vi.spyOn(fixture.mirror.blobs, 'digest');
    const verified = new VerifiedBlobs(fixture.mirror);
    expect(verified.trusts(SMALL_ID)).toBe(false);
    const measured = await Promise.all(Array.from({ length: 10 }, () => verified.measure(SMALL_ID)));
    expect(new Set(measured)).toEqual(new Set([true]));
    expect(digest).toHaveBeenCalledTimes(1);
    expect(verified.trusts(SMALL_ID)).toBe(true);
    clock.advance(86_400_000);
    expect(verified.trusts(SMALL_ID)).toBe(false);
  });

  test('says false of a blob that is gone, and the catalogue forgets it', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    await fixture.get(fixture.path('hello.1'));
    await fixture.mirror.archives.settled();
    await fixture.mirror.blobs.delete(SMALL_ID);
    expect(await new VerifiedBlobs(fixture.mirror).measure(SMALL_ID)).toBe(false);
    expect(await fixture.mirror.catalogue.blob(SMALL_ID)).toBeUndefined();
  });
});

describe('while clients hold too much in memory', () => {
  class FullOfSlowClients extends SlowClients {
    override get full(): boolean {
      return true;
    }
  }

  function watchOf({ mirror }: MirrorFixture): StoreWatch {
    const look = (): Promise<void> => mirror.served.look();
    return new StoreWatch({ ...mirror, look, report: (error) => expect.unreachable(error.message) });
  }

  async function serve(listener: RequestListener): Promise<number> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  test('a small blob is sent as a large one, verified on its way and not kept', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    const { limits } = fixture.mirror.config;
    const handler = new ArchiveHandler({
      ...fixture.mirror,
      limits,
      slow: new FullOfSlowClients(limits, 1),
      watch: watchOf(fixture),
      waiting: () => undefined,
      report: (error) => expect.unreachable(error.message),
    });
    const path = fixture.path('hello.1');
    const port = await serve((request, response) => {
      expect(handler.answerHot(path, request, response)).toBe(false);
      void handler.answer(path, 'default', { kind: 'sha256', hex: SMALL_ID }, request, response);
    });
    for (let round = 0; round < 3; round++)
      expect((await ask(port, 'GET', path)).body.equals(SMALL)).toBe(true);
  });

  test('a past index is 503 with Retry-After, and the present one is served', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    const { served, config } = fixture.mirror;
    const slow = new FullOfSlowClients(config.limits, 1);
    const snapshot = served.current('default')?.snapshot.id;
    if (snapshot === undefined) throw new Error('nothing was published');
    const indexes = new IndexHandler({ ...fixture.mirror, slow, watch: watchOf(fixture) });
    const port = await serve((request, response) => {
      if (request.url === '/present') indexes.answerPresent('index', 'default', request, response);
      else void indexes.answerPast('index', 'default', snapshot, request, response);
    });
    const past = await ask(port, 'GET', '/past');
    expect([past.status, past.headers['retry-after']]).toEqual([503, '10']);
    expect((await ask(port, 'GET', '/present')).status).toBe(200);
  });
});
