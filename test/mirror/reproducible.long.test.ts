/** The same tree gives the same bytes, whatever way it came and whatever was published before. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Files,
  GitUpstream,
  indexOf,
  manyPackages,
  opamPath,
  repositoryOf,
  version,
  writeFolder,
} from '../support/tree-builder.ts';
import { configOf, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const FILES: Files = {
  ...manyPackages(30),
  repo: 'announce: "hello"\narchive-mirrors: "https://cache.example"\n',
  version: '0.9.0\n',
  'packages/p3/p3.1/files/fix.patch': Buffer.from([0, 1, 2, 255]),
  [`packages/p4/p4.1/files/${'long'.repeat(30)}`]: 'x',
  'keys/dev/ada': 'keys: []\n',
  'compilers/4.00.0/4.00.0/4.00.0.comp': 'comp\n',
};

interface Offered {
  readonly url: string;
  offer(files: Files): Promise<unknown>;
}

const KINDS: Readonly<Record<string, () => Promise<Offered>>> = {
  'an HTTP index': async () => {
    const upstream = await startUpstream();
    return { url: upstream.url, offer: async (files) => upstream.serveIndex(files) };
  },
  'git over a path': async () => {
    const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
    return { url: git.url, offer: (files) => git.commit(files) };
  },
  'a folder': async () => {
    const folder = join(await temporaryFolder(), 'upstream');
    return { url: `file://${folder}`, offer: (files) => writeFolder(folder, files) };
  },
  'an index file': async () => {
    const file = join(await temporaryFolder(), 'index.tar.gz');
    return { url: `file://${file}`, offer: (files) => writeFile(file, indexOf(files)) };
  },
};

interface Published {
  readonly id: string;
  readonly sha256: string;
  /** In Base64: a difference is told in lines, not in bytes. */
  readonly index: string;
}

async function publishedFrom(offered: Offered, history: readonly Files[]): Promise<Published> {
  const mirror = await TestMirror.open({ default: offered.url });
  for (const files of history) {
    await offered.offer(files);
    await mirror.sync();
  }
  const snapshot = await mirror.mirror.catalogue.currentSnapshot('default');
  if (snapshot === undefined) throw new Error('nothing was published');
  return { id: snapshot.id, sha256: snapshot.sha256, index: (await mirror.index()).toString('base64') };
}

async function fromNothing(files: Files): Promise<Published> {
  const upstream = await startUpstream();
  return publishedFrom({ url: upstream.url, offer: async (all) => upstream.serveIndex(all) }, [files]);
}

describe.each(Object.entries(KINDS))('from %s', (_, open) => {
  test('the index has the bytes that it has from anywhere', async () => {
    expect(await publishedFrom(await open(), [FILES])).toEqual(await fromNothing(FILES));
  });

  test('it has them too when it was reached by way of others', async () => {
    const { repo: _repo, ...withoutRepo } = FILES;
    const history = [
      manyPackages(3),
      { ...FILES, ...version('p7.1', { more: 'x-other: 1' }) },
      { ...withoutRepo, ...version('zz.1') },
      FILES,
    ];
    expect(await publishedFrom(await open(), history)).toEqual(await fromNothing(FILES));
  });

  test('what did not change is neither read nor parsed nor deflated again', async () => {
    const offered = await open();
    await offered.offer(FILES);
    const mirror = await TestMirror.open({ default: offered.url });
    await mirror.publish();
    const changed = { ...FILES, ...version('p9.2', { more: 'x-changed: 1' }), 'README.md': 'not part of it' };
    await offered.offer(changed);
    await mirror.restart();
    const { counts } = await mirror.publish();
    expect(counts).toMatchObject({ filesParsed: 1, piecesDeflated: 1 });
    // Those that share the piece are read to write it anew.
    expect(counts.filesRead).toBeLessThan(20);
    await offered.offer({ ...changed, 'README.md': 'other words' });
    const again = await mirror.sync();
    if (again.kind !== 'not-modified')
      expect(again).toMatchObject({
        kind: 'unchanged',
        counts: { filesRead: 0, filesParsed: 0, piecesDeflated: 0 },
      });
  });

  test('every other kind of upstream can take over, and nothing is parsed or deflated', async () => {
    for (const openOther of Object.values(KINDS)) {
      const [before, after] = [await open(), await openOther()];
      await before.offer(FILES);
      await after.offer(FILES);
      const mirror = await TestMirror.open({ default: before.url });
      const { snapshot } = await mirror.publish();
      await mirror.restart(configOf(mirror.config.data, { default: after.url }));
      const outcome = await mirror.publish();
      expect(outcome).toMatchObject({ kind: 'unchanged', snapshot: { id: snapshot.id } });
      expect(outcome.counts).toMatchObject({ filesParsed: 0, piecesDeflated: 0 });
    }
  });
});

test('files that are known by SHA-256 are not even read when an index takes over from git', async () => {
  const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
  await git.commit(FILES);
  const upstream = await startUpstream();
  upstream.serveIndex(FILES);
  const mirror = await TestMirror.open({ default: git.url });
  await mirror.publish();
  await mirror.restart(configOf(mirror.config.data, { default: upstream.url }));
  expect((await mirror.publish()).counts.filesRead).toBe(0);
});

test('a new commit with the same tree publishes nothing', async () => {
  const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
  const first = await git.commit(FILES);
  const mirror = await TestMirror.open({ default: git.url });
  expect((await mirror.publish()).snapshot.commit).toBe(first);
  await git.commit({ ...FILES, 'README.md': 'hello' });
  expect((await mirror.publish()).kind).toBe('unchanged');
  expect((await mirror.sync()).kind).toBe('not-modified');
  expect(await mirror.events()).toEqual(['published']);
});

test('property: any order of history leads to the same index', async () => {
  const ids = ['a.1', 'a.2', 'b.1', 'c.1', 'c.1+x', 'd.1'];
  const state = fc.subarray(ids, { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(state, { minLength: 1, maxLength: 4 }), async (history) => {
      const upstream = await startUpstream();
      const offered: Offered = { url: upstream.url, offer: async (files) => upstream.serveIndex(files) };
      const end = repositoryOf(...(history.at(-1) ?? []));
      const byHistory = await publishedFrom(
        offered,
        history.map((all) => repositoryOf(...all)),
      );
      expect(byHistory).toEqual(await fromNothing(end));
    }),
    { numRuns: 4 },
  );
});

test('work grows with what changed: a version, a package more, a package less, the repo file', async () => {
  const upstream = await startUpstream();
  const base = manyPackages(200);
  upstream.serveIndex(base);
  const mirror = await TestMirror.open({ default: upstream.url });
  const first = await mirror.publish();
  expect(first.counts).toMatchObject({ filesParsed: 400, filesRead: 400 });
  expect(first.counts.piecesDeflated).toBeGreaterThan(20);

  const steps: readonly (readonly [Files, parsed: number, pieces: number])[] = [
    [{ ...base, ...version('p50.1', { more: 'x: 1' }) }, 1, 1],
    [{ ...base, ...version('new.1') }, 2, 4],
    [base, 0, 0],
    [{ ...base, repo: 'announce: "x"' }, 0, 0],
  ];
  for (const [files, parsed, pieces] of steps) {
    upstream.serveIndex(files);
    const { counts } = await mirror.publish();
    expect(counts.filesParsed).toBeLessThanOrEqual(parsed);
    expect(counts.piecesDeflated).toBeLessThanOrEqual(pieces);
  }
  const without = Object.fromEntries(Object.entries(base).filter(([path]) => path !== opamPath('p60.1')));
  upstream.serveIndex(without);
  expect((await mirror.publish()).counts).toMatchObject({ filesParsed: 0, piecesDeflated: 1 });
});
