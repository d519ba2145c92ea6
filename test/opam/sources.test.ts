/** What of a `url` or `extra-source` section counts, each line as opam 2.1.2 was seen to read it. */
import { describe, expect, it } from 'vitest';
import { parseChecksum, type Source, sourceOf, sourcesOf } from '../../src/opam/sources.ts';
import { parseFile } from '../support/opam-shapes.ts';

const MD5 = '0123456789abcdef0123456789abcdef';
const SHA256 = MD5 + MD5;
const SHA512 = SHA256 + SHA256;

/** The source that the items of a section make. */
function source(items: string): Source {
  return sourceOf(parseFile(items).items);
}

describe('which sources a file has', () => {
  it('none', () => {
    expect(sourcesOf(parseFile('src: "http://a/b" checksum: "" urls {}'))).toEqual([]);
  });

  it('the url first, then the extra-sources in their order', () => {
    const file = parseFile(`
      extra-source "b/c.patch" { src: "https://b" checksum: "md5=${MD5}" }
      url { src: "https://a" checksum: ["sha256=${SHA256}" "md5=${MD5}"] mirrors: "https://m" subpath: "x" }
      extra-source "a" { src: "https://c" mirrors: ["https://m" "https://n"] }`);
    expect(sourcesOf(file)).toEqual([
      {
        src: 'https://a',
        mirrors: ['https://m'],
        kind: 'archive',
        checksums: [
          { kind: 'sha256', hex: SHA256 },
          { kind: 'md5', hex: MD5 },
        ],
        malformed: [],
        subpath: 'x',
      },
      {
        name: 'b/c.patch',
        src: 'https://b',
        mirrors: [],
        kind: 'archive',
        checksums: [{ kind: 'md5', hex: MD5 }],
        malformed: [],
      },
      {
        name: 'a',
        src: 'https://c',
        mirrors: ['https://m', 'https://n'],
        kind: 'archive',
        checksums: [],
        malformed: [],
      },
    ]);
  });

  it('of duplicate sections and fields the first', () => {
    const file = parseFile(
      `url { src: "https://a" src: "https://b" checksum: [] checksum: "${MD5}" } url { src: "https://c" }`,
    );
    expect(sourcesOf(file)).toMatchObject([{ src: 'https://a', checksums: [], malformed: [] }]);
  });
});

describe('where a source is', () => {
  it.each([
    ['src: "https://a/b.tgz"', 'https://a/b.tgz', 'archive'],
    ['src: "http://a/b.tbz"', 'http://a/b.tbz', 'archive'],
    ['src: "ftp://a/b.tgz"', 'ftp://a/b.tgz', 'archive'],
    ['src: "https://user@host:8080/b.tgz"', 'https://user@host:8080/b.tgz', 'archive'],
    ['src: "https://a/b.git.tgz"', 'https://a/b.git.tgz', 'archive'],
    ['src: "https://a/x.git/archive/1.tgz"', 'https://a/x.git/archive/1.tgz', 'archive'],
    ['src: "https://a/git@b:c"', 'https://a/git@b:c', 'archive'],
    ['src: "git+https://a/b"', 'git+https://a/b', 'version-control'],
    ['src: "git+ssh://git@a/b#main"', 'git+ssh://git@a/b#main', 'version-control'],
    ['src: "git://a/b"', 'git://a/b', 'version-control'],
    ['src: "hg+https://a/b"', 'hg+https://a/b', 'version-control'],
    ['src: "darcs+https://a/b"', 'darcs+https://a/b', 'version-control'],
    ['src: "https://a/b.git"', 'https://a/b.git', 'version-control'],
    ['src: "https://a/b.git#v1"', 'https://a/b.git#v1', 'version-control'],
    ['src: "git@github.com:a/b"', 'git@github.com:a/b', 'version-control'],
    ['src: "ssh://a/b"', 'ssh://a/b', 'version-control'],
    ['src: "rsync://a/b"', 'rsync://a/b', 'version-control'],
    ['src: "file:///a/b"', 'file:///a/b', 'version-control'],
    ['archive: "https://a/b.tgz"', 'https://a/b.tgz', 'archive'],
    ['http: "https://a/b.tgz"', 'https://a/b.tgz', 'archive'],
    ['git: "https://a/b"', 'https://a/b', 'version-control'],
    ['hg: "https://a/b"', 'https://a/b', 'version-control'],
    ['darcs: "https://a/b"', 'https://a/b', 'version-control'],
    ['local: "/a/b"', '/a/b', 'version-control'],
    ['rsync: "a:b"', 'a:b', 'version-control'],
    ['archive: "https://old" src: "https://new"', 'https://new', 'archive'],
    ['git: "https://old" src: "https://new"', 'https://new', 'archive'],
    ['src: new archive: "https://old"', 'https://old', 'archive'],
    ['src: "https://a/\xc3\xa9"', 'https://a/\xc3\xa9', 'archive'],
    ['', '', 'archive'],
    ['src: ""', '', 'archive'],
    ['src: a', '', 'archive'],
    ['src: ("https://a")', '', 'archive'],
    ['src: ["https://a"]', '', 'archive'],
    ['src: "https://a" {b}', '', 'archive'],
  ])('%s', (items, src, kind) => {
    expect(source(items)).toMatchObject({ src, kind });
  });

  it('is found in time linear in its length', () => {
    for (const src of [
      '@'.repeat(1_000_000),
      '@a'.repeat(1_000_000),
      'a'.repeat(1_000_000),
      '.git'.repeat(1_000_000),
    ]) {
      expect(source(`src: "${src} "`).src).toHaveLength(src.length + 1);
    }
  });
});

describe('mirrors and subpath', () => {
  it.each([
    ['mirrors: "a"', ['a']],
    ['mirrors: ["a" "b"]', ['a', 'b']],
    ['mirrors: []', []],
    ['mirrors: ("a")', []],
    ['mirrors: ["a" ("b")]', []],
    ['mirrors: ["a" b]', []],
    ['mirrors: [["a"]]', []],
    ['mirrors: "a" {b}', []],
  ])('%s', (items, mirrors) => {
    expect(source(items).mirrors).toEqual(mirrors);
  });

  it('an absent subpath is absent', () => {
    expect('subpath' in source('')).toBe(false);
    expect('subpath' in source('subpath: x')).toBe(false);
    expect(source('subpath: "x"').subpath).toBe('x');
  });
});

describe('checksums', () => {
  it.each([
    ['', [], []],
    ['checksum: []', [], []],
    [`checksum: "md5=${MD5}"`, ['md5'], []],
    [`checksum: "sha512=${SHA512}"`, ['sha512'], []],
    [`checksum: ["md5=${MD5}" "sha512=${SHA512}" "sha256=${SHA256}"]`, ['md5', 'sha512', 'sha256'], []],
    [`checksum: ["${MD5}"]`, ['md5'], []],
    [`checksum: ["md5=${MD5}" "md5=${MD5}"]`, ['md5', 'md5'], []],
    [`checksum: ["sha256=${SHA256}" "sha384=00"]`, ['sha256'], ['sha384=00']],
    ['checksum: ""', [], ['']],
    ['checksum: "\xff"', [], ['\xff']],
    ['checksum: md5', [], ['not strings']],
    [`checksum: ["md5=${MD5}" x]`, [], ['not strings']],
    [`checksum: ("md5=${MD5}")`, [], ['not strings']],
    [`checksum: [("md5=${MD5}")]`, [], ['not strings']],
    [`checksum: [["md5=${MD5}"]]`, [], ['not strings']],
    [`checksum: "md5=${MD5}" {x}`, [], ['not strings']],
    [`checksum: ["md5=${MD5}" {x}]`, [], ['not strings']],
  ])('%s', (items, kinds, malformed) => {
    const found = source(items);
    expect(found.checksums.map((checksum) => checksum.kind)).toEqual(kinds);
    expect(found.malformed).toEqual(malformed);
  });

  it.each([
    [`md5=${MD5}`, 'md5', MD5],
    [`sha256=${SHA256}`, 'sha256', SHA256],
    [`sha512=${SHA512}`, 'sha512', SHA512],
    [MD5, 'md5', MD5],
    [MD5.toUpperCase(), 'md5', MD5],
    [`MD5=${MD5.toUpperCase()}`, 'md5', MD5],
    [`Sha256=${SHA256.toUpperCase()}`, 'sha256', SHA256],
    [`SHA512=${SHA512}`, 'sha512', SHA512],
  ])('%s', (text, kind, hex) => {
    expect(parseChecksum(text)).toEqual({ kind, hex });
  });

  it.each([
    '',
    '=',
    'md5',
    'md5=',
    `=${MD5}`,
    `md5:${MD5}`,
    `md5 =${MD5}`,
    `md5= ${MD5}`,
    ` md5=${MD5}`,
    `md5=${MD5} `,
    `md5=${MD5}\n`,
    `md5==${MD5}`,
    `md5=${MD5}0`,
    `md5=${MD5.slice(1)}`,
    `md5=${MD5.slice(1)}g`,
    `md5=${SHA256}`,
    `sha256=${MD5}`,
    `sha256=${SHA512}`,
    `sha512=${SHA256}`,
    SHA256,
    SHA512,
    `sha1=${MD5}00000000`,
    `sha384=${SHA256}`,
    `sha-256=${SHA256}`,
    `constructor=${MD5}`,
    `md5=0x${MD5.slice(2)}`,
    `md5=${MD5.slice(1)}\xff`,
  ])('not %j', (text) => {
    expect(parseChecksum(text)).toBeUndefined();
  });
});
