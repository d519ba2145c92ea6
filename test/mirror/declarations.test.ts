/** Which archives a repository answers for after a publication, and where each may be had. */
import { describe, expect, test } from 'vitest';
import type { Checksum } from '../../src/hashes.ts';
import { declarationKey, declarationsOf } from '../../src/mirror/archives/declarations.ts';
import { type FileFacts, listingOf } from '../../src/mirror/index/file-facts.ts';
import { pieceKey } from '../../src/mirror/index/pieces.ts';
import { sha256Of } from '../../src/mirror/index/snapshot-id.ts';
import { StandingTree } from '../../src/mirror/index/standing-tree.ts';
import { checksumOf, repositoryOf, sha256, version } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

const of = (text: string): Checksum => ({ kind: 'sha256', hex: sha256(text) });

async function sourcesOf(
  mirror: TestMirror,
  text: string,
  repository = 'default',
): Promise<readonly (readonly string[])[]> {
  const listed = await mirror.mirror.catalogue.listed(repository, of(text));
  return listed.map(({ sources }) => sources);
}

describe('an archive that several files declare', () => {
  const shared = [checksumOf('shared')];
  const first = version('a.1', {
    checksums: shared,
    sources: ['https://one.example/a', 'https://two.example/a'],
  });
  const second = version('zz.1', { checksums: shared, sources: ['https://three.example/a'] });
  const all = ['https://one.example/a', 'https://two.example/a', 'https://three.example/a'];

  test('has the addresses of all of them', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex({ ...repositoryOf('m.1'), ...first, ...second });
    const mirror = await TestMirror.open({ default: upstream.url });
    await mirror.publish();
    expect(await sourcesOf(mirror, 'shared')).toEqual([all]);
  });

  test('has them too when the second file comes later, and the first is not read again', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex({ ...repositoryOf('m.1'), ...first });
    const mirror = await TestMirror.open({ default: upstream.url });
    await mirror.publish();
    await mirror.restart();
    upstream.serveIndex({ ...repositoryOf('m.1'), ...first, ...second });
    expect((await mirror.publish()).counts.filesParsed).toBe(1);
    expect(await sourcesOf(mirror, 'shared')).toEqual([all]);
  });
});

test('two repositories side by side share pieces, and each lists its own archives', async () => {
  const upstream = await startUpstream();
  const common = repositoryOf('a.1', 'b.1');
  upstream.serveIndex(common, '/one');
  upstream.serveIndex({ ...common, ...version('c.1') }, '/two');
  upstream.serveIndex(repositoryOf('d.1'), '/three');
  const names = ['one', 'two', 'three'];
  const mirror = await TestMirror.open(
    Object.fromEntries(names.map((name) => [name, `${upstream.url}/${name}`])),
  );
  for (const name of names) await mirror.publish(name);
  const lists = async (text: string) => {
    const found = await Promise.all(names.map((name) => sourcesOf(mirror, text, name)));
    return names.filter((_, index) => found[index]?.length === 1);
  };
  expect(await lists('a.1')).toEqual(['one', 'two']);
  expect(await lists('c.1')).toEqual(['two']);
  expect(await lists('d.1')).toEqual(['three']);
});

test('the second of two repositories with the same packages deflates none of them', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(repositoryOf('a.1', 'b.1'));
  const mirror = await TestMirror.open({ one: upstream.url, two: upstream.url });
  expect((await mirror.publish('one')).counts.piecesDeflated).toBeGreaterThan(0);
  const second = await mirror.publish('two');
  expect(second.counts.piecesDeflated).toBe(0);
  expect(await mirror.index('two')).toEqual(await mirror.index('one'));
});

test('an archive stays listed when its version is gone: a past snapshot still names it', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(repositoryOf('a.1', 'b.1'));
  const mirror = await TestMirror.open({ default: upstream.url });
  await mirror.publish();
  upstream.serveIndex(repositoryOf('a.1'));
  await mirror.publish();
  expect(await sourcesOf(mirror, 'b.1')).toEqual([['https://archives.example/b.1.tgz']]);
});

test('an address that changed replaces the old one', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex(repositoryOf('a.1'));
  const mirror = await TestMirror.open({ default: upstream.url });
  await mirror.publish();
  upstream.serveIndex({ ...repositoryOf('b.1'), ...version('a.1', { sources: ['https://new.example/a'] }) });
  await mirror.publish();
  expect(await sourcesOf(mirror, 'a.1')).toEqual([['https://new.example/a']]);
});

describe('sets of checksums', () => {
  test('are the same in any order and with repetitions', () => {
    const [one, two] = [of('one'), of('two')];
    expect(declarationKey({ checksums: [one, two, one] })).toBe(declarationKey({ checksums: [two, one] }));
    expect(declarationKey({ checksums: [one] })).not.toBe(declarationKey({ checksums: [two, one] }));
    expect(declarationKey({ checksums: [one], size: 1 })).not.toBe(declarationKey({ checksums: [one] }));
  });

  test('keep a bounded number of addresses', async () => {
    const sources = Array.from({ length: 100 }, (_, index) => `https://${index}.example/`);
    const file: FileFacts = {
      path: 'packages/a/a.1/opam',
      id: 'git:00',
      size: 1,
      sha256: sha256Of(Buffer.from('x')),
      archives: [{ checksums: [of('one')], sources }],
      others: [],
    };
    const files = [file];
    const listing = listingOf(files);
    const piece = { key: pieceKey(listing), listing, files };
    const nothing = { contents: async () => new Map(), declaring: async () => [] };
    const { declared, difference } = await declarationsOf({
      repository: 'default',
      catalogue: nothing,
      tree: new StandingTree([piece], nothing),
      entering: [piece],
      leaving: [],
      bind: (each) => each,
    });
    expect(declared.map((each) => each.sources)).toEqual([sources.slice(0, 16)]);
    expect(difference).toBe(1);
  });
});
