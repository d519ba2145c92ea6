/** Archives of an overlay: where they come from, who is asked for them, under whose rules; and what a sync costs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bytes } from '../support/archive-upstream.ts';
import { hexOf, type MirrorFixture } from '../support/mirror-fixture.ts';
import { ada, rm1, root1, root2 } from '../support/signed-keys.ts';
import { repository } from '../support/signed-repository.ts';
import { digest } from '../support/signed-texts.ts';
import { writeFolder } from '../support/tree-builder.ts';
import {
  archive,
  decide,
  files,
  opam,
  overlay,
  type Settings,
  SOURCES,
  syncAll,
  versions,
} from './overlay-fixture.ts';

/** Nobody is there: whatever went to the mirror's own address would fail. */
const PUBLIC_URL = 'http://mirror.invalid';

const cacheOf = (kind: string, id: string): string => {
  const hex = hexOf('sha256', archive(id));
  return `/${kind}/cache/sha256/${hex.slice(0, 2)}/${hex}`;
};

describe('rewritten sources', () => {
  const rewriting = { rewrite_sources: true };
  interface Case {
    readonly who: string;
    readonly settings: Settings;
    readonly src: string;
  }
  test.each<Case>([
    { who: 'by the source', settings: { public: rewriting }, src: PUBLIC_URL + cacheOf('public', 'zeta.1') },
    { who: 'by the overlay', settings: { both: rewriting }, src: PUBLIC_URL + cacheOf('both', 'zeta.1') },
    {
      who: 'by both',
      settings: { public: rewriting, both: rewriting },
      src: PUBLIC_URL + cacheOf('both', 'zeta.1'),
    },
  ])('$who: the archive comes from upstream, never from the mirror itself', async ({ settings, src }) => {
    const fixture = await overlay(settings, undefined, PUBLIC_URL)
      .in('internal')
      .package('acme.1')
      .in('public')
      .package('zeta.1', { archive: archive('zeta.1') })
      .forTest();
    await syncAll(fixture);
    expect((await files(fixture))[opam('zeta.1')]).toContain(`src: "${src}"`);
    const answer = await fixture.get(cacheOf('both', 'zeta.1'));
    expect([answer.status, answer.body.toString()]).toEqual([200, archive('zeta.1').toString()]);
    expect(fixture.upstream.requests('/archives/zeta.1')).toBe(1);
  });
});

describe('caches of the upstreams', () => {
  async function withCaches(): Promise<MirrorFixture> {
    const builder = overlay()
      .in('internal')
      .package('acme.1', { archive: archive('acme.1') })
      .package('shared.1', { archive: archive('shared.1') })
      .in('public')
      .package('zeta.1', { archive: archive('zeta.1') })
      .package('other.1', { archive: archive('shared.1') });
    const fixture = await builder.forTest({ sync: false });
    for (const source of SOURCES)
      fixture.file(source, 'repo', 'opam-version: "2.0"\narchive-mirrors: "cache"\n');
    await syncAll(fixture);
    return fixture;
  }

  test.each([
    { whose: 'a private archive', id: 'acme.1', asked: { internal: 1, public: 0 } },
    { whose: 'a public archive', id: 'zeta.1', asked: { internal: 0, public: 1 } },
    { whose: 'an archive that both list', id: 'shared.1', asked: { internal: 1, public: 1 } },
  ])('of $whose: only those whose upstream lists it learn its hash', async ({ id, asked }) => {
    const fixture = await withCaches();
    expect((await fixture.get(cacheOf('both', id))).status).toBe(200);
    expect({
      internal: fixture.upstream.requests(cacheOf('internal', id)),
      public: fixture.upstream.requests(cacheOf('public', id)),
    }).toEqual(asked);
  });

  test('the overlay has it from the cache of the source that lists it', async () => {
    const fixture = await withCaches();
    fixture.upstream.set(cacheOf('internal', 'acme.1'), bytes(archive('acme.1')));
    expect((await fixture.get(cacheOf('both', 'acme.1'))).status).toBe(200);
    expect(fixture.upstream.requests('/archives/acme.1')).toBe(0);
  });
});

test('an archive that neither source lists is not answered', async () => {
  const fixture = await overlay()
    .in('internal')
    .package('acme.1', { archive: archive('acme.1') })
    .in('public')
    .package('acme.2', { archive: archive('acme.2') })
    .package('zeta.1')
    .forTest();
  await syncAll(fixture);
  expect((await fixture.get(cacheOf('both', 'acme.1'))).status).toBe(200);
  // It is the public's name no more, so the overlay has never listed it.
  expect((await fixture.get(cacheOf('public', 'acme.2'))).status).toBe(200);
  expect((await fixture.get(cacheOf('both', 'acme.2'))).status).toBe(404);
});

test('what signers stand for is demanded of the overlay’s archives too, after a change of rules as well', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'serai-overlay-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const genuine = 'the archive of foo.1';
  const fixture = await overlay({
    internal: {
      upstream: `file://${folder}`,
      dialect: 'signed',
      trust_anchors: [root1.fingerprint, root2.fingerprint],
      quorum: 2,
    },
  })
    .in('public')
    .package('zeta.1')
    .forTest({ sync: false });
  // The opam file names no more than md5: of two files that share it the signed one alone is right.
  const md5 = hexOf('md5', Buffer.from(genuine));
  const src = `${fixture.upstream.address}/foo`;
  const { files: signed } = repository()
    .key(ada, rm1)
    .delegate('foo', [ada.id], ada)
    .version('foo.1', [ada], {
      opam: `opam-version: "2.0"\nurl { src: "${src}" checksum: "md5=${md5}" }\n`,
      more: `archive: [${digest(genuine)}]\n`,
    });
  await writeFolder(
    folder,
    Object.fromEntries([...signed].map(([path, text]) => [path, Buffer.from(text, 'latin1')])),
  );
  await syncAll(fixture);
  expect(await versions(fixture)).toEqual(['foo.1', 'zeta.1']);
  const listed = async () => {
    const archives = await fixture.mirror.archives.listed('both', { kind: 'md5', hex: md5 });
    return archives.map(({ size, checksums }) => [size, checksums.map(({ kind }) => kind)]);
  };
  const bound = await fixture.mirror.archives.listed('internal', { kind: 'md5', hex: md5 });
  expect(bound.map(({ size }) => size)).toEqual([genuine.length]);
  const expected = bound.map(({ size, checksums }) => [size, checksums.map(({ kind }) => kind)]);
  expect(await listed()).toEqual(expected);
  await decide(fixture, 'foo', 'both', true);
  expect(await listed()).toEqual([]);
  await decide(fixture, 'foo', 'both', false);
  expect(await listed()).toEqual(expected);
});

describe('the work of an overlay', () => {
  /** The same text on every mirror. */
  const PLAIN = { sources: ['https://archives.example/any'] };

  async function standing(settings: Settings = {}): Promise<MirrorFixture> {
    const builder = overlay(settings).in('internal').package('acme.1', PLAIN).in('public');
    for (let index = 0; index < 40; index++) builder.package(`p${index}.1`, PLAIN);
    const fixture = await builder.forTest();
    await syncAll(fixture);
    return fixture;
  }

  test('sources that stand as they did: nothing is done', async () => {
    const fixture = await standing();
    expect(await fixture.sync('both')).toEqual({ kind: 'not-modified' });
    expect(await syncAll(fixture)).toEqual({ kind: 'not-modified' });
  });

  test('one version more: its piece alone is deflated, by the source and nobody else', async () => {
    const fixture = await standing();
    fixture.package('public', 'p7.2', PLAIN);
    expect(await fixture.sync('public')).toMatchObject({ kind: 'published', counts: { piecesDeflated: 1 } });
    expect(await fixture.sync('both')).toMatchObject({
      kind: 'published',
      // The piece of `repo`, which names the snapshot, is not counted among them.
      counts: { filesParsed: 0, bytesHashed: 0, piecesDeflated: 0 },
    });
    expect(await versions(fixture)).toContain('p7.2');
  });

  test('a name that the first source has come to own changes the overlay, though no index changed', async () => {
    const fixture = await standing();
    fixture.file('internal', opam('p3.9'), 'depends: [');
    await fixture.sync('internal');
    expect(await fixture.sync('both')).toMatchObject({ kind: 'published' });
    expect(await versions(fixture)).not.toContain('p3.1');
  });

  test('the same sources make the same bytes on another mirror, whatever came before', async () => {
    const one = await standing();
    one.package('public', 'p7.2', PLAIN);
    one.package('public', 'gone.1', PLAIN);
    await syncAll(one);
    one.remove('public', opam('gone.1'));
    one.package('internal', 'p9.3', PLAIN);
    await syncAll(one);
    const builder = overlay()
      .in('internal')
      .package('p9.3', PLAIN)
      .package('acme.1', PLAIN)
      .in('public')
      .package('p7.2', PLAIN);
    for (let index = 39; index >= 0; index--) builder.package(`p${index}.1`, PLAIN);
    const other = await builder.forTest();
    await syncAll(other);
    const index = async (fixture: MirrorFixture) => (await fixture.get('/both/index.tar.gz')).body;
    expect(await versions(other)).toEqual(await versions(one));
    expect((await index(other)).equals(await index(one))).toBe(true);
  });
});
