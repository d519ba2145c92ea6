/** The advisory feed over time: no accident of the feed's lifts a hold. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Config, configSchema } from '../../src/config.ts';
import {
  feedState,
  type LoadedAdvisories,
  loadAdvisories,
  type RefreshedAdvisories,
  refreshAdvisories,
} from '../../src/mirror/fetch/advisories.ts';
import { parsePackageId } from '../../src/opam/package-id.ts';
import type { Catalogue, StoredFeed } from '../../src/store/catalogue.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import type { Fetcher } from '../../src/upstream/fetcher.ts';
import { createFetcher } from '../../src/upstream/http.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { makeTestFolder } from '../support/store-folders.ts';
import { TestClock } from '../support/test-clock.ts';
import { zip } from '../support/zip.ts';

const HOUR = 3_600_000;
const NO_FETCHER = { fetch: () => Promise.reject(new Error('nothing is fetched')) };
const PATH = '/all.zip';

/** What must survive, and nothing else. */
class MemoryFeeds implements Pick<Catalogue, 'feed' | 'saveFeed'> {
  readonly kept = new Map<string, StoredFeed>();
  saves = 0;

  async feed(source: string): Promise<StoredFeed | undefined> {
    return this.kept.get(source);
  }

  async saveFeed(source: string, feed: StoredFeed): Promise<void> {
    this.saves += 1;
    this.kept.set(source, feed);
  }
}

/** An advisory about `package`, all versions before `fixed`. */
function osv(id: string, fixed: string, ecosystem = 'opam', more: object = {}): string {
  const range = { type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed }] };
  const affected = [{ package: { ecosystem, name: 'foo' }, ranges: [range] }];
  return JSON.stringify({ id, summary: `about ${id}`, affected, ...more });
}

type Documents = Readonly<Record<string, string>>;

const ONE: Documents = { 'OSEC-1.json': osv('OSEC-1', '1.5') };
const TWO: Documents = { ...ONE, 'OSEC-2.json': osv('OSEC-2', '2.5') };

function zipOf(documents: Documents): Buffer {
  return zip(Object.entries(documents).map(([name, content]) => ({ name, content })));
}

function fetcherFor({ limits }: Config): Fetcher {
  return createFetcher({ limits, allowPrivateAddresses: true, privateHosts: [], userAgent: 'serai/test' });
}

/** A mirror's advisories with a feed of its own on loopback. */
class Feed {
  readonly upstream: CountingUpstream;
  readonly catalogue = new MemoryFeeds();
  readonly clock = new TestClock();
  readonly config: Config;

  private constructor(upstream: CountingUpstream, source: string) {
    this.upstream = upstream;
    this.config = configSchema.parse({
      allow_private_addresses: true,
      advisories: { source, interval: '1h' },
    });
  }

  static async start(documents: Documents, userinfo = ''): Promise<Feed> {
    const upstream = await CountingUpstream.start();
    onTestFinished(() => upstream.stop());
    const feed = new Feed(upstream, `${upstream.url.replace('//', `//${userinfo}`)}${PATH}`);
    feed.publish(documents);
    return feed;
  }

  publish(documents: Documents): void {
    this.upstream.serve(PATH, zipOf(documents));
  }

  /** As `refresh`, an interval later. */
  async later(): Promise<RefreshedAdvisories> {
    this.clock.advance(HOUR);
    return this.refresh();
  }

  async refresh(): Promise<RefreshedAdvisories> {
    const { config, catalogue, clock } = this;
    const { limits } = config;
    // A new one each time, as after a restart.
    const fetcher = fetcherFor(config);
    try {
      return await refreshAdvisories({ catalogue, config, fetcher, clock, limits });
    } finally {
      await fetcher.close();
    }
  }

  load(): Promise<LoadedAdvisories> {
    return loadAdvisories(this.catalogue, this.config);
  }

  /** Ids of the advisories that affect a version. */
  async affecting(version: string): Promise<readonly string[]> {
    const id = parsePackageId(version);
    if (id === undefined) throw new Error(`${version} is no version`);
    const { advisories } = await this.load();
    return advisories.filter((advisory) => advisory.affects(id)).map((advisory) => advisory.id);
  }
}

describe('without trouble', () => {
  test('what the feed says is in force', async () => {
    const feed = await Feed.start(TWO);
    expect(await feed.affecting('foo.1.0')).toEqual([]);
    expect(await feed.load()).not.toHaveProperty('fetchedAt');
    expect(await feed.refresh()).toEqual({ changed: true });
    expect(await feed.affecting('foo.1.0')).toEqual(['OSEC-1', 'OSEC-2']);
    expect(await feed.affecting('foo.2.0')).toEqual(['OSEC-2']);
    expect(await feed.affecting('foo.2.5')).toEqual([]);
    expect(await feed.load()).toMatchObject({ fetchedAt: feed.clock.now(), problems: [] });
  });

  test('it stays so after a restart', async () => {
    const folder = await makeTestFolder();
    onTestFinished(() => folder.remove());
    const feed = await Feed.start(TWO);
    const { clock, config } = feed;
    const { limits } = config;
    const file = join(folder.path, 'catalogue.sqlite');
    const before = await openSqliteCatalogue(file);
    const fetcher = fetcherFor(config);
    onTestFinished(() => fetcher.close());
    await refreshAdvisories({ catalogue: before, config, fetcher, clock, limits });
    const { digest, advisories } = await loadAdvisories(before, config);
    await before.close();

    await feed.upstream.stop();
    clock.advance(HOUR);
    const after = await openSqliteCatalogue(file);
    onTestFinished(() => after.close());
    const refreshed = await refreshAdvisories({ catalogue: after, config, fetcher, clock, limits });
    expect(refreshed).toMatchObject({ changed: false, failure: { code: 'upstream-unreachable' } });
    expect(await loadAdvisories(after, config)).toMatchObject({ digest, fetchedAt: clock.now() - HOUR });
    expect((await loadAdvisories(after, config)).advisories).toHaveLength(advisories.length);
    expect(advisories).toHaveLength(2);
  });

  test('it is asked when the interval has passed, and not before', async () => {
    const feed = await Feed.start(ONE);
    await feed.refresh();
    feed.clock.advance(HOUR - 1);
    expect(await feed.refresh()).toEqual({ changed: false });
    expect(feed.upstream.requests(PATH)).toBe(1);
    feed.clock.advance(1);
    expect(await feed.refresh()).toEqual({ changed: false });
    expect(feed.upstream.requests(PATH)).toBe(2);
    expect(feed.upstream.notModified).toBe(1);
    expect(await feed.load()).toMatchObject({ fetchedAt: feed.clock.now() });
    expect(await feed.affecting('foo.1.0')).toEqual(['OSEC-1']);
  });

  test('a clock that went back does not keep it from being asked', async () => {
    const feed = await Feed.start(ONE);
    await feed.refresh();
    feed.clock.advance(-1);
    await feed.refresh();
    expect(feed.upstream.requests(PATH)).toBe(2);
  });

  test('the digest is another one exactly when the advisories are', async () => {
    const feed = await Feed.start({});
    const digests: string[] = [(await feed.load()).digest];
    const steps: readonly (readonly [Documents, boolean])[] = [
      [{}, false],
      [ONE, true],
      [TWO, true],
      // Another order, other names, other blanks, twice the same, and what is not opam's.
      [{ 'x/2.json': TWO['OSEC-2.json'] ?? '', 'x/1.json': ` ${TWO['OSEC-1.json']}\n` }, false],
      [{ 'all.json': `[${Object.values(TWO).join()}]`, ...TWO }, false],
      [{ ...TWO, 'GHSA-1.json': osv('GHSA-1', '9', 'npm') }, false],
      [{ ...TWO, 'OSEC-2.json': osv('OSEC-2', '2.6') }, true],
      [ONE, true],
    ];
    for (const [documents, changed] of steps) {
      feed.publish(documents);
      expect(await feed.later(), JSON.stringify(documents)).toEqual({ changed });
      digests.push((await feed.load()).digest);
    }
    const moved = digests.slice(1).map((digest, index) => digest !== digests[index]);
    expect(moved).toEqual(steps.map(([, changed]) => changed));
    expect(digests[2]).toBe(digests[digests.length - 1]);
  });

  test('only what is about opam is kept', async () => {
    const feed = await Feed.start({ ...ONE, 'GHSA-1.json': osv('GHSA-1', '9', 'npm') });
    await feed.refresh();
    const [stored] = feed.catalogue.kept.values();
    expect(stored?.advisories).toContain('OSEC-1');
    expect(stored?.advisories).not.toContain('GHSA-1');
  });

  test('a withdrawn advisory holds nothing any more', async () => {
    const feed = await Feed.start(TWO);
    await feed.refresh();
    const withdrawn = osv('OSEC-2', '2.5', 'opam', { withdrawn: '2026-01-01T00:00:00Z' });
    feed.publish({ ...TWO, 'OSEC-2.json': withdrawn });
    expect(await feed.later()).toEqual({ changed: true });
    expect(await feed.affecting('foo.1.0')).toEqual(['OSEC-1']);
  });

  test('a password in the address is not kept', async () => {
    const feed = await Feed.start(ONE, 'me:secret@');
    await feed.refresh();
    expect(JSON.stringify([...feed.catalogue.kept])).not.toContain('secret');
    expect(await feed.affecting('foo.1.0')).toEqual(['OSEC-1']);
  });

  test('a folder', async () => {
    const { path: folder, remove } = await makeTestFolder();
    onTestFinished(remove);
    const feed = await Feed.start({});
    const config = configSchema.parse({ advisories: { source: folder } });
    const fetcher = NO_FETCHER;
    await writeFile(join(folder, 'a.json'), osv('OSEC-1', '1.5'));
    const { catalogue, clock } = feed;
    expect(await refreshAdvisories({ catalogue, config, clock, fetcher, limits: config.limits })).toEqual({
      changed: true,
    });
    expect((await loadAdvisories(catalogue, config)).advisories.map(({ id }) => id)).toEqual(['OSEC-1']);
  });

  test('no feed is configured', async () => {
    const feed = await Feed.start(ONE);
    const config = configSchema.parse({});
    const { catalogue, clock } = feed;
    const fetcher = NO_FETCHER;
    expect(await refreshAdvisories({ catalogue, config, clock, fetcher, limits: config.limits })).toEqual({
      changed: false,
    });
    expect(await loadAdvisories(catalogue, config)).toMatchObject({ advisories: [], problems: [] });
    expect(catalogue.saves).toBe(0);
  });
});

describe('a feed that fails leaves every hold', () => {
  test.each<[string, (feed: Feed) => void | Promise<void>, string]>([
    ['down', (feed) => feed.upstream.stop(), 'upstream-unreachable'],
    ['an error', (feed) => feed.upstream.fail(PATH, 503), 'upstream-status'],
    ['gone', (feed) => feed.upstream.fail(PATH, 404), 'upstream-missing'],
    ['HTML', (feed) => feed.upstream.serve(PATH, Buffer.from('<html>')), 'archive-format'],
    ['a damaged zip', (feed) => feed.upstream.serve(PATH, zipOf(TWO).subarray(0, -1)), 'archive-format'],
    ['one damaged entry', (feed) => feed.upstream.serve(PATH, zip([{ crc: 1 }])), 'archive-format'],
    ['no document that is JSON', (feed) => feed.publish({ 'OSEC-1.json': '<html>' }), 'archive-format'],
    ['empty', (feed) => feed.publish({}), 'snapshot-refused'],
    ['empty but for a list of nothing', (feed) => feed.publish({ 'all.json': '[]' }), 'snapshot-refused'],
    ['about others', (feed) => feed.publish({ 'a.json': osv('GHSA-1', '9', 'npm') }), 'snapshot-refused'],
  ])('%s', async (_name, spoil, code) => {
    const feed = await Feed.start(TWO);
    await feed.refresh();
    const before = await feed.load();
    await spoil(feed);
    const { changed, failure } = await feed.later();
    expect({ changed, code: failure?.code }).toEqual({ changed: false, code });
    expect(await feed.affecting('foo.1.0')).toEqual(['OSEC-1', 'OSEC-2']);
    const { digest, fetchedAt } = await feed.load();
    expect({ digest, fetchedAt }).toEqual({ digest: before.digest, fetchedAt: before.fetchedAt });
  });

  test('the next call asks again, and takes what has come back', async () => {
    const feed = await Feed.start(ONE);
    await feed.refresh();
    feed.publish({});
    await feed.later();
    feed.publish(TWO);
    expect(await feed.refresh()).toEqual({ changed: true });
    expect(await feed.affecting('foo.2.0')).toEqual(['OSEC-2']);
  });

  test('one that never answered is a failure, and no advisories', async () => {
    const feed = await Feed.start(ONE);
    feed.upstream.fail(PATH, 503);
    expect((await feed.refresh()).failure?.code).toBe('upstream-status');
    expect(await feed.load()).toMatchObject({ advisories: [] });
    expect(await feed.load()).not.toHaveProperty('fetchedAt');
  });

  test('it is said since when and why, once, until the feed is read again', async () => {
    const feed = await Feed.start(ONE);
    await feed.refresh();
    const state = () => feedState(feed.catalogue, feed.config);
    expect(await state()).not.toHaveProperty('failure');
    feed.upstream.fail(PATH, 503);
    await feed.later();
    const since = new Date(feed.clock.now()).toISOString();
    const { saves } = feed.catalogue;
    await feed.later();
    expect(feed.catalogue.saves).toBe(saves);
    expect(await state()).toMatchObject({ documents: 1, failure: { since, code: 'upstream-status' } });
    feed.publish(ONE);
    await feed.later();
    expect(await state()).not.toHaveProperty('failure');
  });

  test('the refusal of an empty feed says how many stay, where from, and what to do', async () => {
    const feed = await Feed.start(TWO, 'me:secret@');
    await feed.refresh();
    feed.publish({});
    const message = (await feed.later()).failure?.message;
    expect(message).toMatch(/all\.zip has no advisory .* had 2; .*advisories\.source/);
    expect(message).not.toContain('secret');
  });

  test('a catalogue that cannot write is no failure of the feed', async () => {
    const feed = await Feed.start(ONE);
    feed.catalogue.saveFeed = () => Promise.reject(new Error('the disk is full'));
    await expect(feed.refresh()).rejects.toThrow('the disk is full');
  });
});

describe('a document that cannot be read keeps its last good form; the others move on', () => {
  const NESTED = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  test.each<[string, string, RegExp]>([
    ['no JSON', '{"id":', /"OSEC-1\.json": .*JSON/],
    ['no UTF-8', '\xff', /"OSEC-1\.json"/],
    ['nested without end', NESTED, /nested more than 64 deep/],
    ['no object', '42', /no OSV document/],
    ['null', 'null', /no OSV document/],
    ['no id', '{"affected":[]}', /no OSV document: id/],
    ['affected packages that are no list', '{"id":"OSEC-1","affected":{}}', /affected/],
    ['a range that names no version', osv('OSEC-1', '1.5').replace('introduced', 'begun'), /OSEC-1/],
    ['a list with one such', `[${osv('OSEC-3', '3.5')},{"id":"OSEC-1","affected":{}}]`, /affected/],
  ])('%s', async (_name, text, problem) => {
    const feed = await Feed.start(ONE);
    await feed.refresh();
    const content = text === '\xff' ? Buffer.from([0xff]) : text;
    const second = { name: 'OSEC-2.json', content: TWO['OSEC-2.json'] ?? '' };
    feed.upstream.serve(PATH, zip([{ name: 'OSEC-1.json', content }, second]));
    expect(await feed.later()).toEqual({ changed: true });
    expect(await feed.affecting('foo.1.0')).toEqual(expect.arrayContaining(['OSEC-1', 'OSEC-2']));
    const { problems } = await feed.load();
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems[0]).toMatch(/; its last good form is kept$/);

    feed.publish(TWO);
    await feed.later();
    expect(await feed.load()).toMatchObject({ problems: [] });
    expect(await feed.affecting('foo.1.0')).toEqual(['OSEC-1', 'OSEC-2']);
  });

  test('one that was never good is left out, and said', async () => {
    const feed = await Feed.start({ ...ONE, 'bad.json': '\u001b[31m{' });
    expect(await feed.refresh()).toEqual({ changed: true });
    const { problems } = await feed.load();
    expect(problems).toEqual([expect.stringMatching(/^"bad\.json": [\x20-\x7e]*; it is left out$/)]);
  });

  test('many of them are told in few words', async () => {
    const bad = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`bad${index}.json`, '{']));
    const feed = await Feed.start({ ...ONE, ...bad });
    await feed.refresh();
    const { problems } = await feed.load();
    expect(problems).toHaveLength(51);
    expect(problems[50]).toBe('and 10 more like these');
  });

  test('a feed without any document is said as well', async () => {
    const feed = await Feed.start({});
    expect(await feed.refresh()).toEqual({ changed: false });
    expect(await feed.load()).toMatchObject({ problems: ['there is no advisory in the feed'] });
  });
});

describe('a kept feed that cannot be read is no empty one', () => {
  let feed: Feed;
  beforeEach(async () => {
    feed = await Feed.start(ONE);
    await feed.refresh();
  });

  test.each([
    ['no JSON', () => '{'],
    ['another shape', () => '{"documents":[]}'],
    ['a document that is no JSON', (kept: string) => kept.replace('{\\"id', '{{\\"id')],
  ])('%s', async (_name, damage) => {
    const [[source, stored]] = [...feed.catalogue.kept] as [[string, StoredFeed]];
    feed.catalogue.kept.set(source, { ...stored, advisories: damage(stored.advisories) });
    await expect(feed.load()).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('nor is it written over', async () => {
    for (const [source, stored] of feed.catalogue.kept)
      feed.catalogue.kept.set(source, { ...stored, advisories: '{' });
    await expect(feed.later()).rejects.toMatchObject({ code: 'store-corrupt' });
    expect(feed.catalogue.saves).toBe(1);
  });
});
