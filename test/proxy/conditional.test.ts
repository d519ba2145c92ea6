/** HOSTILE 19, as tables: what conditions and ranges come to (RFC 9110, 13 and 14). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ConditionalHeaders, type Decision, decide } from '../../src/proxy/conditional.ts';
import { parseHttpDate } from '../../src/proxy/http-date.ts';

const ETAG = '"v1"';
const MODIFIED = 'Sat, 01 Jan 2000 00:00:00 GMT';
const BEFORE = 'Fri, 31 Dec 1999 23:59:59 GMT';
const AFTER = 'Sat, 01 Jan 2000 00:00:01 GMT';
const FILE = { etag: ETAG, lastModified: Date.UTC(2000, 0, 1), size: 1000 };

function outcome(headers: ConditionalHeaders): string {
  const decision: Decision = decide(headers, FILE);
  return decision.status === 206 ? `206 ${decision.start}-${decision.end}` : String(decision.status);
}

describe('Range', () => {
  test.each([
    ['bytes=0-499', '206 0-500'],
    ['bytes=0-0', '206 0-1'],
    ['bytes=999-999', '206 999-1000'],
    ['bytes=999-', '206 999-1000'],
    ['bytes=0-', '206 0-1000'],
    ['bytes=500-999', '206 500-1000'],
    ['bytes=500-5000', '206 500-1000'],
    ['bytes=500-99999999999999999999999999', '206 500-1000'],
    ['BYTES=1-2', '206 1-3'],
    // suffixes
    ['bytes=-1', '206 999-1000'],
    ['bytes=-1000', '206 0-1000'],
    ['bytes=-1001', '206 0-1000'],
    ['bytes=-99999999999999999999999999', '206 0-1000'],
    ['bytes=-0', '416'],
    // unsatisfiable
    ['bytes=1000-', '416'],
    ['bytes=1000-1000', '416'],
    ['bytes=99999999999999999999999999-', '416'],
    // several, overlapping or not: the whole, which no sum of ranges can exceed
    ['bytes=0-0,2-3', '200'],
    ['bytes=0-,0-,0-,0-', '200'],
    ['bytes=0-499,400-600', '200'],
    [`bytes=${'0-,'.repeat(1000)}`, '200'],
    // no range at all
    ['bytes=', '200'],
    ['bytes=-', '200'],
    ['bytes=5-4', '200'],
    ['bytes=a-b', '200'],
    ['bytes=0x1-2', '200'],
    ['bytes=1e2-', '200'],
    ['bytes=+1-2', '200'],
    ['bytes= 1 - 2', '200'],
    ['bytes=1.5-2', '200'],
    ['bytes=--1', '200'],
    ['bytes 0-1', '200'],
    ['items=0-1', '200'],
    ['0-1', '200'],
    ['', '200'],
    [`bytes=0-${'9'.repeat(200)}`, '200'],
  ])('%s is %s', (range, expected) => {
    expect(outcome({ range })).toBe(expected);
  });

  test.each(['bytes=0-', 'bytes=-1', 'bytes=0-0', 'bytes=-0'])('%s of nothing is 416', (range) => {
    expect(decide({ range }, { ...FILE, size: 0 })).toEqual({ status: 416 });
  });

  test('whatever is asked for, what is answered lies within the bytes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n }), fc.nat(2000), (first, last, size) => {
        for (const range of [`bytes=${first}-${last}`, `bytes=${first}-`, `bytes=-${last}`]) {
          const decision = decide({ range }, { ...FILE, size });
          if (decision.status !== 206) continue;
          expect(decision.start).toBeGreaterThanOrEqual(0);
          expect(decision.start).toBeLessThan(decision.end);
          expect(decision.end).toBeLessThanOrEqual(size);
        }
      }),
    );
  });
});

describe('If-Range with Range: bytes=0-9', () => {
  test.each([
    [ETAG, '206 0-10'],
    [MODIFIED, '206 0-10'],
    ['"v2"', '200'],
    ['W/"v1"', '200'],
    ['*', '200'],
    ['v1', '200'],
    [BEFORE, '200'],
    [AFTER, '200'],
    ['2000-01-01T00:00:00Z', '200'],
    ['', '200'],
  ])('%s is %s', (ifRange, expected) => {
    expect(outcome({ range: 'bytes=0-9', ifRange })).toBe(expected);
  });

  test('If-Range alone does nothing', () => {
    expect(outcome({ ifRange: '"v2"' })).toBe('200');
  });
});

describe('If-None-Match', () => {
  test.each([
    [ETAG, '304'],
    ['W/"v1"', '304'],
    ['*', '304'],
    [' * ', '304'],
    ['"v0", "v1"', '304'],
    ['"v0",W/"v1"', '304'],
    ['"a,b", "v1"', '304'],
    ['"v0"', '200'],
    ['"V1"', '200'],
    ['v1', '200'],
    ['"v1', '200'],
    ['', '200'],
    ['"*"', '200'],
    [`"${'a'.repeat(100_000)}`, '200'],
    ['"'.repeat(100_001), '200'],
  ])('%.20s is %s', (ifNoneMatch, expected) => {
    expect(outcome({ ifNoneMatch })).toBe(expected);
  });
});

describe('If-Modified-Since', () => {
  test.each([
    [MODIFIED, '304'],
    [AFTER, '304'],
    [BEFORE, '200'],
    ['Saturday, 01-Jan-00 00:00:00 GMT', '304'],
    ['Sat Jan  1 00:00:00 2000', '304'],
    // what Date.parse would read, and HTTP does not
    ['9', '200'],
    ['2030-01-01', '200'],
    ['2030-01-01T00:00:00Z', '200'],
    ['Sat, 01 Jan 2030 00:00:00', '200'],
    ['Sat, 01 Jan 2030 00:00:00 +0000', '200'],
    ['Sat, 32 Jan 2030 00:00:00 GMT', '200'],
    ['Sun, 30 Feb 2030 00:00:00 GMT', '200'],
    ['Sat, 01 Jan 2030 25:00:00 GMT', '200'],
    ['tomorrow', '200'],
    ['', '200'],
  ])('%s is %s', (ifModifiedSince, expected) => {
    expect(outcome({ ifModifiedSince })).toBe(expected);
  });

  test('counts only when there is no If-None-Match', () => {
    expect(outcome({ ifNoneMatch: '"v2"', ifModifiedSince: AFTER })).toBe('200');
    expect(outcome({ ifNoneMatch: ETAG, ifModifiedSince: BEFORE })).toBe('304');
  });
});

describe('If-Match and If-Unmodified-Since', () => {
  test.each<[ConditionalHeaders, string]>([
    [{ ifMatch: ETAG }, '200'],
    [{ ifMatch: '*' }, '200'],
    [{ ifMatch: '"v0", "v1"' }, '200'],
    [{ ifMatch: '"v0"' }, '412'],
    [{ ifMatch: 'W/"v1"' }, '412'],
    [{ ifMatch: '' }, '412'],
    [{ ifUnmodifiedSince: MODIFIED }, '200'],
    [{ ifUnmodifiedSince: AFTER }, '200'],
    [{ ifUnmodifiedSince: BEFORE }, '412'],
    [{ ifUnmodifiedSince: 'yesterday' }, '200'],
    [{ ifMatch: ETAG, ifUnmodifiedSince: BEFORE }, '200'],
    [{ ifMatch: '"v0"', ifNoneMatch: ETAG }, '412'],
    [{ ifMatch: ETAG, ifNoneMatch: ETAG }, '304'],
    [{ ifMatch: ETAG, range: 'bytes=0-0' }, '206 0-1'],
    [{ ifMatch: '"v0"', range: 'bytes=0-0' }, '412'],
    [{ ifNoneMatch: ETAG, range: 'bytes=5000-' }, '304'],
  ])('%o is %s', (headers, expected) => {
    expect(outcome(headers)).toBe(expected);
  });
});

describe('HTTP dates', () => {
  test.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    '%s',
    (text) => {
      expect(parseHttpDate(text)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
    },
  );

  test('what toUTCString writes is read back', () => {
    const seconds = fc.integer({ min: 0, max: 253_402_300_799 });
    fc.assert(
      fc.property(seconds, (second) => {
        expect(parseHttpDate(new Date(second * 1000).toUTCString())).toBe(second * 1000);
      }),
    );
  });

  test('no other text is a date', () => {
    fc.assert(fc.property(fc.string(), (text) => parseHttpDate(text) === undefined));
  });
});
