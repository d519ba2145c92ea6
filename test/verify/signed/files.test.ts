/** P8 and P9: a version's files, hashes and sources. */
import { describe, expect, test } from 'vitest';
import { ada } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { digest } from '../../support/signed-texts.ts';
import { read, rules, says, step } from '../../support/signed-verdicts.ts';

const FOLDER = 'packages/foo/foo.1.0';
const name = repository().key(ada).delegate('foo', [ada.id], ada);
const plain = name.version('foo.1.0', [ada], { files: { 'files/fix.patch': 'patch' } });

/** package-files: of just this text beside a good opam entry. */
const listing = (entry: string, opam = 'opam') => {
  const body = `name: "foo"\nversion: "1.0"\npackage-files: ["${opam}" {${digest('')}} ${entry}]\n`;
  return name.put(`${FOLDER}/opam`, '').sign(`${FOLDER}/signature`, body, ada);
};

describe('P8: listed files', () => {
  test.each<[string, SignedRepository, string]>([
    ['all there, as signed', plain, 'serve foo.1.0'],
    ['one differs', plain.put(`${FOLDER}/files/fix.patch`, 'PATCH'), 'hold foo.1.0 P8'],
    ['one is longer', plain.put(`${FOLDER}/files/fix.patch`, 'patch\n'), 'hold foo.1.0 P8'],
    ['one is missing', plain.remove(`${FOLDER}/files`), 'hold foo.1.0 P8'],
    ['opam is missing', plain.remove(`${FOLDER}/opam`), 'hold foo.1.0 P8'],
    ['opam differs', plain.put(`${FOLDER}/opam`, 'x'), 'hold foo.1.0 P8'],
    [
      'the hashes are right, and the size is not',
      listing('').sign(
        `${FOLDER}/signature`,
        `name: "foo"\nversion: "1.0"\npackage-files: ["opam" {1 ${digest('').slice(2)}}]\n`,
        ada,
      ),
      'hold foo.1.0 P8',
    ],
    ['one more is there', plain.put(`${FOLDER}/files/more`, ''), 'serve foo.1.0'],
    [
      'every known digest must match',
      name
        .version('foo.1.0', [ada], { kinds: ['md5', 'sha256', 'sha512'] })
        .edit(`${FOLDER}/signature`, (text) => text),
      'serve foo.1.0',
    ],
    [
      'an md5 that does not',
      listing('').sign(
        `${FOLDER}/signature`,
        `name: "foo"\nversion: "1.0"\npackage-files: ["opam" {0 [md5 "${'0'.repeat(32)}" ${digest('').slice(3, -1)}]}]\n`,
        ada,
      ),
      'hold foo.1.0 P8',
    ],
    [
      'a sha1 that does not is passed over',
      listing('').sign(
        `${FOLDER}/signature`,
        `name: "foo"\nversion: "1.0"\npackage-files: ["opam" {0 [sha1 "0" ${digest('').slice(3, -1)}]}]\n`,
        ada,
      ),
      'serve foo.1.0',
    ],
    [
      'two of one kind that differ',
      listing('').sign(
        `${FOLDER}/signature`,
        `name: "foo"\nversion: "1.0"\npackage-files: ["opam" {0 [sha256 "${'0'.repeat(64)}" ${digest('').slice(3, -1)}]}]\n`,
        ada,
      ),
      'hold foo.1.0 P8',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });

  test('an unlisted file is not served', async () => {
    const verdict = await read(plain.put(`${FOLDER}/files/more`, '').put(`${FOLDER}/url`, ''));
    expect([...(verdict.versions.get('foo.1.0')?.files ?? [])].sort()).toEqual([
      `${FOLDER}/files/fix.patch`,
      `${FOLDER}/opam`,
      `${FOLDER}/signature`,
    ]);
  });

  test.each<[string, string]>([
    [`"files/a" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"/a" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"a//b" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"a/" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"./a" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"../foo.1.0/opam" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"opam" {${digest('')}}`, 'hold foo.1.0 P8'],
    [`"signature" {${digest('')}}`, 'hold foo.1.0 P8'],
  ])('the path %s', async (entry, expected) => {
    expect(rules(await read(listing(entry)))).toBe(expected);
  });

  test('package-files that does not name opam', async () => {
    const content = listing('', 'descr').put(`${FOLDER}/descr`, '');
    expect(rules(await read(content))).toBe('hold foo.1.0 P8');
  });
});

describe('P8: weak versions', () => {
  const archived = (more: string) => name.version('foo.1.0', [ada], { more });
  test.each<[string, SignedRepository, string, string]>([
    ['sha512 alone', name.version('foo.1.0', [ada], { kinds: ['sha512'] }), 'serve foo.1.0', 'serve foo.1.0'],
    ['md5 alone', name.version('foo.1.0', [ada], { kinds: ['md5'] }), 'hold foo.1.0 P8', 'serve foo.1.0'],
    [
      'sha1 alone proves nothing at all',
      name.version('foo.1.0', [ada], { kinds: ['sha1'] }),
      'hold foo.1.0 P8',
      'hold foo.1.0 P8',
    ],
    [
      'no hash proves nothing at all',
      name.version('foo.1.0', [ada], { kinds: [] }),
      'hold foo.1.0 P8',
      'hold foo.1.0 P8',
    ],
    [
      'an archive with md5 alone',
      archived(`archive: [${digest('a', ['md5'])}]\n`),
      'hold foo.1.0 P8',
      'serve foo.1.0',
    ],
    [
      'an extra source with md5 alone',
      archived(`extra-sources: ["a" {${digest('a', ['md5'])}}]\n`),
      'hold foo.1.0 P8',
      'serve foo.1.0',
    ],
    [
      'md5 and sha256',
      archived(`archive: [${digest('a', ['md5', 'sha256'])}]\n`),
      'serve foo.1.0',
      'serve foo.1.0',
    ],
  ])('%s', async (_, content, strict, accepting) => {
    expect(rules(await read(content))).toBe(strict);
    expect(rules(await read(content, { acceptWeak: true }))).toBe(accepting);
  });

  test('are withheld, and no violation of L4 or L7', async () => {
    const weak = name.version('foo.1.0', [ada], { kinds: ['md5'] });
    expect(says(await step(name, weak))).toBe('hold foo.1.0 P8');
    expect(says(await step(plain, weak))).toBe('hold foo.1.0 P8');
  });
});

const sha = (letter: string) => letter.repeat(64);
const opamOf = (url: string) => `opam-version: "2.0"\n${url}\n`;
const urlOf = (...checksums: string[]) =>
  `url {\n  src: "https://example.org/a.tgz"\n  checksum: [${checksums.map((one) => `"${one}"`).join(' ')}]\n}`;
const extraOf = (source: string, checksum: string) =>
  `extra-source "${source}" {\n  src: "https://example.org/x"\n  checksum: "${checksum}"\n}`;

describe('P8: the opam file and the signature', () => {
  const archive = `archive: [10 [sha256 "${sha('a')}"]]\n`;
  const extra = `extra-sources: ["dl/x" {10 [sha256 "${sha('a')}"]}]\n`;
  test.each<[string, string, string, string]>([
    ['the same digest', archive, opamOf(urlOf(`sha256=${sha('a')}`)), 'serve foo.1.0'],
    ['the same digest in capitals', archive, opamOf(urlOf(`SHA256=${sha('A')}`)), 'serve foo.1.0'],
    ['another digest', archive, opamOf(urlOf(`sha256=${sha('b')}`)), 'hold foo.1.0 P8'],
    [
      'another among several',
      archive,
      opamOf(urlOf(`sha256=${sha('a')}`, `sha256=${sha('b')}`)),
      'hold foo.1.0 P8',
    ],
    ['another kind', archive, opamOf(urlOf(`md5=${'b'.repeat(32)}`)), 'serve foo.1.0'],
    ['no url in the opam file', archive, opamOf(''), 'serve foo.1.0'],
    [
      'another digest in a second url section',
      archive,
      opamOf(`${urlOf(`sha256=${sha('a')}`)}\n${urlOf(`sha256=${sha('b')}`)}`),
      'hold foo.1.0 P8',
    ],
    ['an extra source, the same', extra, opamOf(extraOf('dl/x', `sha256=${sha('a')}`)), 'serve foo.1.0'],
    ['an extra source, another', extra, opamOf(extraOf('dl/x', `sha256=${sha('b')}`)), 'hold foo.1.0 P8'],
    [
      'a source that only the opam file has',
      archive,
      opamOf(extraOf('dl/y', `sha256=${sha('b')}`)),
      'serve foo.1.0',
    ],
    ['an opam file that cannot be read', archive, 'url {', 'hold foo.1.0 P8'],
  ])('%s', async (_, more, opam, expected) => {
    const content = name.version('foo.1.0', [ada], { more, opam });
    expect(rules(await read(content))).toBe(expected);
    // A contradiction is withheld, and no violation of L4.
    expect(rules(await step(name, content))).toBe(expected);
  });

  test('the legacy `url` file counts as the opam file’s', async () => {
    const url = `archive: "https://example.org/a.tgz"\nchecksum: "sha256=${sha('b')}"\n`;
    expect(rules(await read(name.version('foo.1.0', [ada], { more: archive, files: { url } })))).toBe(
      'hold foo.1.0 P8',
    );
  });
});

test('P9: signed sizes and hashes of sources are told', async () => {
  const more = `archive: [908460 [sha256 "${sha('a')}" sha1 "x"]]\nextra-sources: ["dl/x" {201 [sha256 "${sha('b')}"]}]\n`;
  const verdict = await read(name.version('foo.1.0', [ada], { more }));
  expect(verdict.versions.get('foo.1.0')?.sources).toEqual([
    { source: 'archive', size: 908460, checksums: [`sha256=${sha('a')}`] },
    { source: 'dl/x', size: 201, checksums: [`sha256=${sha('b')}`] },
  ]);
});
