/** Histories of published versions that go on behind their first change, and trees that are no plain ones. */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openMirror } from '../../src/mirror/mirror.ts';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import type { Dialect } from '../../src/verify/dialect.ts';
import { unsignedDialect } from '../../src/verify/unsigned.ts';
import { md5, sha256 } from '../support/guard-trees.ts';
import {
  checksumOf,
  type Files,
  GitUpstream,
  opamPath,
  REPO,
  repositoryOf,
  version,
} from '../support/tree-builder.ts';
import { type Settings, settingsOf, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

function p1(checksums: readonly string[], sources?: readonly string[]): Files {
  return version('p.1', { checksums, ...(sources === undefined ? {} : { sources }) });
}

const A = p1([sha256('a')]);
const B = p1([sha256('b')]);

/** The files of `p` in a tree, as the mirror tells of its own. */
function filesOfP(files: Files): Files {
  return Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith('packages/p/')));
}

/** The upstream offers each tree in turn, and all are published. */
async function course(settings: Omit<Settings, 'upstream'>, ...trees: readonly Files[]) {
  const upstream = await startUpstream();
  const mirror = await TestMirror.with({ weak_hashes: 'allow', ...settings, upstream: upstream.url });
  const offer = async (tree: Files) => {
    upstream.serveIndex({ ...REPO, ...version('other.1'), ...tree });
    return mirror.publish();
  };
  for (const tree of trees) await offer(tree);
  const p = async () => filesOfP(await mirror.files());
  return { mirror, offer, p, upstream };
}

describe('a history goes on', () => {
  const C = p1([sha256('c')]);

  test('held, and then removed: the last good form stays as long as any that is removed', async () => {
    const { mirror, offer, p } = await course({ keep_removed: '10d' }, A, B);
    const { summary } = await offer({});
    expect(summary).toMatchObject({ keptBack: [], held: [], removed: 1 });
    expect(await p()).toEqual(A);
    expect(await mirror.told()).toEqual([
      'held p.1 archive-altered',
      'unheld p.1 archive-altered',
      'changed p.1 version-removed',
    ]);
  });

  test('held, removed, and back as what was held: held again', async () => {
    const { offer, p } = await course({ keep_removed: '10d' }, A, B, {});
    expect((await offer(B)).summary.keptBack).toMatchObject([{ version: 'p.1', rule: 'version-reborn' }]);
    expect(await p()).toEqual(A);
  });

  test('held, and then altered once more: told anew, and a release of the first does not let the second in', async () => {
    const { mirror, offer, p } = await course({}, A, B);
    await mirror.release('p.1');
    const { summary } = await offer(C);
    expect(summary.keptBack).toMatchObject([{ version: 'p.1', rule: 'archive-altered' }]);
    expect(await p()).toEqual(A);
    expect(await mirror.told()).toEqual([
      'held p.1 archive-altered',
      'released p.1',
      'held p.1 archive-altered',
    ]);
  });

  test('released, and then altered again: what was released is its last good form', async () => {
    const { mirror, offer, p } = await course({}, A, B);
    await mirror.release('p.1');
    await mirror.publish();
    expect((await offer(C)).summary.keptBack).toHaveLength(1);
    expect(await p()).toEqual(B);
    // Its first form is one more alteration by now.
    expect((await offer(A)).summary.keptBack).toHaveLength(1);
    expect(await p()).toEqual(B);
  });

  test('a release that is taken back before the sync lets nothing in; afterwards it changes nothing', async () => {
    const { mirror, p } = await course({}, A, B);
    const drop = () =>
      mirror.mirror.catalogue.dropDecision(
        { kind: 'release', repository: 'default', subject: 'p.1' },
        { at: 0, repository: 'default', kind: 'undenied', detail: '{}' },
      );
    await mirror.release('p.1');
    await drop();
    await mirror.sync();
    expect(await p()).toEqual(A);
    await mirror.release('p.1');
    await mirror.publish();
    await drop();
    await mirror.sync();
    expect(await p()).toEqual(B);
  });

  test('held, and then denied: not served at all, and in its last good form again without the denial', async () => {
    const { mirror, p } = await course({}, A, B);
    await mirror.deny('p');
    expect((await mirror.rederive())?.summary).toMatchObject({
      keptBack: [],
      held: [{ version: 'p.1', rule: 'denied' }],
    });
    expect(await p()).toEqual({});
    expect(await mirror.lists(sha256('a'))).toBe(false);
    await mirror.undeny('p');
    expect((await mirror.rederive())?.summary).toMatchObject({
      held: [],
      keptBack: [{ version: 'p.1', rule: 'archive-altered' }],
    });
    expect(await p()).toEqual(A);
    expect(await mirror.lists(sha256('a'))).toBe(true);
    expect(await mirror.lists(sha256('b'))).toBe(false);
  });

  test('one of two that compare equal is held as long as the other stands, and comes when that is gone', async () => {
    const [one, two] = [version('p.1.0'), version('p.1.00', { checksums: [checksumOf('p.1.0')] })];
    const { mirror, offer, p } = await course({}, one, { ...one, ...two });
    expect(await p()).toEqual(one);
    expect((await offer(two)).summary).toMatchObject({ held: [], removed: 0 });
    expect(await p()).toEqual(two);
    expect((await mirror.told()).filter((line) => line.includes('p.1.00'))).toEqual([
      'held p.1.00 equal-version',
      'unheld p.1.00 equal-version',
    ]);
  });

  test('another spelling with another archive is no new version: held, and what was published is served on', async () => {
    const [one, two] = [version('p.1.0'), version('p.1.00')];
    const { mirror, offer, p } = await course({}, one);
    expect((await offer(two)).summary).toMatchObject({
      held: [{ version: 'p.1.00', rule: 'version-reborn' }],
      removed: 1,
    });
    expect(await p()).toEqual(one);
    await mirror.restart();
    expect((await offer({ ...two, ...version('q.1') })).summary.held).toHaveLength(1);
    expect(await p()).toEqual(one);
  });

  test('of two equal ones that come together the first in C order is served', async () => {
    const both = { ...version('p.1.00'), ...version('p.1.0') };
    const { p } = await course({}, {}, both);
    expect(await p()).toEqual(version('p.1.0'));
  });

  test('of the first tree all is taken for granted', async () => {
    const both = { ...version('p.1.00'), ...version('p.1.0') };
    const { mirror, p } = await course({}, both);
    expect(await p()).toEqual(both);
    expect(await mirror.told()).toEqual([]);
  });

  test.each([
    ['NUL bytes', '\0'],
    ['bad UTF-8', Buffer.from([0xff, 0xfe])],
    ['a parenthesis', '('],
  ])('a version whose file gets %s is served in its last good form', async (_, bytes) => {
    const text = Buffer.concat([Buffer.from(String(A[opamPath('p.1')])), Buffer.from(bytes)]);
    const { offer, p } = await course({}, A);
    const { summary } = await offer({ [opamPath('p.1')]: text });
    expect(summary.keptBack).toMatchObject([{ version: 'p.1', rule: 'checksum-dropped' }]);
    expect(await p()).toEqual(A);
    expect((await offer(A)).summary.keptBack).toEqual([]);
  });

  test('one without checksums that becomes unreadable is let pass, not served, and measured when it is back', async () => {
    const bare = p1([]);
    const { offer, p } = await course({}, bare, { [opamPath('p.1')]: '(' });
    expect(await p()).toEqual({});
    const moved = p1([], ['https://elsewhere.example/p.tgz']);
    expect((await offer(moved)).summary.held).toMatchObject([{ version: 'p.1', rule: 'version-reborn' }]);
    expect((await offer(bare)).summary.held).toEqual([]);
    expect(await p()).toEqual(bare);
  });

  test('the same bytes from git and then from an index are no change', async () => {
    const files = { ...REPO, ...A, ...version('other.1') };
    const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
    await git.commit(files);
    const upstream = await startUpstream();
    upstream.serveIndex({ ...files, ...version('new.1') });
    const mirror = await TestMirror.with({ upstream: git.url });
    await mirror.publish();
    for (const [url, offered] of [
      [upstream.url, 3],
      [git.url, 2],
    ] as const) {
      const { data } = mirror.config;
      await mirror.restart(settingsOf(data, { upstream: url }));
      await mirror.publish();
      expect((await mirror.state()).offered).toBe(offered);
    }
    expect(await mirror.told()).toEqual(['changed new.1 version-removed']);
    await git.commit({ ...files, ...B });
    expect((await mirror.publish()).summary.keptBack).toMatchObject([{ rule: 'archive-altered' }]);
  });
});

describe('the files of format 1.2', () => {
  const folder = opamPath('p.1').slice(0, -'opam'.length);
  const old = (opam: string, url: string): Files => ({ [`${folder}opam`]: opam, [`${folder}url`]: url });
  const OPAM = 'opam-version: "1.2"\n';
  const url = (sum: string): string => `http: "https://archives.example/p.tgz"\nchecksum: "${sum}"\n`;
  const section = (sum: string): string =>
    `url {\n  src: "https://e.example/p.tgz"\n  checksum: "${sum}"\n}\n`;
  const good = old(OPAM, url(md5('a')));

  test.each<[string, Files, Files]>([
    ['the url file names another archive', good, old(OPAM, url(md5('b')))],
    [
      'opam gets a section, which goes before the url file',
      good,
      old(OPAM + section(md5('b')), url(md5('a'))),
    ],
  ])('%s: archive-altered', async (_, before, after) => {
    const { offer, p } = await course({}, before);
    expect((await offer(after)).summary.keptBack).toMatchObject([{ rule: 'archive-altered' }]);
    expect(await p()).toEqual(before);
  });

  test('a url file that no client reads may change', async () => {
    const before = old(OPAM + section(md5('a')), url(md5('a')));
    const { offer, p } = await course({}, before);
    const after = old(OPAM + section(md5('a')), url(md5('b')));
    expect((await offer(after)).summary.keptBack).toEqual([]);
    expect(await p()).toEqual(after);
  });
});

describe('a version in a place where no policy would see it', () => {
  test.each([
    ['packages/p.1/opam'],
    ['packages/other/p.1/opam'],
    ['packages/a/b/c/p.1/opam'],
    ['packages/p.1/p.1/opam'],
    ['packages/other/other.1/files/p.1/opam'],
  ])('%s is not served, with a reason', async (path) => {
    const { mirror, offer } = await course({ deny: ['p'] }, {});
    const { summary } = await offer({ [path]: 'opam-version: "2.0"\n' });
    expect(Object.keys(await mirror.files())).toEqual([opamPath('other.1'), 'repo']);
    expect(summary.held).toEqual([
      {
        version: `${/^.*?p\.1\//.exec(path)?.[0]}`,
        rule: 'misplaced',
        reason: 'p.1 is looked for at packages/p/p.1/ only',
      },
    ]);
  });

  test('it neither touches the one in its place nor comes with the first tree', async () => {
    const { mirror } = await course({}, { ...A, 'packages/x/p.1/opam': 'opam-version: "2.0"\n' });
    expect(Object.keys(await mirror.files())).toEqual([opamPath('other.1'), opamPath('p.1'), 'repo']);
  });

  test.each([['packages/other/other.1/files/a.1/b'], ['packages/README.md'], ['packages/notes/opam']])(
    '%s is no version',
    async (path) => {
      const { mirror } = await course({}, { [path]: 'opam-version: "2.0"\n' });
      expect(Object.keys(await mirror.files())).toContain(path);
    },
  );
});

test('many changes of one class are one event, which names and counts them', async () => {
  const ids = Array.from({ length: 120 }, (_, index) => `m.${index}`);
  const { mirror, offer } = await course({}, repositoryOf(...ids));
  await offer(Object.assign({}, ...ids.map((id) => version(id, { checksums: [checksumOf(`new ${id}`)] }))));
  const [event] = (await mirror.mirror.catalogue.events(0, 100)).filter(({ kind }) => kind === 'held');
  const detail = JSON.parse(event?.detail ?? '{}');
  expect(detail).toMatchObject({ rule: 'archive-altered', count: 120 });
  expect(detail.versions).toHaveLength(120);
  expect((await mirror.state()).held).toHaveLength(120);
});

test('the validator does not outlive what a killed sync had accepted', async () => {
  const { mirror, upstream } = await course({}, A);
  const state = await mirror.mirror.catalogue.syncState('default');
  upstream.serveIndex({ ...REPO, ...version('other.1'), ...B });
  expect((await mirror.publish()).summary.keptBack).toHaveLength(1);
  // As if it had been killed between the publication and the writing of its validator, and then upstream reverts.
  if (state !== undefined) await mirror.mirror.catalogue.saveSyncState('default', state);
  upstream.serveIndex({ ...REPO, ...version('other.1'), ...A });
  expect((await mirror.publish()).summary.keptBack).toEqual([]);
});

describe('two processes on one store', () => {
  test('what one has held the other releases, and neither tells of it twice', async () => {
    const { mirror, offer, upstream, p } = await course({}, A, B);
    const other = await openMirror(mirror.config, mirror.clock);
    onTestFinished(() => other.close());
    const sync = new RepositorySync({ ...other, repository: 'default' });
    expect((await sync.run(() => undefined)).kind).toBe('not-modified');
    await mirror.release('p.1');
    expect(await sync.run(() => undefined)).toMatchObject({ kind: 'published', summary: { keptBack: [] } });
    expect((await mirror.sync()).kind).toBe('not-modified');
    expect(await p()).toEqual(B);
    await offer({ ...B, ...version('new.1') });
    await mirror.deny('other');
    await sync.rederive();
    expect((await mirror.sync()).kind).toBe('not-modified');
    expect(Object.keys(await mirror.files())).toEqual([opamPath('new.1'), opamPath('p.1'), 'repo']);
    expect(upstream.requestsInAll).toBe(7);
    expect(await mirror.told()).toEqual([
      'held p.1 archive-altered',
      'released p.1',
      'unheld p.1 archive-altered',
      'changed p.1 archive-altered',
      'denied',
      'held other.1 denied',
    ]);
  });
});

describe('a version that verification withholds', () => {
  /** As a signed dialect does with one below the threshold. */
  function withholding(...versions: readonly string[]): Dialect {
    return {
      async verify(candidate, trusted, now) {
        const verdict = await unsignedDialect.verify(candidate, trusted, now);
        const withheld = { rule: 'SIG' as const, reason: 'nobody signed it' };
        return {
          ...verdict,
          versions: new Map(
            [...verdict.versions].map(([version, each]) => [
              version,
              versions.includes(version) ? { ...each, withheld } : each,
            ]),
          ),
        };
      },
    };
  }

  test('is never kept, whatever keep_removed says, nor its archive answered', async () => {
    const { mirror, p } = await course({ keep_removed: 'forever' }, A);
    await mirror.sync('default', withholding('p.1'));
    expect(await p()).toEqual(A);
    // Another dialect is another look at the tree, which only a change of upstream's brings.
    await mirror.mirror.catalogue.saveSyncState('default', { attemptedAt: 0 });
    await mirror.sync('default', withholding('p.1'));
    expect(await p()).toEqual({});
    expect(await mirror.lists(sha256('a'))).toBe(false);
    expect((await mirror.state()).removed).toEqual({});
    await mirror.mirror.catalogue.saveSyncState('default', { attemptedAt: 0 });
    await mirror.sync('default', unsignedDialect);
    expect(await p()).toEqual(A);
    expect(await mirror.lists(sha256('a'))).toBe(true);
  });

  test('is not kept either when its change is held or it was removed before', async () => {
    const { mirror, p, offer } = await course({ keep_removed: 'forever' }, A, B);
    expect(await p()).toEqual(A);
    await mirror.mirror.catalogue.saveSyncState('default', { attemptedAt: 0 });
    await mirror.sync('default', withholding('p.1'));
    expect(await p()).toEqual({});
    expect((await mirror.state()).held).toEqual([]);
    // Behind a withheld form no other archive slips in.
    expect((await offer({ ...B, ...version('new.1') })).summary.held).toMatchObject([
      { version: 'p.1', rule: 'version-reborn' },
    ]);
    expect(await p()).toEqual({});
  });
});
