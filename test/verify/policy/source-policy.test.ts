/** Weak and missing hashes, pins, and the mirror's own address, source by source. */
import { describe, expect, it } from 'vitest';
import { parseOpamFile } from '../../../src/opam/parser.ts';
import { sourcesOf } from '../../../src/opam/sources.ts';
import { type DeclaredSource, pinKey } from '../../../src/verify/policy/declared-source.ts';
import type { ServingPolicy } from '../../../src/verify/policy/serving.ts';
import {
  accepted,
  checksum,
  decideServing,
  MD5,
  OPEN,
  OTHER_MD5,
  SHA256,
  SHA512,
  source,
} from './samples.ts';

const CACHE = 'https://mirror.example/public/cache';
const PINNED = [checksum(`sha256=${'c2'.repeat(32)}`), checksum(`sha512=${'c5'.repeat(64)}`)];
const PINNED_SRC = `${CACHE}/sha256/c2/${'c2'.repeat(32)}`;
const SHA256_SRC = `${CACHE}/sha256/a2/${'a2'.repeat(32)}`;

const WEAK = source({ checksums: [MD5] });
const MISSING = source({ checksums: [] });
const CHECKOUT = source({ kind: 'version-control', src: 'git+https://example.org/foo.git', checksums: [] });
const MALFORMED = source({ malformed: ['md5=g'] });
const PINS = new Map([
  [`md5=${MD5.hex}`, PINNED],
  ['src https://example.org/foo.tgz', PINNED],
]);

function decide(sources: readonly DeclaredSource[], policy: Partial<ServingPolicy>) {
  return decideServing(accepted('foo.1', { sources }), { ...OPEN, ...policy }, 1);
}

function reasons(sources: readonly DeclaredSource[], policy: Partial<ServingPolicy>) {
  const { hold, warnings } = decide(sources, policy);
  return [...(hold === undefined ? [] : [hold]), ...warnings].map(({ rule, reason }) => `${rule}: ${reason}`);
}

describe('a pin is kept under', () => {
  it.each<readonly [string, DeclaredSource, string | undefined]>([
    ['the weak checksum', WEAK, `md5=${MD5.hex}`],
    [
      'all of them in one order',
      source({ checksums: [OTHER_MD5, MD5, MD5] }),
      `md5=${MD5.hex} md5=${OTHER_MD5.hex}`,
    ],
    ['the weak checksum, whatever the address', source({ checksums: [MD5], src: '' }), `md5=${MD5.hex}`],
    ['the address', MISSING, 'src https://example.org/foo.tgz'],
    ['the address as written', source({ checksums: [], src: 'HTTP://A/b' }), 'src HTTP://A/b'],
    ['nothing: another scheme', source({ checksums: [], src: 'ftp://a/b' }), undefined],
    ['nothing: no address', source({ checksums: [], src: '' }), undefined],
    ['nothing: strong already', source({ checksums: [MD5, SHA512] }), undefined],
    ['nothing: malformed', source({ checksums: [MD5], malformed: ['x'] }), undefined],
    ['nothing: version control', CHECKOUT, undefined],
    ['nothing: version control with a checksum', { ...CHECKOUT, checksums: [MD5] }, undefined],
  ])('%s', (_, declared, key) => {
    expect(pinKey(declared)).toBe(key);
  });

  it('what a real file declares', () => {
    const file = parseOpamFile(
      Buffer.from(`url { src: "https://a/b.tgz" checksum: "${MD5.hex.toUpperCase()}" }`),
    );
    expect(sourcesOf(file).map((found) => pinKey({ ...found, inUrlFile: false }))).toEqual([
      `md5=${MD5.hex}`,
    ]);
  });
});

describe('hashes of a source', () => {
  it.each<readonly [string, DeclaredSource, Partial<ServingPolicy>, readonly string[]]>([
    ['weak, allowed', WEAK, { weakHashes: 'allow' }, []],
    [
      'weak, warned of',
      WEAK,
      { weakHashes: 'warn' },
      ['weak-hashes: the archive has only weak checksums (md5); it is served as it is'],
    ],
    ['weak, held', WEAK, { weakHashes: 'hold' }, ['weak-hashes: the archive has only weak checksums (md5)']],
    [
      'weak, held but released',
      WEAK,
      { weakHashes: 'hold', released: new Set(['foo.1']) },
      ['weak-hashes: the archive has only weak checksums (md5); a person released it'],
    ],
    [
      'weak, not fetched yet',
      WEAK,
      { weakHashes: 'strengthen' },
      [
        'weak-hashes: the archive has only weak checksums (md5); it could not be fetched yet to add strong ones, and is served as it is',
      ],
    ],
    ['weak, pinned', WEAK, { weakHashes: 'strengthen', pins: PINS }, []],
    [
      'sha256 beside md5',
      source({ checksums: [MD5, SHA256] }),
      { weakHashes: 'hold', missingHashes: 'hold' },
      [],
    ],
    ['sha512 alone', source({ checksums: [SHA512] }), { weakHashes: 'hold', missingHashes: 'hold' }, []],
    [
      'weak, of an extra-source',
      source({ name: 'p.patch', checksums: [MD5] }),
      { weakHashes: 'hold' },
      ["weak-hashes: the extra-source 'p.patch' has only weak checksums (md5)"],
    ],
    ['missing, held', MISSING, { missingHashes: 'hold' }, ['missing-hashes: the archive has no checksum']],
    ['missing is not weak', MISSING, { weakHashes: 'hold' }, []],
    ['weak is not missing', WEAK, { missingHashes: 'hold' }, []],
    [
      'missing, warned of',
      MISSING,
      { missingHashes: 'warn' },
      ['missing-hashes: the archive has no checksum; it is served as it is'],
    ],
    ['missing, pinned', MISSING, { missingHashes: 'strengthen', pins: PINS }, []],
    [
      'missing, at no address of HTTP',
      source({ checksums: [], src: 'ftp://a/b' }),
      { missingHashes: 'strengthen', pins: PINS },
      ['missing-hashes: the archive has no checksum; it cannot be strengthened, and is served as it is'],
    ],
    [
      'version control, held',
      CHECKOUT,
      { missingHashes: 'hold' },
      ['missing-hashes: the archive comes from version control, without a checksum'],
    ],
    [
      'version control, whose checksum no client compares',
      { ...CHECKOUT, checksums: [SHA256] },
      { missingHashes: 'hold', weakHashes: 'hold' },
      ['missing-hashes: the archive comes from version control, without a checksum'],
    ],
    [
      'version control, strengthened',
      CHECKOUT,
      { missingHashes: 'strengthen', pins: PINS },
      [
        'missing-hashes: the archive comes from version control, without a checksum; it cannot be strengthened, and is served as it is',
      ],
    ],
    [
      'malformed, as if there were none',
      MALFORMED,
      { missingHashes: 'hold' },
      ['missing-hashes: the archive has a malformed checksum, so that clients compare none of them'],
    ],
    ['malformed beside a strong one is not weak', MALFORMED, { weakHashes: 'hold' }, []],
    [
      'malformed beside a weak one',
      source({ checksums: [MD5], malformed: ['x'] }),
      { weakHashes: 'hold' },
      ['weak-hashes: the archive has a malformed checksum, so that clients compare none of them'],
    ],
  ])('%s', (_, declared, policy, expected) => {
    expect(reasons([declared], policy)).toEqual(expected);
  });

  it.each<readonly [string, Partial<ServingPolicy>, boolean]>([
    ['warn', { weakHashes: 'warn' }, false],
    ['hold', { weakHashes: 'hold' }, true],
  ])('of a later source count as those of the first: %s', (_, policy, held) => {
    const { hold, warnings } = decide([source(), source({ name: 'e', checksums: [MD5] })], policy);
    expect(hold !== undefined).toBe(held);
    expect(warnings).toHaveLength(held ? 0 : 1);
  });
});

describe('the edits of a version', () => {
  const BOTH = { weakHashes: 'strengthen', missingHashes: 'strengthen', pins: PINS } as const;

  it.each<readonly [string, DeclaredSource, Partial<ServingPolicy>, object | undefined]>([
    ['strong: none', source(), BOTH, undefined],
    ['weak: the pinned hashes', WEAK, BOTH, { checksums: PINNED }],
    ['weak, in a url file', { ...WEAK, inUrlFile: true }, BOTH, { checksums: PINNED }],
    ['weak, of an extra-source', { ...WEAK, name: 'e' }, BOTH, { name: 'e', checksums: PINNED }],
    ['weak, with another checksum', source({ checksums: [OTHER_MD5] }), BOTH, undefined],
    ['weak, only missing ones wanted', WEAK, { ...BOTH, weakHashes: 'allow' }, undefined],
    ['missing: the pinned hashes', MISSING, BOTH, { checksums: PINNED }],
    ['missing, only weak ones wanted', MISSING, { ...BOTH, missingHashes: 'allow' }, undefined],
    [
      'a pin of weak hashes is none',
      WEAK,
      { ...BOTH, pins: new Map([[`md5=${MD5.hex}`, [MD5]]]) },
      undefined,
    ],
    [
      'the address: sha256 first',
      source({ checksums: [MD5, SHA512, SHA256] }),
      { cacheUrl: CACHE },
      { src: SHA256_SRC },
    ],
    [
      'the address: then sha512',
      source({ checksums: [MD5, SHA512] }),
      { cacheUrl: CACHE },
      { src: `${CACHE}/sha512/a5/${SHA512.hex}` },
    ],
    ['the address: then md5', WEAK, { cacheUrl: CACHE }, { src: `${CACHE}/md5/a1/${MD5.hex}` }],
    ['of an extra-source', source({ name: 'e' }), { cacheUrl: CACHE }, { name: 'e', src: SHA256_SRC }],
    ['both, from weak', WEAK, { ...BOTH, cacheUrl: CACHE }, { checksums: PINNED, src: PINNED_SRC }],
    ['both, from none', MISSING, { ...BOTH, cacheUrl: CACHE }, { checksums: PINNED, src: PINNED_SRC }],
  ])('%s', (_, declared, policy, edit) => {
    const decision = decide([declared], policy);
    expect(decision.hold).toBeUndefined();
    expect(decision.edits).toEqual(edit === undefined ? [] : [edit]);
  });

  it('are one for each source that needs one', () => {
    const sources = [source(), { ...WEAK, name: 'a' }, { ...WEAK, name: 'b', checksums: [SHA512] }];
    expect(decide(sources, BOTH).edits).toEqual([{ name: 'a', checksums: PINNED }]);
    expect(decide(sources, { ...BOTH, cacheUrl: CACHE }).edits.map(({ name }) => name)).toEqual([
      undefined,
      'a',
      'b',
    ]);
  });
});

describe('a source that the mirror cannot give', () => {
  it.each<readonly [string, DeclaredSource, string]>([
    ['version control', CHECKOUT, 'it comes from version control'],
    ['no checksum', MISSING, 'it has no checksum; missing_hashes = "strengthen" adds one'],
    ['malformed', MALFORMED, 'it has a malformed checksum'],
    [
      'a url file',
      source({ inUrlFile: true }),
      'it stands in a url file of format 1.2, whose address cannot be replaced',
    ],
  ])('holds the version, released or not: %s', (_, declared, why) => {
    for (const released of [new Set<string>(), new Set(['foo.1'])]) {
      expect(decide([source(), declared], { cacheUrl: CACHE, released })).toEqual({
        hold: { rule: 'outside-source', reason: `the archive cannot come from this mirror: ${why}` },
        warnings: [],
        edits: [],
      });
    }
  });

  it('is nothing without rewrite_sources', () => {
    expect(decide([CHECKOUT, MISSING, MALFORMED], {}).hold).toBeUndefined();
  });

  it('is told after what the hashes of any source are held for', () => {
    expect(decide([CHECKOUT, WEAK], { cacheUrl: CACHE, weakHashes: 'hold' }).hold?.rule).toBe('weak-hashes');
  });
});
