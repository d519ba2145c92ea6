/** HOSTILE 18: one strict pattern, and every other spelling of it is not found. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parsePath } from '../../src/proxy/paths.ts';
import { cachePath, hexOf, type MirrorFixture, mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';

const BYTES = sampleBytes(1000);
const SHA256 = hexOf('sha256', BYTES);
const MD5 = hexOf('md5', BYTES);
const ARCHIVE = cachePath('sha256', SHA256);
const PREFIX = SHA256.slice(0, 2);

let fixture: MirrorFixture;
let snapshot: string;

beforeAll(async () => {
  fixture = await mirrorOf()
    .package('hello.1.0', { archive: BYTES, checksums: ['md5', 'sha256', 'sha512'] })
    .start();
  snapshot = fixture.mirror.served.current('default')?.snapshot.id ?? '';
});

afterAll(() => fixture.close());

describe('what is served', () => {
  test.each([
    ['/index.tar.gz', 'application/gzip'],
    ['/repo', 'text/plain; charset=utf-8'],
    ['/default/index.tar.gz', 'application/gzip'],
    ['/default/repo', 'text/plain; charset=utf-8'],
    [ARCHIVE, 'application/octet-stream'],
    [`/default${ARCHIVE}`, 'application/octet-stream'],
    [cachePath('md5', MD5), 'application/octet-stream'],
    [cachePath('sha512', hexOf('sha512', BYTES)), 'application/octet-stream'],
  ])('%s', async (path, type) => {
    const response = await fixture.get(path);
    expect(response.status).toBe(200);
    expect(response.headers['content-type']).toBe(type);
  });

  test.each(['index.tar.gz', 'repo', ARCHIVE.slice(1)])('/default@SNAPSHOT/%s', async (path) => {
    const present = await fixture.get(`/${path}`);
    const past = await fixture.get(`/default@${snapshot}/${path}`);
    expect(past.status).toBe(200);
    expect(past.body).toEqual(present.body);
    expect(past.headers['cache-control']).toBe(present.headers['cache-control']);
  });
});

/** What a client may put into a request line; none of it is found. */
const ODD: readonly (readonly [string, () => string])[] = [
  ['an escaped slash', () => ARCHIVE.replace('/sha256/', '%2Fsha256%2F')],
  ['an escaped slash in lower case', () => ARCHIVE.replace('/sha256/', '%2fsha256%2f')],
  ['an escaped letter', () => ARCHIVE.replace('cache', '%63ache')],
  ['an escaped digit of the hash', () => ARCHIVE.replace(/.$/, (digit) => `%${digit.charCodeAt(0)}`)],
  ['two slashes first', () => `/${ARCHIVE}`],
  ['two slashes within', () => ARCHIVE.replace('/sha256/', '//sha256/')],
  ['two slashes before the hash', () => ARCHIVE.replace(`/${PREFIX}/`, `/${PREFIX}//`)],
  ['a dot segment', () => `/.${ARCHIVE}`],
  ['two dots', () => `/x/..${ARCHIVE}`],
  ['two dots with an escaped slash', () => `/x/..%2F${ARCHIVE.slice(1)}`],
  ['escaped dots', () => `/x/%2e%2e${ARCHIVE}`],
  ['up and out', () => '/../../../../etc/passwd'],
  ['up and out, escaped', () => '/cache/sha256/..%2F..%2F..%2Fetc%2Fpasswd'],
  ['a backslash', () => ARCHIVE.replaceAll('/', '\\').replace('\\', '/')],
  ['an escaped backslash', () => ARCHIVE.replace('/sha256/', '%5Csha256%5C')],
  ['an escaped NUL at the end', () => `${ARCHIVE}%00`],
  ['an escaped NUL within', () => ARCHIVE.replace('/sha256', '%00/sha256')],
  ['an escaped newline at the end', () => `${ARCHIVE}%0A`],
  ['an overlong slash', () => ARCHIVE.replace('/sha256', '%C0%AFsha256')],
  ['a broken escape', () => `${ARCHIVE}%`],
  ['hex in upper case', () => cachePath('sha256', SHA256.toUpperCase())],
  ['one digit in upper case', () => ARCHIVE.replace(/[a-f](?=[^a-f]*$)/, (digit) => digit.toUpperCase())],
  ['the prefix in upper case', () => `/cache/sha256/${PREFIX.toUpperCase()}x/${SHA256}`],
  ['a prefix that does not fit', () => `/cache/sha256/${PREFIX === '00' ? '11' : '00'}/${SHA256}`],
  ['a prefix of one digit', () => `/cache/sha256/${PREFIX[0]}/${SHA256}`],
  ['a prefix of three digits', () => `/cache/sha256/${SHA256.slice(0, 3)}/${SHA256}`],
  ['no prefix', () => `/cache/sha256/${SHA256}`],
  ['a digit too few', () => ARCHIVE.slice(0, -1)],
  ['a digit too many', () => `${ARCHIVE}0`],
  ['the length of another kind', () => cachePath('md5', SHA256)],
  ['a digit that is none', () => ARCHIVE.replace(/.$/, 'g')],
  ['an unknown kind', () => cachePath('sha256', SHA256).replace('sha256', 'sha1')],
  ['the kind in upper case', () => ARCHIVE.replace('sha256', 'SHA256')],
  ['another file name', () => `${ARCHIVE}.tar.gz`],
  ['a final slash', () => `${ARCHIVE}/`],
  ['a final slash after the index', () => '/index.tar.gz/'],
  ['a query', () => `${ARCHIVE}?download=1`],
  ['an empty query', () => `${ARCHIVE}?`],
  ['a query after the index', () => '/index.tar.gz?x'],
  ['a fragment', () => `${ARCHIVE}#x`],
  ['a parameter', () => `${ARCHIVE};x=1`],
  ['a space, as plus', () => `${ARCHIVE}+`],
  ['a very long path', () => `/${'a'.repeat(8000)}`],
  ['a very long name', () => `/${'a'.repeat(64)}/index.tar.gz`],
  ['a very deep path', () => `${'/a'.repeat(4000)}${ARCHIVE}`],
  ['the absolute form', () => `http://mirror.test${ARCHIVE}`],
  ['the absolute form of the index', () => 'http://mirror.test/index.tar.gz'],
  ['the absolute form of a page', () => 'http://mirror.test/healthz'],
  ['another scheme', () => 'file:///etc/passwd'],
  ['an asterisk', () => '*'],
  ['only slashes', () => '///'],
  ['an unknown repository', () => '/nobody/index.tar.gz'],
  ['an unknown repository with a known hash', () => `/nobody${ARCHIVE}`],
  ['a name in upper case', () => '/Default/index.tar.gz'],
  ['a name with a dot', () => '/default./index.tar.gz'],
  ['a name of Object.prototype', () => '/constructor/index.tar.gz'],
  ['a snapshot of another repository', () => `/nobody@${snapshot}/index.tar.gz`],
  ['a snapshot that never was', () => `/default@${'0'.repeat(64)}/index.tar.gz`],
  ['an archive of a snapshot that never was', () => `/default@${'0'.repeat(64)}${ARCHIVE}`],
  ['a snapshot in upper case', () => `/default@${snapshot.toUpperCase()}/index.tar.gz`],
  ['a short snapshot', () => `/default@${snapshot.slice(0, 16)}/index.tar.gz`],
  ['an empty snapshot', () => '/default@/index.tar.gz'],
  ['two snapshots', () => `/default@${snapshot}@${snapshot}/index.tar.gz`],
  ['a snapshot alone', () => `/@${snapshot}/index.tar.gz`],
  ['an escaped at', () => `/default%40${snapshot}/index.tar.gz`],
  ['a folder', () => '/default/'],
  ['the cache itself', () => '/cache/'],
  ['a listing', () => `/cache/sha256/${PREFIX}/`],
  ['the page of pages, twice', () => '//'],
  ['a page with an escaped letter', () => '/%68ealthz'],
  ['a page with a final slash', () => '/healthz/'],
  ['a page with a query', () => '/healthz?x=1'],
  ['a page in upper case', () => '/HEALTHZ'],
  ['a page with a dot segment', () => '/./healthz'],
  ['a page with a file name', () => '/readyz.json'],
];

describe('every other spelling is not found', () => {
  test.each(ODD)('%s', async (_name, path) => {
    const response = await fixture.get(path());
    expect(response.status).toBe(404);
    expect(response.headers['content-type']?.toLowerCase()).toBe('text/plain; charset=utf-8');
    expect(response.headers['cache-control']).toBe('no-store');
  });

  test.each(['/index\0.tar.gz', 'index.tar.gz', '/index.tar.gz HTTP/1.1 x', ''])(
    '%j is no request',
    async (target) => {
      expect((await fixture.get(target)).status).toBe(400);
    },
  );

  test('a path beyond the bound on heads is 431', async () => {
    expect((await fixture.get(`/${'a'.repeat(20_000)}`)).status).toBe(431);
  });

  test('none of them asked upstream for anything but what was listed', () => {
    expect(fixture.upstream.requests('/archives/hello.1.0')).toBe(1);
  });
});

describe('no two spellings reach the same thing', () => {
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
  const kinds = fc.constantFrom<['md5' | 'sha256' | 'sha512', number]>(
    ['md5', 32],
    ['sha256', 64],
    ['sha512', 128],
  );
  const prefix = fc.oneof(
    fc.constant(''),
    fc.stringMatching(/^\/[a-z0-9][a-z0-9_-]{0,10}$/),
    fc.tuple(fc.stringMatching(/^\/[a-z0-9]{1,5}$/), hex(64)).map(([name, id]) => `${name}@${id}`),
  );
  const archive = kinds.chain(([kind, length]) => hex(length).map((digits) => cachePath(kind, digits)));
  const path = fc
    .tuple(prefix, fc.oneof(archive, fc.constantFrom('/index.tar.gz', '/repo')))
    .map((parts) => parts.join(''));

  /** The path that a parsed one stands for. */
  function canonical(asked: NonNullable<ReturnType<typeof parsePath>>, named: boolean): string {
    const at = asked.snapshot === undefined ? '' : `@${asked.snapshot}`;
    const place = named ? `/${asked.repository}${at}` : '';
    if (asked.kind === 'archive') return cachePath(asked.checksum.kind, asked.checksum.hex, place);
    return `${place}/${asked.kind === 'repo' ? 'repo' : 'index.tar.gz'}`;
  }

  test('a canonical path is read, and written back as it was', () => {
    fc.assert(
      fc.property(path, (text) => {
        const asked = parsePath(text);
        expect(asked).toBeDefined();
        if (asked !== undefined) expect([canonical(asked, true), canonical(asked, false)]).toContain(text);
      }),
    );
  });

  test('with any one character changed, taken or put in, it is refused or stands for itself', () => {
    const edit = fc.tuple(fc.nat(), fc.nat(2), fc.string({ minLength: 1, maxLength: 1 }));
    fc.assert(
      fc.property(path, edit, (text, [place, remove, put]) => {
        const at = place % (text.length + 1);
        const edited = text.slice(0, at) + put + text.slice(at + remove);
        const asked = parsePath(edited);
        if (asked !== undefined) expect([canonical(asked, true), canonical(asked, false)]).toContain(edited);
      }),
      { numRuns: 500 },
    );
  });

  test('escaped, doubled, in upper case or with something behind, it is refused', () => {
    const escapeAt = (text: string, at: number): string =>
      `${text.slice(0, at)}%${text.charCodeAt(at).toString(16)}${text.slice(at + 1)}`;
    fc.assert(
      fc.property(path, fc.nat(), (text, place) => {
        const at = place % text.length;
        const upper = text.toUpperCase();
        const slash = text.indexOf('/', 1);
        const others = [
          escapeAt(text, at),
          upper,
          `/${text}`,
          `${text}/`,
          `${text}?`,
          `${text}\n`,
          `http://x${text}`,
          ...(slash === -1 ? [] : [`${text.slice(0, slash)}/${text.slice(slash)}`]),
        ];
        for (const other of others) expect(parsePath(other), other).toBeUndefined();
      }),
    );
  });
});
