import { describe, expect, test } from 'vitest';
import { decodeSummary } from '../../src/mirror/report/summary.ts';
import { readRepoFile } from '../../src/opam/repo.ts';
import type { CountingUpstream } from '../support/counting-upstream.ts';
import {
  type Files,
  manyPackages,
  opamPath,
  REPO,
  repositoryOf,
  sha256,
  version,
} from '../support/tree-builder.ts';
import { configOf, failureOf, startUpstream, TestMirror } from './test-mirror.ts';

interface Standing {
  readonly upstream: CountingUpstream;
  readonly mirror: TestMirror;
}

/** A mirror that has published these files. */
async function published(files: Files): Promise<Standing> {
  const upstream = await startUpstream();
  upstream.serveIndex(files);
  const mirror = await TestMirror.open({ default: upstream.url });
  await mirror.publish();
  return { upstream, mirror };
}

describe('the repo file as served', () => {
  test('drops redirect, keeps announce and what else stands there, and is stamped with the snapshot', async () => {
    const repo = [
      'stamp: "theirs"',
      'redirect: "https://elsewhere.example"',
      'announce: "hello \\"all\\""',
      'browse: "https://browse.example"',
      'archive-mirrors: ["their-cache"]',
      'x-more: [1 2]',
    ].join('\n');
    const { mirror } = await published({ ...repositoryOf('a.1'), repo });
    const { id } = (await mirror.mirror.catalogue.currentSnapshot('default')) ?? { id: '' };
    expect((await mirror.files()).repo).toBe(
      [
        'opam-version: "2.0"',
        'archive-mirrors: "cache"',
        `stamp: "${id}"`,
        'announce: "hello \\"all\\""',
        'browse: "https://browse.example"',
        'x-more: [1 2]',
        '',
      ].join('\n'),
    );
  });

  test('is there also where the upstream has none: clients would take it for format 1.2', async () => {
    const { mirror } = await published(version('a.1'));
    const repo = readRepoFile(Buffer.from((await mirror.files()).repo ?? ''));
    expect(repo.archiveMirrors).toEqual(['cache']);
    expect(repo.file.items[0]).toMatchObject({ name: 'opam-version', value: { text: '2.0' } });
  });

  test('keeps bytes that are not ASCII', async () => {
    const { mirror } = await published({ ...repositoryOf('a.1'), repo: 'announce: "grüße"\n' });
    expect(Buffer.from((await mirror.files()).repo ?? '', 'latin1').toString('utf8')).toContain('"grüße"');
  });

  test.each([
    ['no opam file', 'opam-version: ('],
    ['bad UTF-8', Buffer.from('announce: "\xff"', 'latin1')],
    ['a NUL byte', 'announce: "\0"'],
  ])('is refused with the whole update when it is %s', async (_, repo) => {
    const { mirror, upstream } = await published(repositoryOf('a.1'));
    const before = await mirror.index();
    upstream.serveIndex({ ...repositoryOf('a.1', 'a.2'), repo });
    const failure = await failureOf(mirror.sync());
    expect(failure).toMatchObject({
      code: 'tree-refused',
      message: expect.stringMatching(/repo.*line 1, column/),
    });
    await mirror.restart();
    expect(await mirror.index()).toEqual(before);
  });

  test("names the upstream's own caches as they are reached from it", async () => {
    const repo =
      'archive-mirrors: ["cache" "../up" "https://other.example/c" "ftp://x.example" "file:///etc"]';
    const { mirror, upstream } = await published({ ...repositoryOf('a.1'), repo });
    const current = await mirror.mirror.catalogue.currentSnapshot('default');
    expect(decodeSummary(current?.summary ?? '').archiveMirrors).toEqual([
      `${upstream.url}/cache`,
      `${upstream.url}/up`,
      'https://other.example/c',
    ]);
  });
});

const BROKEN: Files = { [opamPath('b.1')]: 'opam-version: "2.0"\nbuild: [\n' };

describe('an opam file that does not parse', () => {
  test('holds that version with line and column, and everything else moves on', async () => {
    const { mirror } = await published({
      ...repositoryOf('a.1', 'a.2', 'b.2'),
      ...BROKEN,
      'packages/b/b.1/files/fix': 'patch',
    });
    const current = await mirror.mirror.catalogue.currentSnapshot('default');
    const summary = decodeSummary(current?.summary ?? '');
    expect(summary.held).toEqual([
      {
        version: 'b.1',
        rule: 'unreadable',
        reason: expect.stringMatching(/^packages\/b\/b\.1\/opam: line 3, column 0/),
      },
    ]);
    expect(summary).toMatchObject({ packages: 2, versions: 3 });
    expect(Object.keys(await mirror.files())).toEqual([
      opamPath('a.1'),
      opamPath('a.2'),
      opamPath('b.2'),
      'repo',
    ]);
  });

  test('was served before: its last good form is served on', async () => {
    const { mirror, upstream } = await published(repositoryOf('a.1', 'b.1'));
    upstream.serveIndex({ ...repositoryOf('a.1', 'a.2'), ...BROKEN, 'packages/b/b.1/files/fix': 'patch' });
    const { summary } = await mirror.publish();
    expect(summary).toMatchObject({ packages: 2, versions: 3, held: [] });
    expect(summary.keptBack).toEqual([
      { version: 'b.1', rule: 'checksum-dropped', reason: expect.stringContaining('line 3, column 0') },
    ]);
    const files = await mirror.files();
    expect(Object.keys(files)).toEqual([opamPath('a.1'), opamPath('a.2'), opamPath('b.1'), 'repo']);
    expect(files[opamPath('b.1')]).toBe(version('b.1')[opamPath('b.1')]);
  });

  test('has its archives not listed', async () => {
    const broken = `${version('b.1')[opamPath('b.1')]}build: [`;
    const { mirror } = await published({ ...repositoryOf('a.1'), [opamPath('b.1')]: broken });
    const listed = (id: string) =>
      mirror.mirror.catalogue.listed('default', { kind: 'sha256', hex: sha256(id) });
    expect(await listed('a.1')).toHaveLength(1);
    expect(await listed('b.1')).toEqual([]);
  });

  test('is looked at again neither with the next sync nor with the one after a change elsewhere', async () => {
    const { mirror, upstream } = await published({ ...repositoryOf('a.1'), ...BROKEN });
    upstream.serveIndex({ ...repositoryOf('a.1'), ...BROKEN, version: '2' });
    expect((await mirror.publish()).counts).toMatchObject({ filesParsed: 1, piecesDeflated: 1 });
  });

  test('is served once it is repaired', async () => {
    const { mirror, upstream } = await published({ ...repositoryOf('a.1'), ...BROKEN });
    await mirror.restart();
    upstream.serveIndex(repositoryOf('a.1', 'b.1'));
    expect((await mirror.publish()).summary).toMatchObject({ versions: 2, held: [] });
    expect(Object.keys(await mirror.files())).toContain(opamPath('b.1'));
  });

  test('does not keep the others of its package from being served', async () => {
    const { mirror } = await published({ ...repositoryOf('b.2', 'b.3'), ...BROKEN });
    expect(Object.keys(await mirror.files())).toEqual([opamPath('b.2'), opamPath('b.3'), 'repo']);
  });

  test('may stand in the folder of a version without a name folder', async () => {
    const { mirror } = await published({
      ...repositoryOf('a.1'),
      'packages/c.1/opam': '(',
      'packages/c.1/files/x': 'x',
    });
    expect(Object.keys(await mirror.files())).toEqual([opamPath('a.1'), 'repo']);
  });
});

describe('an upstream that lost its packages', () => {
  const many = manyPackages(20);

  test.each([
    ['all of them', REPO],
    ['all, but for files that are none', { ...REPO, 'packages/a/README': 'gone', version: '2' }],
    ['all, but for one that does not parse', { ...REPO, ...BROKEN }],
  ])('%s: refused as repository-empty', async (_, files) => {
    const { mirror, upstream } = await published(many);
    const before = await mirror.index();
    upstream.serveIndex(files);
    expect(await failureOf(mirror.sync())).toMatchObject({ code: 'repository-empty' });
    expect(await failureOf(mirror.sync())).toMatchObject({ code: 'repository-empty' });
    await mirror.restart();
    expect(await mirror.index()).toEqual(before);
  });

  test('nearly all of them: refused as snapshot-refused, also after a restart, with what to do', async () => {
    const { mirror, upstream } = await published(many);
    const before = await mirror.index();
    upstream.serveIndex(manyPackages(1));
    await mirror.restart();
    const failure = await failureOf(mirror.sync());
    expect(failure).toMatchObject({
      code: 'snapshot-refused',
      message: expect.stringContaining('from 40 versions to 2'),
    });
    expect(failure.message).toContain('minimum_remaining');
    expect(await mirror.index()).toEqual(before);
  });

  test('as many as are allowed: published', async () => {
    const { mirror, upstream } = await published(many);
    upstream.serveIndex(manyPackages(2));
    expect((await mirror.publish()).summary.versions).toBe(4);
  });

  test('from the start: there is nothing to publish', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(REPO);
    const mirror = await TestMirror.open({ default: upstream.url });
    expect(await failureOf(mirror.sync())).toMatchObject({ code: 'repository-empty' });
    expect(await mirror.mirror.catalogue.currentSnapshot('default')).toBeUndefined();
  });
});

test('past snapshots stay readable, and one that comes back is the present one again', async () => {
  const { mirror, upstream } = await published(repositoryOf('a.1'));
  const first = await mirror.mirror.catalogue.currentSnapshot('default');
  const firstIndex = await mirror.index();
  upstream.serveIndex(repositoryOf('a.1', 'b.1'));
  const second = (await mirror.publish()).snapshot;
  await mirror.restart();
  if (first === undefined) throw new Error('nothing was published');
  expect((await mirror.mirror.served.past('default', first.id))?.index).toEqual(firstIndex);
  upstream.serveIndex(repositoryOf('a.1'));
  const third = await mirror.publish();
  expect(third.snapshot).toMatchObject({ id: first.id, sha256: first.sha256 });
  expect(third.counts.piecesDeflated).toBe(0);
  expect(await mirror.index()).toEqual(firstIndex);
  expect((await mirror.mirror.served.past('default', second.id))?.snapshot.id).toBe(second.id);
  expect(await mirror.events()).toEqual(['published', 'published', 'changed', 'published']);
});

test('other words about the same tree are published too: its caches are elsewhere now', async () => {
  const files = { ...repositoryOf('a.1'), repo: 'archive-mirrors: "cache"' };
  const { mirror, upstream } = await published(files);
  const other = await startUpstream();
  other.serveIndex(files);
  await mirror.restart(configOf(mirror.config.data, { default: other.url }));
  const outcome = await mirror.publish();
  expect(outcome.kind).toBe('published');
  const current = await mirror.mirror.catalogue.currentSnapshot('default');
  expect(current?.summary).toContain(`${other.url}/cache`);
  expect(current?.summary).not.toContain(upstream.url);
});

test('the log tells what is new, but for the first tree', async () => {
  const { mirror, upstream } = await published(repositoryOf('a.1', 'b.1'));
  upstream.serveIndex(repositoryOf('a.1', 'a.2', 'b.1', 'c.1'));
  await mirror.publish();
  const events = await mirror.mirror.catalogue.events(0, 100);
  const added = events.flatMap(({ kind, detail }) =>
    kind === 'published' ? [JSON.parse(detail).added] : [],
  );
  expect(added).toEqual([undefined, { count: 2, versions: ['a.2', 'c.1'] }]);
});
