/** HOSTILE 5, 14, 22 and 25 at the seam of the archives: sizes, adoption, sharing, gates. */
import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { HashKind } from '../../src/hashes.ts';
import type { ListedArchive } from '../../src/store/catalogue.ts';
import { bytes, heldBeforeLastByte, status } from '../support/archive-upstream.ts';
import { cachePath, hexOf, type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { sampleEvent } from '../support/store-samples.ts';
import { TestClock } from '../support/test-clock.ts';

const BYTES = sampleBytes(10_000);
const OTHER = sampleBytes(10_000, 2);

function checksum(kind: HashKind, content: Uint8Array = BYTES): { kind: HashKind; hex: string } {
  return { kind, hex: hexOf(kind, content) };
}

/** What the repository lists under a checksum. */
function listed(
  fixture: MirrorFixture,
  kind: HashKind = 'sha256',
  repository = 'default',
): Promise<readonly ListedArchive[]> {
  return fixture.mirror.archives.listed(repository, checksum(kind));
}

describe('a signed size', () => {
  async function mirrorWithSize(size: number): Promise<MirrorFixture> {
    const fixture = await mirrorOf().package('base.1', { archive: OTHER }).forTest();
    const snapshot = await fixture.mirror.catalogue.currentSnapshot('default');
    if (snapshot === undefined) throw new Error('nothing was published');
    const sources = [`${fixture.upstream.address}/signed`];
    await fixture.mirror.catalogue.publish({
      repository: 'default',
      snapshot,
      pieces: [],
      archives: [{ checksums: [checksum('sha256')], size, sources }],
      events: [sampleEvent(1)],
    });
    return fixture;
  }

  test.each([
    ['the very size', BYTES.length, 200],
    ['a byte more', BYTES.length + 1, 404],
    ['a byte less', BYTES.length - 1, 404],
    ['nothing', 0, 404],
  ])('of %s', async (_name, size, expected) => {
    const fixture = await mirrorWithSize(size);
    fixture.upstream.set('/signed', bytes(BYTES));
    expect((await fixture.get(cachePath('sha256', hexOf('sha256', BYTES)))).status).toBe(expected);
    // Without a length in the head it is the bytes themselves that are counted.
    const chunked = await mirrorWithSize(size);
    chunked.upstream.set('/signed', bytes(BYTES, { 'transfer-encoding': 'chunked' }));
    expect((await chunked.get(cachePath('sha256', hexOf('sha256', BYTES)))).status).toBe(expected);
  });

  test('counts for a blob that another set brought, too', async () => {
    const fixture = await mirrorWithSize(BYTES.length - 1);
    fixture.upstream.set('/signed', status(404));
    fixture.package('default', 'hello.1', { archive: BYTES, checksums: ['sha256', 'md5'] });
    await fixture.sync();
    expect((await fixture.get(fixture.path('hello.1', 'md5'))).status).toBe(200);
    const archives = (await listed(fixture)).filter((archive) => archive.size !== undefined);
    expect(archives).toHaveLength(1);
    await expect(fixture.mirror.archives.obtain('default', archives)).rejects.toThrow('/signed');
  });

  test('without one, limits.archive is the bound, and the exact bound is allowed', async () => {
    for (const [limit, expected] of [
      [BYTES.length, 200],
      [BYTES.length - 1, 404],
    ]) {
      const fixture = await mirrorOf({ limits: { archive: limit } })
        .package('hello.1', { archive: BYTES })
        .forTest();
      expect((await fixture.get(fixture.path('hello.1'))).status).toBe(expected);
    }
  });
});

describe('a blob that is there already', () => {
  test('is measured for the kinds that are asked for, once, and not read when nothing is missing', async () => {
    const fixture = await mirrorOf()
      .package('one.1', { archive: BYTES, checksums: ['sha256'] })
      .in('other')
      .in('third')
      .forTest();
    await fixture.mirror.archives.obtain('default', await listed(fixture));
    // Declared only now, so that the download did not measure for them.
    fixture.package('other', 'two.1', { archive: BYTES, checksums: ['sha256', 'sha512'] });
    fixture.package('third', 'three.1', { archive: BYTES, checksums: ['sha512'] });
    for (const repository of ['other', 'third']) await fixture.sync(repository);
    const digest = vi.spyOn(fixture.mirror.blobs, 'digest');
    const { archives } = fixture.mirror;
    const found = await archives.find(await listed(fixture, 'sha512', 'other'));
    expect(found?.blob).toBe(hexOf('sha256', BYTES));
    expect(await archives.find(await listed(fixture, 'sha512', 'third'))).toEqual(found);
    expect(await archives.find(await listed(fixture, 'sha512', 'other'))).toEqual(found);
    expect(digest).toHaveBeenCalledTimes(1);
    expect(fixture.upstream.requests('/archives/two.1')).toBe(0);
  });

  test('and spoilt is put aside, and its wrong hashes are never recorded', async () => {
    const fixture = await mirrorOf()
      .package('one.1', { archive: BYTES, checksums: ['sha256', 'md5'] })
      .forTest();
    const { blob } = await fixture.mirror.archives.obtain('default', await listed(fixture));
    const file = join(fixture.folder, 'data', 'blobs', 'sha256', blob.slice(0, 2), blob);
    await chmod(file, 0o644);
    await writeFile(file, OTHER);
    // Declared only now: nobody has measured the sha512 yet.
    fixture.package('default', 'two.1', {
      archive: BYTES,
      checksums: ['sha256', 'sha512'],
      sources: ['/two'],
    });
    fixture.upstream.set('/two', bytes(BYTES));
    await fixture.sync();
    const [two] = (await listed(fixture, 'sha512')).slice(0, 1);
    expect(await fixture.mirror.archives.find(two === undefined ? [] : [two])).toBeUndefined();
    expect(await fixture.mirror.catalogue.blobsWith(checksum('sha512', OTHER))).toEqual([]);
    expect(await readdir(join(fixture.folder, 'data', 'blobs', 'quarantine'))).toHaveLength(1);
    expect((await fixture.get(fixture.path('two.1', 'sha512'))).body.equals(BYTES)).toBe(true);
    expect((await fixture.get(fixture.path('one.1', 'md5'))).body.equals(BYTES)).toBe(true);
  });
});

describe('those who ask at the same time', () => {
  test('share one download and one entry in the catalogue', async () => {
    const fixture = await mirrorOf().package('one.1', { archive: BYTES }).forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/one.1', held.answer);
    const record = vi.spyOn(fixture.mirror.catalogue, 'recordBlob');
    const archives = await listed(fixture);
    const asking = Array.from({ length: 100 }, () => fixture.mirror.archives.obtain('default', archives));
    await fixture.upstream.asked('/archives/one.1');
    held.release();
    expect(new Set((await Promise.all(asking)).map(({ blob }) => blob)).size).toBe(1);
    expect(fixture.upstream.requests('/archives/one.1')).toBe(1);
    expect(record).toHaveBeenCalledTimes(1);
  });

  test('of two repositories, each has the sources of its own', async () => {
    const fixture = await mirrorOf()
      .package('one.1', { archive: BYTES, sources: ['/slow'] })
      .in('other')
      .package('one.1', { archive: BYTES, sources: ['/quick'] })
      .forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/slow', held.answer);
    fixture.upstream.set('/quick', bytes(BYTES));
    const slow = fixture.mirror.archives.obtain('default', await listed(fixture));
    await fixture.upstream.asked('/slow');
    const quick = await fixture.mirror.archives.obtain('other', await listed(fixture, 'sha256', 'other'));
    held.release();
    expect(await slow).toEqual(quick);
  });

  test('forgetFailure lets the next try begin at once, for this repository', async () => {
    const fixture = await mirrorOf().package('one.1', { archive: BYTES }).forTest();
    fixture.upstream.set('/archives/one.1', status(500));
    const archives = await listed(fixture);
    const { archives: mirrored } = fixture.mirror;
    for (let round = 0; round < 2; round++)
      await expect(mirrored.obtain('default', archives)).rejects.toMatchObject({ code: 'upstream-status' });
    expect(fixture.upstream.requests('/archives/one.1')).toBe(1);
    for (const archive of archives) mirrored.forgetFailure('default', archive);
    await expect(mirrored.obtain('default', archives)).rejects.toThrow();
    expect(fixture.upstream.requests('/archives/one.1')).toBe(2);
  });
});

describe('several sets under one hash', () => {
  const lie = { checksums: [`md5=${hexOf('md5', BYTES)}`, `sha512=${hexOf('sha512', OTHER)}`] };

  test('when none can be had, the reason names the sources of all', async () => {
    const fixture = await mirrorOf()
      .package('a.1', { ...lie, sources: ['/a'] })
      .package('b.1', { archive: BYTES, checksums: ['md5'], sources: ['/b'] })
      .forTest();
    const response = await fixture.get(cachePath('md5', hexOf('md5', BYTES)));
    expect(response.status).toBe(404);
    expect(response.body.toString()).toContain('/a: ');
    expect(response.body.toString()).toContain('/b: ');
  });

  test('after a set that fails at once the next is tried at once, without its head start', async () => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock })
      .package('a.1', { ...lie, sources: ['/a'] })
      .package('b.1', { archive: BYTES, checksums: ['md5'], sources: ['/b'] })
      .forTest();
    fixture.upstream.set('/b', bytes(BYTES));
    expect((await fixture.get(cachePath('md5', hexOf('md5', BYTES)))).body.equals(BYTES)).toBe(true);
    expect(clock.sleepers).toBe(0);
  });

  test('no archive at all is not found', async () => {
    const fixture = await mirrorOf().forTest();
    await expect(fixture.mirror.archives.obtain('default', [])).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('downloads at once', () => {
  test('no more for a host than downloads_per_host, and it leaves the places of all to others', async () => {
    const slow = await mirrorOf().forTest();
    const fixture = await mirrorOf({ limits: { downloads: 3, downloads_per_host: 2 } }).forTest({
      sync: false,
    });
    const held = heldBeforeLastByte(BYTES);
    const many = Array.from({ length: 8 }, (_, index) => sampleBytes(1000, 100 + index));
    many.forEach((content, index) => {
      slow.upstream.set(`/slow/${index}`, held.answer);
      const sources = [`${slow.upstream.address}/slow/${index}`];
      fixture.package('default', `slow.${index}`, { archive: content, sources });
    });
    fixture.package('default', 'quick.1', { archive: BYTES });
    await fixture.sync();
    const asked = (): number =>
      many.reduce((sum, _, index) => sum + slow.upstream.requests(`/slow/${index}`), 0);
    const waiting = many.map((_, index) => fixture.get(fixture.path(`slow.${index}`)));
    await expect.poll(asked).toBe(2);
    expect((await fixture.get(fixture.path('quick.1'))).status).toBe(200);
    expect(asked()).toBe(2);
    held.release();
    expect((await Promise.all(waiting)).map((response) => response.status)).toEqual(many.map(() => 404));
    expect(asked()).toBe(8);
  });
});

describe('closing the mirror', () => {
  test('ends downloads, waits for them, and remembers no failure', async () => {
    const fixture = await mirrorOf().package('one.1', { archive: BYTES }).forTest();
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/archives/one.1', held.answer);
    const obtaining = fixture.mirror.archives.obtain('default', await listed(fixture));
    const refused = expect(obtaining).rejects.toMatchObject({ code: 'aborted' });
    await fixture.upstream.asked('/archives/one.1');
    await fixture.mirror.fetcher.close();
    await fixture.mirror.archives.settled();
    await Promise.all([refused, held.hungUp]);
    expect(await readdir(join(fixture.folder, 'data', 'blobs', 'tmp'))).toEqual([]);
  });
});
