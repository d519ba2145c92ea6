import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import {
  decodeContent,
  encodeContent,
  type FileFacts,
  findFacts,
  sameBytes,
} from '../../src/mirror/index/file-facts.ts';
import { sha256Of } from '../../src/mirror/index/snapshot-id.ts';
import type { TreeFile } from '../../src/opam/tree.ts';
import { opamPath, version } from '../support/tree-builder.ts';
import { failureOf } from './test-mirror.ts';

function facts(content: string | Uint8Array, path = 'packages/a/a.1/opam'): FileFacts {
  const bytes = Buffer.from(content);
  const sha256 = sha256Of(bytes);
  const file: TreeFile = { path, size: bytes.length, id: `sha256:${sha256}` };
  return findFacts(file, sha256, bytes, DEFAULT_LIMITS);
}

const HEX = 'ab'.repeat(32);

describe('the archives that a file declares', () => {
  test('are those of url and of extra-sources, with all their addresses', () => {
    const text = [
      `url { src: "https://a.example/1.tgz" mirrors: "http://b.example/1.tgz" checksum: "sha256=${HEX}" }`,
      `extra-source "fix" { src: "https://c.example/fix" checksum: ["md5=${'0'.repeat(32)}" "sha256=${HEX}"] }`,
    ].join('\n');
    expect(facts(text).archives).toEqual([
      {
        checksums: [{ kind: 'sha256', hex: HEX }],
        sources: ['https://a.example/1.tgz', 'http://b.example/1.tgz'],
      },
      {
        checksums: [
          { kind: 'md5', hex: '0'.repeat(32) },
          { kind: 'sha256', hex: HEX },
        ],
        sources: ['https://c.example/fix'],
        name: 'fix',
      },
    ]);
  });

  test.each([
    ['no checksum', 'url { src: "https://a.example/1.tgz" }'],
    ['version control', `url { src: "git+https://a.example/1.git" checksum: "sha256=${HEX}" }`],
    ['no url', 'opam-version: "2.0"'],
  ])('are none with %s', (_, text) => {
    expect(facts(text)).toMatchObject({ archives: [] });
    expect(facts(text).problem).toBeUndefined();
  });

  test('have only addresses that a mirror fetches from', () => {
    const text = `url { src: "https://a.example/1" mirrors: ["file:///etc/passwd" "ftp://b.example/1"] checksum: "sha256=${HEX}" }`;
    expect(facts(text).archives[0]?.sources).toEqual(['https://a.example/1']);
  });

  test('are found in a url file of format 1.2', () => {
    const text = `archive: "https://a.example/1.tgz" checksum: "${'1'.repeat(32)}"`;
    expect(facts(text, 'packages/a/a.1/url').archives).toHaveLength(1);
  });
});

describe('a file that cannot be served says why, with line and column', () => {
  test.each([
    ['an unterminated string', 'opam-version: "2.0\n', /line \d+, column \d+/],
    ['a NUL byte', 'opam-version: "2.0"\nx: "\0"\n', /line 2, column 4: a NUL byte/],
    ['bad UTF-8', Buffer.from('a: "b"\nc: "\xff"\n', 'latin1'), /line 2, column 4: a byte that is not UTF-8/],
    ['UTF-8 that is cut', Buffer.from('c: "\xc3"\n', 'latin1'), /line 1, column 4: a byte that is not UTF-8/],
    [
      'UTF-8 that ends too soon',
      Buffer.from('# \xef\xbf', 'latin1'),
      /line 1, column \d+: a byte that is not/,
    ],
    ['brackets without end', '('.repeat(100_000), /line 1, column \d+/],
  ])('%s', (_, content, reason) => {
    expect(facts(content)).toMatchObject({ archives: [], problem: expect.stringMatching(reason) });
    expect(facts(content).problem).toContain('packages/a/a.1/opam: ');
  });

  test('wherever below packages/ the version stands', () => {
    expect(facts('(', 'packages/a.1/opam').problem).toBeDefined();
    expect(facts('(', 'packages/group/of/a.1/opam').problem).toBeDefined();
  });

  test.each([
    'packages/a/a.1/files/opam',
    'packages/a/opam',
    'packages/a/a.1/files/url',
    'compilers/1/1/opam',
    'version',
  ])('but %s is no opam file, whatever is in it', (path) => {
    expect(facts('\0(', path)).toEqual(expect.objectContaining({ archives: [] }));
    expect(facts('\0(', path).problem).toBeUndefined();
  });
});

test('facts survive the catalogue', () => {
  const content = Object.values(version('a.1'))[0] ?? '';
  const all = [facts(content, opamPath('a.1')), facts('\xff', 'packages/a/a.1/files/x')];
  expect(decodeContent(encodeContent(all))).toEqual(all);
});

const LISTING = `${HEX}  packages/a/a.1/opam\n`;

test.each([
  ['no JSON', '', LISTING],
  ['no JSON at all', 'not JSON', LISTING],
  ['no list', '{}', LISTING],
  ['an empty row', '[[]]', LISTING],
  ['an id of no kind', '[["md5:00",0,[],[]]]', LISTING],
  ['a negative size', '[["sha256:00",-1,[],[]]]', LISTING],
  ['fewer rows than lines', '[]', LISTING],
  ['more rows than lines', '[["sha256:00",0,[],[]],["sha256:00",0,[],[]]]', LISTING],
  ['a line without its end', '[["sha256:00",0,[],[]]]', LISTING.trimEnd()],
  ['a line without a hash', '[["sha256:00",0,[],[]]]', 'packages/a/a.1/opam\n'],
])('facts that cannot be read back are store-corrupt: %s', async (_, text, listing) => {
  const decoding = Promise.resolve().then(() => decodeContent({ listing, facts: text }));
  expect(await failureOf(decoding)).toMatchObject({ code: 'store-corrupt' });
});

test('a file is known by its id, and by its SHA-256 whatever kind of tree it stood in', () => {
  const known: FileFacts = { ...facts('x'), id: 'git:0123' };
  const file = { path: known.path, size: 1 };
  expect(sameBytes(known, { ...file, id: 'git:0123' })).toBe(true);
  expect(sameBytes(known, { ...file, id: `sha256:${known.sha256}` })).toBe(true);
  expect(sameBytes(known, { ...file, id: 'git:0124' })).toBe(false);
  expect(sameBytes(known, { ...file, id: `sha256:${HEX}` })).toBe(false);
});
