/**
 * HOSTILE 6, 18 and 27: what is denied is denied for the index and for the archive, in memory or not, under every
 * spelling, from the next request on, and in every snapshot; and all of it can be undone.
 */
import { createHash } from 'node:crypto';
import { crc32, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { HASH_KINDS, type HashKind, parseSha256, type Sha256 } from '../../src/hashes.ts';
import { parsePackageId } from '../../src/opam/package-id.ts';
import { parsePackagePattern } from '../../src/verify/policy/package-pattern.ts';
import { heldBeforeLastByte } from '../support/archive-upstream.ts';
import {
  cachePath,
  hexOf,
  type MirrorFixture,
  mirrorOf,
  type OtherProcess,
  type RepositorySettings,
  sampleBytes,
} from '../support/mirror-fixture.ts';
import type { RawResponse } from '../support/raw-client.ts';
import { contents, read } from '../support/tar-reading.ts';

const SMALL = sampleBytes(30_000);
const LARGE = sampleBytes(1024 * 1024 + 300_000, 2);
const KINDS: readonly HashKind[] = HASH_KINDS;

/** What upstream removes goes at once. */
const FORGETFUL: Readonly<Record<string, RepositorySettings>> = { '*': { keep_removed: 0 } };

/** The index's versions in the order of the tar. The body has to be one gzip member with an ETag of its own bytes. */
async function versionsIn({ status, body, headers }: RawResponse): Promise<string[]> {
  expect(status).toBe(200);
  expect(headers.etag).toBe(`"${createHash('sha256').update(body).digest('hex')}"`);
  const raw = inflateRawSync(body.subarray(10));
  expect([body.readUInt32LE(body.length - 8), body.readUInt32LE(body.length - 4)]).toEqual([
    crc32(raw),
    raw.length,
  ]);
  return Object.keys(await contents(await read(body))).flatMap((path) => path.split('/')[2] ?? []);
}

function presentId(fixture: MirrorFixture): string {
  return fixture.mirror.served.current('default')?.snapshot.id ?? '';
}

describe('a denial by another process', () => {
  test.each([
    ['small', SMALL],
    ['large', LARGE],
  ])(
    'holds for the next request on the same connection, index and hot archive: %s',
    async (_size, archive) => {
      const fixture = await mirrorOf()
        .package('bad.1', { archive, checksums: KINDS })
        .package('good.1', { archive: sampleBytes(100, 7) })
        .forTest();
      const other = await fixture.other();
      const client = await fixture.connect();
      onTestFinished(() => client.close());
      const paths = KINDS.flatMap((kind) =>
        ['', '/default'].map((prefix) => fixture.path('bad.1', kind, prefix)),
      );
      for (let round = 0; round < 2; round++)
        for (const path of paths) expect((await client.get(path)).body.equals(archive)).toBe(true);
      expect(await versionsIn(await client.get('/index.tar.gz'))).toEqual(['bad.1', 'good.1']);

      await other.deny('bad');
      expect((await client.get(paths[0] ?? '')).status).toBe(404);
      for (const path of paths) expect((await client.get(path)).status).toBe(404);
      expect(await versionsIn(await client.get('/index.tar.gz'))).toEqual(['good.1']);
      expect((await client.get(fixture.path('good.1'))).status).toBe(200);

      await other.undeny('bad');
      expect(await versionsIn(await client.get('/index.tar.gz'))).toEqual(['bad.1', 'good.1']);
      for (const path of paths) expect((await client.get(path)).body.equals(archive)).toBe(true);
    },
  );

  test('holds for the file repo, whose stamp names the snapshot', async () => {
    const fixture = await mirrorOf().package('bad.1').package('good.1').forTest();
    const before = (await fixture.get('/repo')).body.toString();
    await (await fixture.other()).deny('bad');
    const after = (await fixture.get('/default/repo')).body.toString();
    expect([before.includes(presentId(fixture)), after.includes(presentId(fixture))]).toEqual([false, true]);
  });

  test('holds for conditions, ranges and HEAD', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).forTest();
    const path = fixture.path('bad.1');
    const { etag = '' } = (await fixture.get(path)).headers;
    const asked = [{ 'If-None-Match': etag }, { 'If-None-Match': '*' }, { Range: 'bytes=0-9' }, {}];
    const statuses = async () =>
      Promise.all(asked.flatMap((headers) => [fixture.get(path, headers), fixture.head(path, headers)])).then(
        (answers) => answers.map(({ status }) => status),
      );
    expect(await statuses()).toEqual([304, 304, 304, 304, 206, 200, 200, 200]);
    await (await fixture.other()).deny('bad');
    expect(new Set(await statuses())).toEqual(new Set([404]));
  });

  test('while the archive is fetched: 404, for those who wait and the next', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).forTest();
    const other = await fixture.other();
    const held = heldBeforeLastByte(SMALL);
    fixture.upstream.set('/archives/bad.1', held.answer);
    const waiting = [
      fixture.get(fixture.path('bad.1')),
      fixture.get(fixture.path('bad.1', 'sha256', '/default')),
    ];
    await fixture.upstream.asked('/archives/bad.1');
    await other.deny('bad');
    held.release();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([404, 404]);
    expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
  });

  test('while the archive is looked up: 404', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).forTest();
    await fixture.get(fixture.path('bad.1'));
    fixture.running.forget();
    const other = await fixture.other();
    const { blobs } = fixture.mirror;
    const open = blobs.open.bind(blobs);
    // The archive was looked up, and not yet sent.
    vi.spyOn(blobs, 'open').mockImplementationOnce(async (id) => {
      await other.deny('bad');
      return open(id);
    });
    expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
  });

  test('while a past index is put together: it is made anew', async () => {
    const fixture = await mirrorOf().package('bad.1').package('good.1').forTest();
    const past = presentId(fixture);
    fixture.package('default', 'more.1');
    await fixture.sync();
    const other = await fixture.other();
    const { blobs } = fixture.mirror;
    const open = blobs.open.bind(blobs);
    vi.spyOn(blobs, 'open').mockImplementationOnce(async (id) => {
      await other.deny('bad');
      return open(id);
    });
    expect(await versionsIn(await fixture.get(`/default@${past}/index.tar.gz`))).toEqual(['good.1']);
  });
});

test('the configuration denies as a person does', async () => {
  const fixture = await mirrorOf({ repository: { '*': { deny: ['bad'] } } })
    .package('bad.1', { archive: SMALL })
    .package('good.1', { archive: LARGE })
    .forTest();
  expect(await versionsIn(await fixture.get('/index.tar.gz'))).toEqual(['good.1']);
  expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
  expect((await fixture.get(fixture.path('good.1'))).status).toBe(200);
});

test.each([
  ['md5 alone', ['md5']],
  ['no checksum', []],
] as const)('hashes that were added to an archive with %s are denied with it', async (_name, checksums) => {
  const fixture = await mirrorOf({ repository: { default: { missing_hashes: 'strengthen' } } })
    .package('bad.1', { archive: SMALL, checksums })
    .package('good.1')
    .forTest();
  const other = await fixture.other();
  const statuses = () =>
    Promise.all((['sha256', 'sha512'] as const).map((kind) => fixture.get(fixture.path('bad.1', kind)))).then(
      (answers) => answers.map(({ status }) => status),
    );
  expect(await statuses()).toEqual([200, 200]);
  await other.deny('bad');
  expect(await statuses()).toEqual([404, 404]);
  await other.undeny('bad');
  expect(await statuses()).toEqual([200, 200]);
});

describe('looking at the store', () => {
  test('is done once for all who wait, not at all while nobody wrote, and forgets nothing without news', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
    const other = await fixture.other();
    await fixture.get(fixture.path('hello.1'));
    const look = vi.spyOn(fixture.mirror.served, 'look');
    const listed = vi.spyOn(fixture.mirror.catalogue, 'listed');
    for (let round = 0; round < 3; round++) await fixture.get(fixture.path('hello.1'));
    expect(look).toHaveBeenCalledTimes(0);
    await other.mirror.catalogue.saveSyncState('default', { attemptedAt: 1 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => fixture.get(fixture.path('hello.1'))));
    expect(answers.every(({ body }) => body.equals(SMALL))).toBe(true);
    expect(look.mock.calls.length).toBeLessThanOrEqual(2);
    expect(listed).not.toHaveBeenCalled();
  });

  test.each(['version', 'currentSnapshot'] as const)(
    'when %s fails: 503 for the index and 404 for archives, with the reason, and pages as ever',
    async (method) => {
      const fixture = await mirrorOf().package('hello.1', { archive: SMALL }).forTest();
      const other = await fixture.other();
      await fixture.get(fixture.path('hello.1'));
      await other.mirror.catalogue.saveSyncState('default', { attemptedAt: 1 });
      const broken = vi.spyOn(fixture.mirror.catalogue, method).mockImplementation(() => {
        throw new Error('the disk is on fire');
      });
      const past = `/default@${presentId(fixture)}/index.tar.gz`;
      for (const [path, status] of [
        ['/index.tar.gz', 503],
        ['/repo', 503],
        [past, 503],
        [fixture.path('hello.1'), 404],
        ['/healthz', 200],
      ] as const) {
        const answer = await fixture.get(path);
        expect([path, answer.status]).toEqual([path, status]);
        if (status !== 200) expect(answer.body.toString()).toMatch(/cannot read what was decided last/);
        expect((await fixture.head(path)).status).toBe(status);
      }
      expect(fixture.reported[0]?.message).toContain('on fire');
      broken.mockRestore();
      expect((await fixture.get(fixture.path('hello.1'))).body.equals(SMALL)).toBe(true);
      expect((await fixture.get('/index.tar.gz')).status).toBe(200);
    },
  );

  test('a new snapshot that cannot be read back: nothing older is served in its place', async () => {
    const fixture = await mirrorOf().package('bad.1', { archive: SMALL }).package('good.1').forTest();
    await fixture.get(fixture.path('bad.1'));
    const other = await fixture.other();
    await other.deny('bad');
    const pieces = vi.spyOn(fixture.mirror.catalogue, 'pieces').mockResolvedValue(new Map());
    const answer = await fixture.get('/index.tar.gz');
    expect([answer.status, answer.body.toString()]).toEqual([
      503,
      expect.stringContaining('cannot be read back'),
    ]);
    expect((await fixture.get(fixture.path('bad.1'))).status).toBe(404);
    pieces.mockRestore();
    await fixture.mirror.served.refresh('default');
    expect(await versionsIn(await fixture.get('/index.tar.gz'))).toEqual(['good.1']);
  });
});

describe('a past snapshot', () => {
  async function withPast() {
    const fixture = await mirrorOf({ repository: FORGETFUL })
      .package('a.1', { archive: sampleBytes(100, 3) })
      .package('bad.1', { archive: SMALL, checksums: KINDS })
      .package('bad.2', { archive: sampleBytes(100, 4) })
      .package('gone.1', { archive: sampleBytes(100, 5), checksums: KINDS })
      .package('z.1', { archive: sampleBytes(100, 6) })
      .forTest();
    const past = `/default@${presentId(fixture)}`;
    fixture.remove('default', 'packages/gone/gone.1/opam');
    fixture.package('default', 'bad.1', { archive: SMALL, checksums: ['sha256'] });
    await fixture.sync();
    const index = () => fixture.get(`${past}/index.tar.gz`);
    return { fixture, past, index, other: await fixture.other() };
  }

  test('has no denied version, in the same order, and is whole again when the denial is undone', async () => {
    const { fixture, past, index, other } = await withPast();
    const whole = await index();
    const repo = await fixture.get(`${past}/repo`);
    expect(await versionsIn(whole)).toEqual(['a.1', 'bad.1', 'bad.2', 'gone.1', 'z.1']);
    expect(whole.headers['cache-control']).toBe('public, max-age=60, must-revalidate');

    await other.deny('bad{= "1"}');
    const less = await index();
    expect(await versionsIn(less)).toEqual(['a.1', 'bad.2', 'gone.1', 'z.1']);
    expect(less.headers['cache-control']).toBe('public, max-age=60, must-revalidate');
    expect((await fixture.get(`${past}/repo`)).body).toEqual(repo.body);
    // Whoever asks whether its copy still holds is told that it does not.
    for (const condition of [
      { 'If-None-Match': whole.headers.etag ?? '' },
      { 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' },
    ])
      expect((await fixture.get(`${past}/index.tar.gz`, condition)).body).toEqual(less.body);
    // Another process makes the same bytes of it.
    const id = presentIdOf(past);
    expect((await other.mirror.served.past('default', id))?.index.equals(less.body)).toBe(true);

    await other.undeny('bad{= "1"}');
    expect((await index()).body).toEqual(whole.body);
  });

  test('has no version that is not accepted any more and denied, nor its archives, under any prefix', async () => {
    const { fixture, past, index, other } = await withPast();
    const prefixes = ['', '/default', past];
    const paths = KINDS.flatMap((kind) => prefixes.map((prefix) => fixture.path('gone.1', kind, prefix)));
    const statuses = async () =>
      new Set((await Promise.all(paths.map((path) => fixture.get(path)))).map(({ status }) => status));
    expect(await statuses()).toEqual(new Set([200]));
    await other.deny('gone');
    expect(await versionsIn(await index())).toEqual(['a.1', 'bad.1', 'bad.2', 'z.1']);
    expect(await statuses()).toEqual(new Set([404]));
    await other.undeny('gone');
    expect(await versionsIn(await index())).toContain('gone.1');
    expect(await statuses()).toEqual(new Set([200]));
  });

  test('an archive that only an older form of a denied version declared is denied with it', async () => {
    const { fixture, past, other } = await withPast();
    const md5 = fixture.path('bad.1', 'md5', past);
    expect((await fixture.get(md5)).status).toBe(200);
    await other.deny('bad');
    expect((await fixture.get(md5)).status).toBe(404);
    await other.undeny('bad');
    expect((await fixture.get(md5)).status).toBe(200);
  });

  test('of which everything is denied has its file repo', async () => {
    const { index, other } = await withPast();
    await other.deny('*');
    const answer = await index();
    expect(Object.keys(await contents(await read(answer.body)))).toEqual(['repo']);
  });

  test('a list of what is allowed holds for it, too', async () => {
    const { fixture, past } = await withPast();
    const { config } = fixture.mirror;
    const settings = config.repository.default;
    if (settings === undefined) throw new Error('the fixture has a repository default');
    settings.allow = ['a', 'bad'];
    expect(await versionsIn(await fixture.get(`${past}/index.tar.gz`))).toEqual(['a.1', 'bad.1', 'bad.2']);
    expect((await fixture.get(fixture.path('gone.1'))).status).toBe(404);
  });
});

function presentIdOf(past: string): Sha256 {
  const id = parseSha256(past.slice(past.indexOf('@') + 1));
  if (id === undefined) throw new Error(`${past} names no snapshot`);
  return id;
}

describe('for random repositories and denials', () => {
  const ARCHIVES = [1, 2, 3, 4].map((seed) => sampleBytes(500, seed));
  const VERSIONS = ['p.1', 'p.2', 'pq.1', 'q.1', 'q.2', 'r.1'] as const;
  const PATTERNS = ['p', 'p{= "1"}', 'p*', 'q{>= "2"}', 'q', '*', 'absent'] as const;

  const version = fc.record({
    archive: fc.nat(ARCHIVES.length - 1),
    checksums: fc.subarray([...KINDS], { minLength: 1 }),
    removed: fc.boolean(),
  });
  const step = fc.record({
    pattern: fc.constantFrom(...PATTERNS),
    /** Asked for before, so that it is in memory. */
    warm: fc.boolean(),
  });
  type Declared = { readonly id: string; readonly archive: Buffer; readonly checksums: readonly HashKind[] };

  /** How a client may write what it asks for, and whether that is a spelling of ours. */
  const spellings = (path: string, past: readonly string[]): readonly (readonly [string, boolean])[] => [
    ...['', '/default', ...past].map((prefix) => [prefix + path, true] as const),
    [path.replace(/[^/]+$/, (hex) => hex.toUpperCase()), false],
    [path.replace('/cache/', '/cache//'), false],
    [path.replace('/cache/', '/cache%2F'), false],
    [`${path}/`, false],
    [`${path}?`, false],
  ];

  test('an archive is answered exactly while a version declares it that is not denied', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(...VERSIONS.map(() => version)),
        fc.array(step, { minLength: 1, maxLength: 4 }),
        async (chosen, steps) => {
          // Each version declares what its file says, and no hashes that were added.
          const settings = { keep_removed: 0, weak_hashes: 'allow' } as const;
          const builder = mirrorOf({ repository: { default: settings } });
          const declared: Declared[] = chosen.map(({ archive, checksums }, index) => ({
            id: VERSIONS[index] ?? '',
            archive: ARCHIVES[archive] ?? Buffer.alloc(0),
            checksums,
          }));
          for (const { id, archive, checksums } of declared) builder.package(id, { archive, checksums });
          // One that stays, so that the upstream is never empty.
          builder.package('stays.1', { archive: SMALL });
          const fixture = await builder.start();
          try {
            await check(fixture, declared, chosen, steps);
          } finally {
            await fixture.close();
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  async function check(
    fixture: MirrorFixture,
    declared: readonly Declared[],
    chosen: readonly { readonly removed: boolean }[],
    steps: readonly { readonly pattern: string; readonly warm: boolean }[],
  ): Promise<void> {
    const past = [`/default@${presentId(fixture)}`];
    const gone = new Set<string>();
    for (const [index, { id }] of declared.entries()) {
      if (chosen[index]?.removed !== true) continue;
      fixture.remove('default', `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`);
      gone.add(id);
    }
    if (gone.size > 0) {
      await fixture.sync();
      past.push(`/default@${presentId(fixture)}`);
    }
    const other = await fixture.other();
    const denied = new Set<string>();
    await compare(fixture, declared, gone, denied, past);
    for (const { pattern, warm } of steps) {
      if (warm) await compare(fixture, declared, gone, denied, past);
      await toggle(other, denied, pattern);
      await compare(fixture, declared, gone, denied, past);
    }
    for (const pattern of [...denied]) await toggle(other, denied, pattern);
    await compare(fixture, declared, gone, denied, past);
  }

  async function toggle(other: OtherProcess, denied: Set<string>, pattern: string): Promise<void> {
    if (denied.delete(pattern)) await other.undeny(pattern);
    else {
      denied.add(pattern);
      await other.deny(pattern);
    }
  }

  async function compare(
    fixture: MirrorFixture,
    declared: readonly Declared[],
    gone: ReadonlySet<string>,
    denied: ReadonlySet<string>,
    past: readonly string[],
  ): Promise<void> {
    const isDenied = ({ id }: Declared): boolean => {
      const parsed = parsePackageId(id);
      return [...denied].some(
        (text) => parsed !== undefined && parsePackagePattern(text)?.matches(parsed) === true,
      );
    };
    const all = declared.map(({ id }) => id);
    const present = declared.filter((each) => !gone.has(each.id) && !isDenied(each));
    for (const [prefix, versions] of [
      ['', present.map(({ id }) => id)],
      [past[0] ?? '', declared.filter((each) => !isDenied(each)).map(({ id }) => id)],
    ] as const)
      expect(await versionsIn(await fixture.get(`${prefix}/index.tar.gz`))).toEqual([
        ...all.filter((id) => versions.includes(id)),
        ...(denied.has('*') ? [] : ['stays.1']),
      ]);
    for (const archive of ARCHIVES)
      for (const kind of KINDS) {
        const sharing = declared.filter((each) => each.archive === archive);
        const expected = answered(kind, sharing, gone, isDenied);
        for (const [path, isSpelling] of spellings(cachePath(kind, hexOf(kind, archive)), past)) {
          const [got, head] = [await fixture.get(path), await fixture.head(path)];
          expect([path, head.status]).toEqual([path, got.status]);
          if (!isSpelling) expect([path, got.status]).toEqual([path, 404]);
          else if (expected !== undefined) expect([path, got.status]).toEqual([path, expected ? 200 : 404]);
          if (got.status === 200) expect(got.body.equals(archive)).toBe(true);
        }
      }
  }

  /**
   * Whether a checksum is answered: while a version declares it that is not denied, and not when nothing is declared
   * beside it either. Undefined, so that both are right, where a denied version declares it together with checksums
   * that stand, under which the same bytes are answered; and where a version that upstream has removed shares it with
   * a denied one that is still there: the publication withdraws it then, which errs on the safe side.
   */
  function answered(
    kind: HashKind,
    sharing: readonly Declared[],
    gone: ReadonlySet<string>,
    isDenied: (version: Declared) => boolean,
  ): boolean | undefined {
    const declaring = sharing.filter(({ checksums }) => checksums.includes(kind));
    const standing = sharing.filter((each) => !isDenied(each));
    if (declaring.some((each) => !gone.has(each.id) && !isDenied(each))) return true;
    if (declaring.some((each) => !isDenied(each)))
      return sharing.some((each) => !gone.has(each.id) && isDenied(each)) ? undefined : true;
    const beside = new Set(declaring.flatMap(({ checksums }) => checksums));
    return standing.some(({ checksums }) => checksums.some((each) => beside.has(each))) ? undefined : false;
  }
});
