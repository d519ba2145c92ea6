/** Overlays: what is held in their sources and in themselves, how old they may be, and what can be configured. */
import { describe, expect, test } from 'vitest';
import { configSchema } from '../../src/config.ts';
import { repositoryStates } from '../../src/mirror/report/repository-state.ts';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import type { Dialect } from '../../src/verify/dialect.ts';
import { unsignedDialect } from '../../src/verify/unsigned.ts';
import { status } from '../support/archive-upstream.ts';
import { TestClock } from '../support/test-clock.ts';
import { archive, decide, held, opam, overlay, syncAll, versions } from './overlay-fixture.ts';

const DAY = 86_400_000;

describe('what the sources hold', () => {
  test.each([
    { where: 'in the source alone', repository: 'public', source: 404 },
    { where: 'everywhere', repository: undefined, source: 404 },
    { where: 'in the overlay alone', repository: 'both', source: 200 },
  ])('a denial $where: gone from index and archives at once, and back', async ({ repository, source }) => {
    const fixture = await overlay()
      .in('internal')
      .package('acme.1')
      .in('public')
      .package('zeta.1', { archive: archive('zeta.1') })
      .package('zeta.2', { archive: archive('zeta.2') })
      .forTest();
    await syncAll(fixture);
    const path = fixture.path('zeta.2');
    expect((await fixture.get(`/both${path}`)).status).toBe(200);
    fixture.upstream.set('/public/index.tar.gz', status(503));

    await decide(fixture, 'zeta{= "2"}', repository, true);
    expect(await versions(fixture)).toEqual(['acme.1', 'zeta.1']);
    expect(await held(fixture)).toEqual([expect.stringMatching(/^zeta\.2: .*denied/)]);
    expect((await fixture.get(`/both${path}`)).status).toBe(404);
    expect((await fixture.get(`/public${path}`)).status).toBe(source);
    expect((await fixture.get(`/both${fixture.path('zeta.1')}`)).status).toBe(200);

    await decide(fixture, 'zeta{= "2"}', repository, false);
    expect(await versions(fixture)).toEqual(['acme.1', 'zeta.1', 'zeta.2']);
    expect((await fixture.get(`/both${path}`)).status).toBe(200);
    expect(await held(fixture)).toEqual([]);
  });

  test('a denial of nearly all of a source is followed: it is no accident of an upstream', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `p${index}.1`);
    const builder = overlay().in('internal').package('acme.1').in('public');
    for (const id of ids) builder.package(id);
    const fixture = await builder.forTest();
    await syncAll(fixture);
    await decide(fixture, '*', undefined, true);
    expect(await versions(fixture)).toEqual([]);
  });

  test('a sync that read the sources before a denial does not bring the version back', async () => {
    const fixture = await overlay()
      .in('internal')
      .package('acme.1')
      .in('public')
      .package('zeta.1')
      .package('zeta.2')
      .forTest();
    await syncAll(fixture);
    fixture.package('public', 'zeta.3');
    await fixture.sync('public');
    // Between reading the sources and publishing, which is what a sync tells of in between.
    let denied: Promise<void> | undefined;
    const late: Dialect = {
      async verify(candidate, trusted, now) {
        denied ??= decide(fixture, 'zeta{= "2"}', 'public', true);
        await denied;
        return unsignedDialect.verify(candidate, trusted, now);
      },
    };
    await new RepositorySync({ ...fixture.mirror, repository: 'both', dialect: late }).run(() => undefined);
    expect(await versions(fixture)).toEqual(['acme.1', 'zeta.1', 'zeta.3']);
  });

  test('min_age counts from when the source first saw a version', async () => {
    const clock = new TestClock();
    const fixture = await overlay({ both: { min_age: '3d' } }, clock)
      .in('internal')
      .package('acme.1')
      .in('public')
      .package('zeta.1')
      .forTest();
    clock.advance(DAY);
    fixture.package('public', 'zeta.2');
    await fixture.sync('public');
    clock.advance(DAY);
    // The overlay's own first tree, of which zeta.2 is young all the same.
    await fixture.sync('both');
    expect(await versions(fixture)).toEqual(['acme.1', 'zeta.1']);
    expect(await held(fixture)).toEqual([expect.stringContaining('zeta.2: it was first seen 2026-01-02')]);
    clock.advance(2 * DAY);
    await fixture.sync('both');
    expect(await versions(fixture)).toEqual(['acme.1', 'zeta.1', 'zeta.2']);
  });

  test('min_age of a version that could not be read counts from when it could', async () => {
    const clock = new TestClock();
    const fixture = await overlay({ public: { min_age: '3d' } }, clock)
      .in('public')
      .package('zeta.1')
      .forTest();
    fixture.file('public', opam('zeta.2'), 'depends: [');
    await fixture.sync('public');
    clock.advance(4 * DAY);
    fixture.package('public', 'zeta.2');
    await fixture.sync('public');
    expect(await versions(fixture, 'public')).toEqual(['zeta.1']);
    clock.advance(3 * DAY);
    await fixture.sync('public');
    expect(await versions(fixture, 'public')).toEqual(['zeta.1', 'zeta.2']);
  });
});

describe('a signed source that is stale', () => {
  const DATE = 1_767_225_600_000;
  const signed: Dialect = {
    async verify(candidate, trusted, now) {
      const verdict = await unsignedDialect.verify(candidate, trusted, now);
      return { ...verdict, snapshot: { commit: '', date: DATE }, warnings: ['anybody may have signed this'] };
    },
  };

  test.each([
    { what: 'makes the overlay stale', stops: false, status: 200, warning: expect.stringMatching(/^110 /) },
    { what: 'stops the overlay too, where it says so', stops: true, status: 503, warning: undefined },
  ])('$what', async ({ stops, status: expected, warning }) => {
    const clock = new TestClock(DATE);
    const fixture = await overlay(
      { internal: { dialect: 'signed', trust: 'none', max_age: '1d', stop_when_stale: stops } },
      clock,
    )
      .in('internal')
      .package('acme.1')
      .in('public')
      .package('zeta.1')
      .forTest({ sync: false });
    await new RepositorySync({ ...fixture.mirror, repository: 'internal', dialect: signed }).run(
      () => undefined,
    );
    await fixture.sync('public');
    await fixture.sync('both');
    await fixture.mirror.served.refresh('internal');
    const look = async () => {
      const { status: code, headers } = await fixture.get('/both/index.tar.gz');
      const state = (await repositoryStates(fixture.mirror)).find(({ name }) => name === 'both');
      return { code, warning: headers.warning, ready: state?.ready, freshness: state?.freshness };
    };
    expect(await look()).toEqual({ code: 200, warning: undefined, ready: true, freshness: undefined });
    clock.advance(DAY + 1);
    expect(await look()).toEqual({ code: expected, warning, ready: !stops, freshness: 'stale' });
    const [state] = (await repositoryStates(fixture.mirror)).filter(({ name }) => name === 'both');
    expect(state?.warnings).toEqual(['source internal: anybody may have signed this']);
  });
});

describe('the configuration of an overlay', () => {
  test.each([
    { key: 'reserved', settings: { reserved: ['acme'] } },
    { key: 'policy', settings: { policy: { 'archive-altered': 'hold' } } },
    { key: 'policy', settings: { policy: { 'version-removed': 'refuse' } } },
    { key: 'keep_removed', settings: { keep_removed: '90d' } },
    { key: 'keep_removed', settings: { keep_removed: 'forever' } },
    { key: 'dialect', settings: { dialect: 'signed', trust: 'none' } },
  ])('$settings is of the sources', ({ key, settings }) => {
    const parsed = configSchema.safeParse({
      repository: { a: { upstream: 'https://a.example' }, both: { sources: ['a'], ...settings } },
    });
    expect(parsed.error?.issues.map(({ path }) => path.join('.'))).toEqual([`repository.both.${key}`]);
  });

  test.each([
    { policy: { 'archive-altered': 'warn' } },
    { keep_removed: 0 },
    { deny: ['foo'] },
    { min_age: '3d' },
  ])('%o is its own', (settings) => {
    const repository = { a: { upstream: 'https://a.example' }, both: { sources: ['a'], ...settings } };
    expect(configSchema.safeParse({ repository }).success).toBe(true);
  });
});
