/** HOSTILE 5, 6 and 14, over real connections: whose sources are asked, and which bytes count as the archive. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bytes, heldBeforeLastByte, status, truncated } from '../support/archive-upstream.ts';
import { expectNothingKept, holdRecords, kept } from '../support/kept-archives.ts';
import { cachePath, hexOf, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { TestClock } from '../support/test-clock.ts';

const BYTES = sampleBytes(50_000);
const OTHER = sampleBytes(50_000, 2);
const SECOND = 1000;

describe('sources are tried in turn', () => {
  const SOURCES = ['/first', '/second', '/third'];

  test.each([
    ['wrong bytes', bytes(OTHER)],
    ['bytes cut short', truncated(BYTES)],
    ['a 404', status(404)],
    ['a redirect to nowhere', status(302, { location: 'ftp://elsewhere.invalid/' })],
    ['bytes without an end', bytes(Buffer.concat([BYTES, BYTES]))],
  ])('after %s from the first, the second', async (_name, answer) => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES, sources: SOURCES }).forTest();
    fixture.upstream.set('/first', answer);
    fixture.upstream.set('/second', bytes(BYTES));
    const response = await fixture.get(fixture.path('hello.1'));
    expect(response.status).toBe(200);
    expect(response.body.equals(BYTES)).toBe(true);
    expect(SOURCES.map((path) => fixture.upstream.requests(path))).toEqual([1, 1, 0]);
    expect(await kept(fixture)).toHaveLength(1);
  });

  test('wrong from all is a 404 that names each source, and nothing is kept', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES, sources: SOURCES }).forTest();
    for (const path of SOURCES) fixture.upstream.set(path, bytes(OTHER));
    const response = await fixture.get(fixture.path('hello.1'));
    expect(response.status).toBe(404);
    const text = response.body.toString();
    for (const path of SOURCES) expect(text).toContain(`${fixture.upstream.address}${path}: `);
    expect(text).toContain(`sha256=${hexOf('sha256', BYTES)}`);
    await expectNothingKept(fixture, OTHER);
  });

  test('the upstream’s own cache first, the configured fallback last', async () => {
    const fallback = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const fixture = await mirrorOf({
      repository: { default: { archive_fallbacks: [`${fallback.address}/cache`] } },
    }).forTest({ sync: false });
    fixture.package('default', 'hello.1', { archive: BYTES });
    fixture.file('default', 'repo', 'opam-version: "2.0"\narchive-mirrors: "cache"\n');
    await fixture.sync();
    fixture.upstream.set('/archives/hello.1', status(404));
    expect((await fixture.get(fixture.path('hello.1'))).body.equals(BYTES)).toBe(true);
    expect(fixture.upstream.requests(fixture.path('hello.1', 'sha256', '/default'))).toBe(1);
    expect(fixture.upstream.requests('/archives/hello.1')).toBe(1);
    expect(fallback.upstream.requests('/archives/hello.1')).toBe(1);
  });

  test('a password in a source is not told to clients', async () => {
    const fixture = await mirrorOf().forTest({ sync: false });
    const secret = `${fixture.upstream.address.replace('//', '//user:hunter2@')}/secret`;
    fixture.package('default', 'hello.1', { archive: BYTES, sources: [secret] });
    await fixture.sync();
    const response = await fixture.get(fixture.path('hello.1'));
    expect(response.status).toBe(404);
    expect(response.body.toString()).not.toContain('hunter2');
  });
});

describe('sets of checksums that share a hash', () => {
  const TRUE = { archive: BYTES, checksums: ['md5', 'sha256'], sources: ['/true'] };
  const LIE = {
    checksums: [`md5=${hexOf('md5', BYTES)}`, `sha512=${hexOf('sha512', OTHER)}`],
    sources: ['/lie'],
  };
  const LIE_PATH = cachePath('sha512', hexOf('sha512', OTHER));
  /** Nothing ends a wait for the lie but its source. */
  const PATIENT = { limits: { stall_timeout: '10m' } };

  test.each([
    ['before', ['a-lie.1', 'b-true.1']],
    ['after', ['b-lie.1', 'a-true.1']],
  ])('where one that comes %s is a lie, the other is served', async (_order, [lie = '', truth = '']) => {
    const fixture = await mirrorOf().package(lie, LIE).package(truth, TRUE).forTest();
    fixture.upstream.set('/true', bytes(BYTES));
    fixture.upstream.set('/lie', bytes(BYTES));
    expect((await fixture.get(fixture.path(truth, 'md5'))).body.equals(BYTES)).toBe(true);
    expect((await fixture.get(fixture.path(truth, 'sha256'))).status).toBe(200);
    expect((await fixture.get(LIE_PATH)).status).toBe(404);
  });

  test('a lie whose source stalls keeps nobody waiting but those who ask for it', async () => {
    const fixture = await mirrorOf(PATIENT).package('a-lie.1', LIE).package('b-true.1', TRUE).forTest();
    fixture.upstream.set('/true', bytes(BYTES));
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/lie', held.answer);
    const lie = fixture.get(LIE_PATH);
    await fixture.upstream.asked('/lie');
    expect((await fixture.get(fixture.path('b-true.1', 'sha256'))).status).toBe(200);
    expect((await fixture.get(fixture.path('b-true.1', 'md5'))).status).toBe(200);
    held.release();
    expect((await lie).status).toBe(404);
  });

  test('nor does it where the truth is verified, and not on the disk yet', async () => {
    const fixture = await mirrorOf(PATIENT).package('a-lie.1', LIE).package('b-true.1', TRUE).forTest();
    fixture.upstream.set('/true', bytes(BYTES));
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/lie', held.answer);
    const keep = holdRecords(fixture);
    const lie = fixture.get(LIE_PATH);
    await fixture.upstream.asked('/lie');
    expect((await fixture.get(fixture.path('b-true.1', 'sha256'))).status).toBe(200);
    expect((await fixture.get(fixture.path('b-true.1', 'md5'))).status).toBe(200);
    keep();
    held.release();
    expect((await lie).status).toBe(404);
  });

  test('asked for by the shared hash while the lie stalls, the truth is fetched beside it', async () => {
    const clock = new TestClock();
    const fixture = await mirrorOf({ clock }).package('a-lie.1', LIE).package('b-true.1', TRUE).forTest();
    fixture.upstream.set('/true', bytes(BYTES));
    const held = heldBeforeLastByte(BYTES);
    fixture.upstream.set('/lie', held.answer);
    const shared = fixture.get(fixture.path('b-true.1', 'md5'));
    // The client's patience, and the lie's head start.
    await Promise.all([fixture.upstream.asked('/lie'), clock.asleep(2)]);
    expect(fixture.upstream.requests('/true')).toBe(0);
    clock.advance(2 * SECOND);
    expect((await shared).body.equals(BYTES)).toBe(true);
    held.release();
  });

  test('the same bytes under another set are not fetched twice', async () => {
    const fixture = await mirrorOf()
      .package('one.1', { archive: BYTES, checksums: ['md5', 'sha512'], sources: ['/one'] })
      .package('two.1', { archive: BYTES, checksums: ['sha256', 'md5'], sources: ['/two'] })
      .forTest();
    fixture.upstream.set('/one', bytes(BYTES));
    expect((await fixture.get(fixture.path('one.1', 'sha512'))).status).toBe(200);
    await fixture.mirror.archives.settled();
    expect((await fixture.get(fixture.path('two.1', 'sha256'))).status).toBe(200);
    expect(fixture.upstream.requests('/two')).toBe(0);
  });
});

describe('a repository answers for what it lists itself', () => {
  test('another one’s hash is not found, cached or not', async () => {
    const fixture = await mirrorOf()
      .package('mine.1', { archive: BYTES })
      .in('other')
      .package('theirs.1', { archive: OTHER })
      .forTest();
    for (let round = 0; round < 2; round++) {
      expect((await fixture.get(fixture.path('theirs.1', 'sha256', '/default'))).status).toBe(404);
      expect((await fixture.get(fixture.path('theirs.1'))).status).toBe(404);
      expect((await fixture.get(fixture.path('mine.1', 'sha256', '/other'))).status).toBe(404);
      expect((await fixture.get(fixture.path('theirs.1', 'sha256', '/other'))).status).toBe(200);
      expect((await fixture.get(fixture.path('mine.1'))).status).toBe(200);
    }
  });

  test('one repository’s failure, and the sources it names, are none of another’s', async () => {
    const fixture = await mirrorOf()
      .package('hello.1', { archive: BYTES, sources: ['/public'] })
      .in('private')
      .package('hello.1', { archive: BYTES, sources: ['/private'] })
      .forTest();
    fixture.upstream.set('/public', bytes(BYTES));
    const refused = await fixture.get(fixture.path('hello.1', 'sha256', '/private'));
    expect(refused.status).toBe(404);
    expect((await fixture.get(fixture.path('hello.1'))).status).toBe(200);
    expect(refused.body.toString()).not.toContain('/public');
  });

  test('an archive that a past snapshot listed stays', async () => {
    const fixture = await mirrorOf({ repository: { default: { keep_removed: 0 } } })
      .package('keep.1', { archive: OTHER })
      .package('old.1', { archive: BYTES })
      .forTest();
    const past = fixture.mirror.served.current('default')?.snapshot.id;
    fixture.remove('default', 'packages/old/old.1/opam');
    await fixture.sync();
    expect(fixture.mirror.served.current('default')?.snapshot.id).not.toBe(past);
    for (const prefix of ['', '/default', `/default@${past}`])
      expect((await fixture.get(fixture.path('old.1', 'sha256', prefix))).status).toBe(200);
    expect((await fixture.get(`/default@${past}/index.tar.gz`)).status).toBe(200);
  });

  test('a hash that nobody lists asks nobody', async () => {
    const fixture = await mirrorOf().package('hello.1', { archive: BYTES }).forTest();
    const hex = createHash('sha256').update('unlisted').digest('hex');
    const response = await fixture.get(cachePath('sha256', hex));
    expect(response.status).toBe(404);
    expect(response.body.toString()).toBe(`no snapshot of default lists sha256=${hex}\n`);
  });
});
