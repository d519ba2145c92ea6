/** FORM and SIG: which fields, and the bytes that are signed. */
import { describe, expect, test } from 'vitest';
import { ada, rm1, root1, root2, type Signer } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { canonicalOf, digest } from '../../support/signed-texts.ts';
import { read, rules } from '../../support/signed-verdicts.ts';

const SIGNATURE = 'packages/foo/foo.1.0/signature';
const OPAM = 'opam-version: "2.0"\nsynopsis: "foo.1.0"\n';
const delegated = repository()
  .key(ada)
  .delegate('foo', [ada.id], ada)
  .version('foo.1.0', [ada], { opam: OPAM });

const FILES = `package-files: ["opam" {${digest(OPAM)}}]`;
const NAME = 'name: "foo"';
const VERSION = 'version: "1.0"';

/** A signature file that says this, signed by ada over its canonical text. */
const says = (...lines: string[]) => delegated.sign(SIGNATURE, `${lines.join('\n')}\n`, ada);

describe('FORM of a signature file', () => {
  test.each<[string, SignedRepository, string]>([
    ['its required fields', says(NAME, VERSION, FILES), 'serve foo.1.0'],
    [
      'in any order, with comments',
      says(FILES, '# a comment', VERSION, NAME, '(* and (* another *) *)'),
      'serve foo.1.0',
    ],
    ['with a field x-…, which is signed', says(NAME, VERSION, FILES, 'x-note: "hello"'), 'serve foo.1.0'],
    [
      'empty optional fields are erased',
      says(NAME, VERSION, FILES, 'archive: []', 'extra-sources: [[]]'),
      'serve foo.1.0',
    ],
    [
      'parentheses that mean nothing',
      says('name: ("foo")', VERSION, `package-files: ([("opam" {${digest(OPAM)}})])`),
      'serve foo.1.0',
    ],
    ['no name', says(VERSION, FILES), 'hold foo.1.0 FORM'],
    ['no version', says(NAME, FILES), 'hold foo.1.0 FORM'],
    ['no package-files', says(NAME, VERSION), 'hold foo.1.0 FORM'],
    ['package-files that is erased', says(NAME, VERSION, 'package-files: []'), 'hold foo.1.0 FORM'],
    [
      'package-files that is erased, in its other form',
      says(NAME, VERSION, 'package-files: [[]]'),
      'hold foo.1.0 FORM',
    ],
    ['an unknown field', says(NAME, VERSION, FILES, 'opam-version: "2.0"'), 'hold foo.1.0 FORM'],
    ['an unknown field that would be erased', says(NAME, VERSION, FILES, 'flags: []'), 'hold foo.1.0 FORM'],
    [
      'a field of compilers',
      says(NAME, VERSION, FILES, 'patches: ["https://x" {1 [sha1 "a"]}]'),
      'hold foo.1.0 FORM',
    ],
    ['a field twice', says(NAME, NAME, VERSION, FILES), 'hold foo.1.0 FORM'],
    [
      'a field twice, once erased',
      says(NAME, VERSION, FILES, 'archive: []', 'archive: []'),
      'hold foo.1.0 FORM',
    ],
    ['a field x-… twice', says(NAME, VERSION, FILES, 'x-a: "1"', 'x-a: "1"'), 'hold foo.1.0 FORM'],
    ['a section', says(NAME, VERSION, FILES, 'x-section {', '}'), 'hold foo.1.0 FORM'],
    ['a section twice', says(NAME, VERSION, FILES, 'url {', '}', 'url {', '}'), 'hold foo.1.0 FORM'],
    ['another name', says('name: "Foo"', VERSION, FILES), 'hold foo.1.0 FORM'],
    ['another version', says(NAME, 'version: "1.00"', FILES), 'hold foo.1.0 FORM'],
    ['a name that is no string', says('name: foo', VERSION, FILES), 'hold foo.1.0 FORM'],
    [
      'a lone value where a list belongs',
      says(NAME, VERSION, `package-files: "opam" {${digest(OPAM)}}`),
      'hold foo.1.0 FORM',
    ],
    [
      'an upper-case digest',
      says(
        NAME,
        VERSION,
        FILES.replace(/"[0-9a-f]{64}"/, (hex) => hex.toUpperCase()),
      ),
      'hold foo.1.0 FORM',
    ],
    [
      'a digest of another length',
      says(NAME, VERSION, FILES.replace('sha256', 'sha512')),
      'hold foo.1.0 FORM',
    ],
    ['a negative size', says(NAME, VERSION, FILES.replace('{', '{-')), 'hold foo.1.0 FORM'],
    [
      'hashes that are no pairs',
      says(NAME, VERSION, FILES.replace('sha256', 'sha256 sha512')),
      'hold foo.1.0 FORM',
    ],
    ['a size without hashes', says(NAME, VERSION, 'package-files: ["opam" {40}]'), 'hold foo.1.0 FORM'],
    ['no opam syntax', delegated.put(SIGNATURE, 'name: "foo'), 'hold foo.1.0 FORM'],
    ['an empty file', delegated.put(SIGNATURE, ''), 'hold foo.1.0 FORM'],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});

describe('SIG: the bytes that are signed', () => {
  const edit = (change: (text: string) => string) => delegated.edit(SIGNATURE, change);
  test.each<[string, SignedRepository, string]>([
    ['layout does not matter', edit((text) => text.replaceAll('\n', '\n\n  ')), 'serve foo.1.0'],
    ['CRLF reads as LF', edit((text) => text.replaceAll('\n', '\r\n')), 'serve foo.1.0'],
    ['an erased field added', edit((text) => `${text}archive: []\n`), 'serve foo.1.0'],
    [
      'leading zeros and underscores of a size',
      edit((text) => text.replace('{40 ', '{0_40 ')),
      'serve foo.1.0',
    ],
    [
      'another spelling of a string',
      edit((text) => text.replace('"opam"', '"""op\\x61m"""')),
      'serve foo.1.0',
    ],
    ['a field x-… added', edit((text) => `${text}x-more: "1"\n`), 'hold foo.1.0 SIG'],
    [
      'an archive added',
      edit((text) => `${text}archive: [1 [sha256 "${'0'.repeat(64)}"]]\n`),
      'hold foo.1.0 SIG',
    ],
    ['a size changed', edit((text) => text.replace('{40 ', '{41 ')), 'hold foo.1.0 SIG'],
    [
      'a signature of other bytes',
      edit((text) => text.replace(/"[0-9a-f]{128}"/, `"${'0'.repeat(128)}"`)),
      'hold foo.1.0 SIG',
    ],
    ['no signature', edit((text) => text.replace(/signature:.*/, '')), 'hold foo.1.0 SIG'],
    [
      'an empty list of signatures',
      edit((text) => text.replace(/signature:.*/, 'signature: []')),
      'hold foo.1.0 SIG',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });

  test('the canonical text', () => {
    const body = `version: "1.0" # why\nname: ("foo")\nx-b: "a\\"\\\\\n\\t\\xff"\nx-a: [ 00_7   (a & (b & c)) ]\narchive: [ ]\nsignature: [["x" "y" "z"]]\n`;
    const text = 'name: "foo"\nversion: "1.0"\nx-a: [7 a & b & c]\nx-b: "a\\"\\\\\\n\t\xff"\n';
    expect(canonicalOf(body)).toBe(text);
    expect(canonicalOf(text)).toBe(text);
  });
});

describe('FORM of keys/root', () => {
  const root = (change: (text: string) => string, ...by: Signer[]) => {
    const text = repository({ by: [] }).files.get('keys/root') ?? '';
    return repository().sign('keys/root', change(text), ...(by.length > 0 ? by : [root1, root2]));
  };
  test.each<[string, SignedRepository, string]>([
    ['as the page writes it', root((text) => text), 'accept'],
    [
      'only its required fields',
      root(
        () =>
          `date: "2026-01-01T00:00:00Z"\nroot-keys: [["root-1" "2099-01-01T00:00:00Z" "ed25519" "${root1.key}"] ["root-2" "2099-01-01T00:00:00Z" "ed25519" "${root2.key}"]]\n`,
      ),
      'accept',
    ],
    ['no date', root((text) => text.replace(/date:.*\n/, '')), 'refuse FORM'],
    ['no root keys', root((text) => text.replace(/root-keys:.*\n/, '')), 'refuse FORM'],
    [
      'root keys that are erased',
      root((text) => text.replace(/root-keys:.*\n/, 'root-keys: []\n')),
      'refuse FORM',
    ],
    [
      'a date of the 2015 form',
      root((text) => text.replace(/date:.*\n/, 'date: "2026-01-01"\n')),
      'refuse FORM',
    ],
    ['a day that is none', root((text) => text.replace('2026-01-01T', '2026-02-30T')), 'refuse FORM'],
    ['a time that is none', root((text) => text.replace('T00:00:00Z', 'T24:00:00Z')), 'refuse FORM'],
    ['fractions of a second', root((text) => text.replace('T00:00:00Z"', 'T00:00:00.000Z"')), 'refuse FORM'],
    ['an offset', root((text) => text.replace('T00:00:00Z"', 'T00:00:00+00:00"')), 'refuse FORM'],
    [
      'a root key without an expiry',
      root((text) => text.replace(/\["root-1" "[^"]*"/, '["root-1"')),
      'refuse FORM',
    ],
    [
      'an expiry that is no date',
      root((text) => text.replace(/\["root-1" "[^"]*"/, '["root-1" "never"')),
      'refuse FORM',
    ],
    [
      'a snapshot key with an expiry',
      root((text) => text.replace('["snapshot-1"', '["snapshot-1" "2099-01-01T00:00:00Z"')),
      'refuse FORM',
    ],
    [
      'a bootstrap commit that is no commit',
      root((text) => `${text}initial-bootstrap-commit: "abc"\n`),
      'refuse FORM',
    ],
    ['an unknown field', root((text) => `${text}snapshot-quorum: 1\n`), 'refuse FORM'],
    ['opam-version', root((text) => `${text}opam-version: "2.0"\n`), 'refuse FORM'],
    ['no file at all', repository().remove('keys/root'), 'refuse FORM'],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});

describe('FORM of developer keys and delegations', () => {
  const KEY = 'keys/dev/ada@example.org';
  const entry = `["ada@example.org" "ed25519" "${ada.key}"]`;
  const key = (body: string) => delegated.sign(KEY, `${body}\n`, ada, rm1);
  const delegation = (body: string) => delegated.sign('packages/foo/delegation', `${body}\n`, ada);
  test.each<[string, SignedRepository, string]>([
    ['a key', key(`keys: [${entry}]`), 'serve foo.1.0'],
    ['a key alone, not in a list of lists', key(`keys: ${entry}`), 'hold foo.1.0 P5'],
    ['two keys', key(`keys: [${entry} ${entry}]`), 'hold foo.1.0 P5'],
    ['no key', key('keys: []'), 'hold foo.1.0 P5'],
    ['an id that is not the path', key(`keys: [${entry.replace('ada', 'Ada')}]`), 'hold foo.1.0 P5'],
    ['an upper-case key', key(`keys: [${entry.replace(ada.key, ada.key.toUpperCase())}]`), 'hold foo.1.0 P5'],
    ['an unknown field', key(`keys: [${entry}]\nname: "ada"`), 'hold foo.1.0 P5'],
    ['a delegation', delegation('name: "foo"\ndelegates: ["ada@example.org"]'), 'serve foo.1.0'],
    [
      'a delegation of another name',
      delegation('name: "bar"\ndelegates: ["ada@example.org"]'),
      'hold foo.1.0 P5',
    ],
    ['a delegation without a name', delegation('delegates: ["ada@example.org"]'), 'hold foo.1.0 P5'],
    [
      'a delegate alone, not in a list',
      delegation('name: "foo"\ndelegates: "ada@example.org"'),
      'hold foo.1.0 P5',
    ],
    [
      'a delegation with an unknown field',
      delegation('name: "foo"\ndelegates: ["ada@example.org"]\nversion: "1"'),
      'hold foo.1.0 P5',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});
