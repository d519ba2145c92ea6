/** What is derived from the accepted tree for clients: their only way is the mirror, and the same is the same anywhere. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseOpamFile } from '../../src/opam/parser.ts';
import { parseChecksum, sourcesOf } from '../../src/opam/sources.ts';
import { bytesOf } from '../support/store-blobs-reading.ts';
import {
  checksumOf,
  type Files,
  GitUpstream,
  indexOf,
  manyPackages,
  opamPath,
  REPO,
  version,
} from '../support/tree-builder.ts';
import { type Settings, settingsOf, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const PUBLIC = 'https://opam.corp.example';
const CACHE = `${PUBLIC}/default/cache`;
const NOTHING = { filesRead: 0, filesParsed: 0, bytesHashed: 0, piecesDeflated: 0 };

function digest(kind: string, bytes: string): string {
  return `${kind}=${createHash(kind).update(bytes).digest('hex')}`;
}

function address(checksum: string): string {
  const [kind = '', hex = ''] = checksum.split('=');
  return `${CACHE}/${kind}/${hex.slice(0, 2)}/${hex}`;
}

/** The sources of an opam file, as a client reads them. */
function sources(text: string | undefined) {
  return sourcesOf(parseOpamFile(Buffer.from(text ?? '', 'latin1')));
}

describe('with rewrite_sources', () => {
  const REWRITE = { rewrite_sources: true } as const;

  async function begin(files: (url: string) => Files, settings: Omit<Settings, 'upstream'> = {}) {
    const upstream = await startUpstream();
    upstream.serveIndex({ ...REPO, ...files(upstream.url) });
    for (const name of ['one', 'two', 'patch']) upstream.serve(`/${name}`, Buffer.from(name));
    const mirror = await TestMirror.with(
      { ...REWRITE, ...settings, upstream: upstream.url },
      { public_url: `${PUBLIC}/` },
    );
    await mirror.sync();
    const summary = JSON.parse((await mirror.mirror.catalogue.currentSnapshot('default'))?.summary ?? '');
    return { upstream, mirror, files: await mirror.files(), summary };
  }

  test('every address is the mirror’s own, by the strongest checksum, and what stood there is kept beside', async () => {
    const sums = (name: string) => [digest('md5', name), digest('sha512', name)];
    const { files } = await begin((url) => ({
      ...version('p.1', {
        sources: [`${url}/one`, 'https://elsewhere.example/one'],
        checksums: sums('one'),
        more: `extra-source "p.patch" {\n  src: "${url}/patch"\n  checksum: "${digest('sha256', 'patch')}"\n}`,
      }),
      ...version('q.1', { sources: [`${url}/two`], checksums: [digest('sha256', 'two')] }),
    }));
    const opam = files[opamPath('p.1')];
    expect(sources(opam)).toMatchObject([
      { src: address(digest('sha512', 'one')), mirrors: [], kind: 'archive' },
      { src: address(digest('sha256', 'patch')), mirrors: [], name: 'p.patch' },
    ]);
    expect(opam).toContain('x-serai-sources');
    expect(opam).toContain('https://elsewhere.example/one');
    for (const [path, text] of Object.entries(files))
      if (path.endsWith('/opam'))
        for (const { src, mirrors } of sources(text)) {
          expect(src.startsWith(`${CACHE}/`), src).toBe(true);
          expect(mirrors).toEqual([]);
        }
  });

  test('the mirror itself still fetches from upstream', async () => {
    const { upstream, mirror } = await begin((url) =>
      version('p.1', { sources: [`${url}/one`], checksums: [digest('sha256', 'one')] }),
    );
    const { archives, blobs } = mirror.mirror;
    const checksum = parseChecksum(digest('sha256', 'one'));
    if (checksum === undefined) throw new Error('no checksum');
    const { blob } = await archives.obtain('default', await archives.listed('default', checksum));
    expect(Buffer.from(await bytesOf(blobs, blob)).toString()).toBe('one');
    expect(upstream.requests('/one')).toBe(1);
    await mirror.restart();
    expect((await mirror.mirror.archives.listed('default', checksum))[0]?.sources).toEqual([
      `${upstream.url}/one`,
    ]);
  });

  test('md5 only and no checksum at all: pinned, and served by the pinned hash', async () => {
    const { files } = await begin(
      (url) => ({
        ...version('p.1', { sources: [`${url}/one`], checksums: [digest('md5', 'one')] }),
        ...version('p.2', { sources: [`${url}/two`], checksums: [] }),
      }),
      { missing_hashes: 'strengthen' },
    );
    expect(sources(files[opamPath('p.1')])[0]?.src).toBe(address(digest('sha256', 'one')));
    expect(sources(files[opamPath('p.2')])[0]?.src).toBe(address(digest('sha256', 'two')));
  });

  test.each<[string, Files]>([
    ['version control', version('v.1', { sources: ['git+https://git.example/v.git'], checksums: [] })],
    ['no checksum', version('v.1', { checksums: [] })],
    [
      'an extra-source from version control',
      version('v.1', { more: 'extra-source "x" {\n  src: "git+https://git.example/x"\n}' }),
    ],
  ])('what cannot come from the mirror is held: %s', async (_, files) => {
    const { summary, files: served } = await begin(() => ({ ...version('p.1'), ...files }));
    expect(summary.held).toMatchObject([{ version: 'v.1', rule: 'outside-source' }]);
    expect(Object.keys(served)).toEqual([opamPath('p.1'), 'repo']);
  });

  test('a release does not help against that', async () => {
    const { mirror } = await begin(() => version('v.1', { checksums: [] }));
    await mirror.release('v.1');
    await mirror.rederive();
    expect(Object.keys(await mirror.files())).toEqual(['repo']);
  });

  test('without it, upstream’s bytes are served as they are', async () => {
    const files = { ...REPO, ...version('p.1'), ...version('v.1', { checksums: [] }) };
    const upstream = await startUpstream();
    upstream.serveIndex(files);
    const mirror = await TestMirror.with({ upstream: upstream.url });
    await mirror.publish();
    const { repo: _, ...served } = await mirror.files();
    const { repo: __, ...offered } = files as Record<string, string>;
    expect(served).toEqual(offered);
  });
});

describe('reproducible', () => {
  const FILES = manyPackages(12);
  const REWRITE = { rewrite_sources: true } as const;

  async function mirrorOf(url: string): Promise<TestMirror> {
    return TestMirror.with({ ...REWRITE, upstream: url }, { public_url: PUBLIC });
  }

  test('from git and from an index, with decisions before and after the first sync', async () => {
    const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
    await git.commit(FILES);
    const upstream = await startUpstream();
    upstream.serveIndex(FILES);
    const one = await mirrorOf(git.url);
    await one.publish();
    await one.deny('p3');
    await one.rederive();
    await one.deny('p5{= "2"}');
    await one.rederive();
    const other = await mirrorOf(upstream.url);
    await other.deny('p5{= "2"}');
    await other.deny('p3');
    await other.publish();
    const ids = await Promise.all(
      [one, other].map(async ({ mirror }) => (await mirror.catalogue.currentSnapshot('default'))?.id),
    );
    expect(ids[0]).toBe(ids[1]);
    expect(await one.index()).toEqual(await other.index());
    expect(Object.keys(await one.files())).toHaveLength(2 * 12 + 1 - 3);
  });

  test('whatever was decided on the way, undone or not, in whatever order, with restarts', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(FILES);
    const decisions = fc.array(
      fc.record({
        what: fc.constantFrom('deny', 'deny', 'undeny', 'restart', 'sync'),
        subject: fc.constantFrom('p0', 'p1{>= "2"}', 'p1', 'p7', 'p*', 'p11{= "1"}'),
      }),
      { maxLength: 7 },
    );
    await fc.assert(
      fc.asyncProperty(decisions, async (steps) => {
        const mirror = await mirrorOf(upstream.url);
        await mirror.publish();
        const denied = new Set<string>();
        for (const { what, subject } of steps) {
          if (what === 'restart') await mirror.restart();
          else if (what === 'sync') await mirror.sync();
          else {
            if (what === 'deny') denied.add(subject);
            else denied.delete(subject);
            await mirror[what](subject);
            await mirror.rederive();
          }
        }
        const fresh = await mirrorOf(upstream.url);
        for (const subject of [...denied].sort()) await fresh.deny(subject);
        await fresh.publish();
        expect(await mirror.index()).toEqual(await fresh.index());
        for (let each = 0; each < 12; each++)
          for (const id of [`p${each}.1`, `p${each}.2`]) {
            const checksum = digest('sha256', id);
            expect(await mirror.lists(checksum), id).toBe(await fresh.lists(checksum));
          }
        await mirror.close();
        await fresh.close();
      }),
      { numRuns: 12 },
    );
  });
});

describe('work grows with what changes', () => {
  const FILES = manyPackages(40);

  test('a denial reads one piece, parses nothing and deflates one piece; taking it back deflates none', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(FILES);
    const mirror = await TestMirror.with({ upstream: upstream.url });
    await mirror.publish();
    await mirror.restart();
    await mirror.deny('p7');
    const { counts } = (await mirror.rederive()) ?? {};
    expect(counts).toMatchObject({ filesParsed: 0, bytesHashed: 0, piecesDeflated: 1 });
    expect(counts?.filesRead).toBeLessThan(30);
    await mirror.undeny('p7');
    expect((await mirror.rederive())?.counts).toEqual(NOTHING);
    expect(await mirror.rederive()).toBeUndefined();
    expect(upstream.requestsInAll).toBe(1);
  });

  test('with rewrite_sources a change of one file parses one and deflates two pieces, after a restart too', async () => {
    const upstream = await startUpstream();
    const settings: Settings = { rewrite_sources: true, upstream: upstream.url };
    const top = { public_url: PUBLIC };
    upstream.serveIndex(FILES);
    const mirror = await TestMirror.with(settings, top);
    const pieces = (await mirror.publish()).counts.piecesDeflated;
    expect(pieces).toBeGreaterThan(8);
    for (const [round, id] of ['p3.1', 'p4.2'].entries()) {
      if (round === 1) await mirror.restart();
      upstream.serveIndex({ ...FILES, ...version(id, { more: 'description: "more"' }) });
      // In the second round the first change is taken back as well, in another piece.
      const { counts } = await mirror.publish();
      expect(counts.filesParsed).toBe(round + 1);
      expect(counts.piecesDeflated).toBe(2);
    }
    expect(Object.keys(await mirror.files())).toHaveLength(81);
  });

  test.each([false, true])(
    'an unchanged sync does nothing, also when upstream knows no validator (rewriting: %s)',
    async (rewrites) => {
      const upstream = await startUpstream();
      const index = indexOf(FILES);
      upstream.set('/index.tar.gz', (_request, response) => response.end(index));
      const mirror = await TestMirror.with(
        { rewrite_sources: rewrites, upstream: upstream.url },
        { public_url: PUBLIC },
      );
      await mirror.publish();
      expect(await mirror.publish()).toMatchObject({ kind: 'unchanged', counts: NOTHING });
      await mirror.restart();
      expect(await mirror.publish()).toMatchObject({ kind: 'unchanged', counts: NOTHING });
      expect((await mirror.events()).filter((kind) => kind === 'published')).toHaveLength(1);
    },
  );

  test('another public_url rewrites all, without the upstream', async () => {
    const upstream = await startUpstream();
    const { url } = upstream;
    upstream.serveIndex(FILES);
    const mirror = await TestMirror.with({ rewrite_sources: true, upstream: url }, { public_url: PUBLIC });
    await mirror.publish();
    await upstream.stop();
    const top = { public_url: 'https://other.example' };
    await mirror.restart(settingsOf(mirror.config.data, { rewrite_sources: true, upstream: url }, top));
    const { counts } = (await mirror.rederive()) ?? {};
    expect(counts).toMatchObject({ filesParsed: 0 });
    expect(sources((await mirror.files())[opamPath('p0.1')])[0]?.src).toMatch(
      /^https:\/\/other\.example\/default\/cache\//,
    );
  });
});

describe('a source that is named twice is what opam takes it for: the first', () => {
  const twice = (id: string, checksums: readonly string[]): string =>
    [
      'opam-version: "2.0"',
      ...checksums.map(
        (checksum) => `extra-source "e" {\n  src: "https://archives.example/e"\n  checksum: "${checksum}"\n}`,
      ),
      `url {\n  src: "https://archives.example/${id}"\n  checksum: "${checksumOf(id)}"\n}\n`,
    ].join('\n');

  test.each([
    ['an extra-source', { 'packages/p/p.1/opam': twice('p.1', [checksumOf('one'), checksumOf('two')]) }],
    [
      'an archive, in opam and in a url file of format 1.2',
      {
        'packages/p/p.1/opam': twice('p.1', []),
        'packages/p/p.1/url': `archive: "https://archives.example/old"\nchecksum: "${'0'.repeat(32)}"\n`,
      },
    ],
  ] as const)('%s', async (_, files) => {
    const upstream = await startUpstream();
    const mirror = await TestMirror.with(
      { upstream: upstream.url, rewrite_sources: true, weak_hashes: 'warn' },
      { public_url: PUBLIC },
    );
    upstream.serveIndex({ ...REPO, ...version('q.1'), ...files });
    const { summary } = await mirror.publish();
    expect(summary).toMatchObject({ versions: 2, held: [] });
    const served = (await mirror.files())['packages/p/p.1/opam'] ?? '';
    expect(served.match(/src: "([^"]*)"/g)?.every((src) => src.includes('/default/cache/sha256/'))).toBe(
      true,
    );
  });
});
