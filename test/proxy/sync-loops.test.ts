/** A server's syncs: overlays follow their sources at once, and advisories that cannot be read are logged once. */
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Config, configSchema } from '../../src/config.ts';
import { SeraiError } from '../../src/errors.ts';
import { encodeRecord, type FeedFailure, NO_RECORD } from '../../src/mirror/fetch/advisory-record.ts';
import { sha256Of } from '../../src/mirror/index/snapshot-id.ts';
import type { SyncDone } from '../../src/mirror/sync/sync-thread.ts';
import { SyncLoops } from '../../src/proxy/sync-loops.ts';
import type { Snapshot, StoredFeed } from '../../src/store/catalogue.ts';
import { TestClock } from '../support/test-clock.ts';

const PUBLISHED: SyncDone = {
  kind: 'published',
  snapshot: 'a'.repeat(64),
  summary: {
    ...{ packages: 1, versions: 1, archives: 1, removed: 0, rules: '' },
    ...{ archiveMirrors: [], held: [], keptBack: [], warned: [] },
  },
  counts: { filesRead: 0, filesParsed: 0, bytesHashed: 0, piecesDeflated: 0 },
};
const NOTHING_NEW: SyncDone = { kind: 'not-modified' };

/** What the log says of errors, and of what is over. */
interface Line {
  readonly level: number;
  readonly msg: string;
}

/** A server whose syncs end as `outcomes` says, and are told in their order. */
class Server {
  readonly synced: string[] = [];
  readonly lines: Line[] = [];
  readonly published = new Set<string>();
  readonly outcomes = new Map<string, () => Promise<SyncDone>>();
  readonly clock = new TestClock();
  readonly loops: SyncLoops;
  feed: StoredFeed | undefined;

  constructor(config: Config) {
    const stopped = new AbortController();
    onTestFinished(() => stopped.abort());
    this.loops = new SyncLoops({
      config,
      clock: this.clock,
      log: pino({ base: null }, { write: (line: string) => this.lines.push(JSON.parse(line)) }),
      signal: stopped.signal,
      catalogue: {
        currentSnapshot: async (name) => (this.published.has(name) ? snapshot() : undefined),
        feed: async () => this.feed,
      },
      sync: async (repository) => {
        this.synced.push(repository);
        const report = await (this.outcomes.get(repository)?.() ?? PUBLISHED);
        this.published.add(repository);
        return report;
      },
    });
  }

  get errors(): readonly string[] {
    return this.lines.filter(({ level }) => level >= 50).map(({ msg }) => msg);
  }
}

function snapshot(): Snapshot {
  const id = sha256Of(Buffer.from('snapshot'));
  return { id, publishedAt: 0, pieces: [], size: 0, sha256: id, repo: '', summary: '' };
}

const OVERLAY = configSchema.parse({
  repository: {
    overlay: { sources: ['internal', 'public'] },
    internal: { upstream: 'https://internal.example.org' },
    public: { upstream: 'https://public.example.org' },
  },
});

const refused = (): Promise<never> => Promise.reject(new SeraiError('store-failed', 'the disk is full'));

describe('a publication of a source', () => {
  test('is followed by the overlay at once, when all of its sources are published', async () => {
    const { loops, synced } = new Server(OVERLAY);
    await loops.sync('internal');
    expect(synced).toEqual(['internal']);
    await loops.sync('public');
    expect(synced).toEqual(['internal', 'public', 'overlay']);
  });

  test('is followed by none when nothing is new', async () => {
    const server = new Server(OVERLAY);
    for (const name of ['internal', 'public']) {
      server.published.add(name);
      server.outcomes.set(name, async () => NOTHING_NEW);
      expect(await server.loops.sync(name)).toBe(NOTHING_NEW);
    }
    expect(server.synced).toEqual(['internal', 'public']);
  });

  test('stands when the overlay cannot follow, which is logged', async () => {
    const server = new Server(OVERLAY);
    server.outcomes.set('overlay', refused);
    server.published.add('internal');
    expect(await server.loops.sync('public')).toBe(PUBLISHED);
    expect(server.errors).toEqual(['the disk is full']);
  });
});

test('when the server starts an overlay waits until its sources were tried, well or ill', async () => {
  const server = new Server(OVERLAY);
  const tried = Promise.withResolvers<SyncDone>();
  server.outcomes.set('internal', refused);
  server.outcomes.set('public', () => tried.promise);
  server.loops.start();
  // The one that failed sleeps before its next try.
  await server.clock.asleep(1);
  expect(server.synced).toEqual(['internal', 'public']);
  tried.resolve(NOTHING_NEW);
  await server.clock.asleep(3);
  expect(server.synced).toEqual(['internal', 'public', 'overlay']);
});

test('advisories that cannot be read are logged once, and again when they can', async () => {
  const source = 'https://osv.example.org/opam.zip';
  const server = new Server(
    configSchema.parse({ advisories: { source }, repository: { x: { upstream: 'https://example.org' } } }),
  );
  const feed = (failure?: FeedFailure): StoredFeed => ({
    fetchedAt: 1,
    advisories: encodeRecord(failure === undefined ? NO_RECORD : { ...NO_RECORD, failure }),
  });
  await server.loops.sync('x');
  server.feed = feed({ at: 5, code: 'upstream-status', message: 'it answered 503' });
  await server.loops.sync('x');
  await server.loops.sync('x');
  expect(server.errors).toEqual([
    'the advisories cannot be read: it answered 503; the 0 that were read before stay in force',
  ]);
  server.feed = feed();
  await server.loops.sync('x');
  await server.loops.sync('x');
  expect(server.lines.filter(({ msg }) => msg.includes('again'))).toHaveLength(1);
  expect(server.errors).toHaveLength(1);
});
