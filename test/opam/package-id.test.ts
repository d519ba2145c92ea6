import { describe, expect, it } from 'vitest';
import {
  packageIdOfPath,
  parsePackageId,
  parsePackageName,
  parsePackageVersion,
  showPackageId,
} from '../../src/opam/package-id.ts';

describe('names', () => {
  it.each([
    'a',
    'A',
    '0install',
    'a0',
    '0a',
    'a_b',
    'a-b',
    'a+b',
    'conf-g++',
    '1_a',
    '0-+a',
    'a'.repeat(200),
  ])('%s', (name) => {
    expect(parsePackageName(name)).toBe(name);
  });

  it.each([
    '',
    '0',
    '1_2',
    '0-+',
    '_a',
    '-a',
    '+a',
    'a.b',
    'a~',
    'a b',
    'a/b',
    '..',
    '.',
    'a\n',
    '\na',
    'a\0',
    '\xc3\xa9',
    'a:b',
    'a%2f',
  ])('not %j', (name) => {
    expect(parsePackageName(name)).toBeUndefined();
  });
});

describe('versions', () => {
  it.each(['1', 'a', '1.0', '1.0~beta.1', '5.5.0+introcaml', '1-2_3', '1..2', '1.', '1~', 'v1', '0'])(
    '%s',
    (version) => {
      expect(parsePackageVersion(version)).toBe(version);
    },
  );

  it.each(['', '.1', '~1', '-1', '+1', '_1', '..', '1/2', '1 2', '1:2', '1\n', '\n1', '1\0', '\xc3\xa9'])(
    'not %j',
    (version) => {
      expect(parsePackageVersion(version)).toBeUndefined();
    },
  );
});

describe('name.version, split at the first dot', () => {
  it.each([
    ['a.1', 'a', '1'],
    ['0install.2.14.1', '0install', '2.14.1'],
    ['conf-g++.1.0', 'conf-g++', '1.0'],
    ['a.b.1', 'a', 'b.1'],
    ['a.1.', 'a', '1.'],
  ])('%s', (text, name, version) => {
    const id = parsePackageId(text);
    expect(id).toEqual({ name, version });
    if (id !== undefined) expect(showPackageId(id)).toBe(text);
  });

  it.each(['', 'a', 'a.', '.1', '.', '..', 'a..1', '1.1', '-a.1', 'a/b.1', 'a.1/2', 'a .1', 'a.1\n'])(
    'not %j',
    (text) => {
      expect(parsePackageId(text)).toBeUndefined();
    },
  );
});

describe('paths below packages/<name>/<name>.<version>/', () => {
  it.each([
    ['packages/a/a.1/opam', 'a', '1', 'opam'],
    ['packages/a/a.1.2/signature', 'a', '1.2', 'signature'],
    ['packages/a/a.1/files/b/c.patch', 'a', '1', 'files/b/c.patch'],
    ['packages/0install/0install.2.14.1/opam', '0install', '2.14.1', 'opam'],
  ])('%s', (path, name, version, file) => {
    expect(packageIdOfPath(path)).toEqual({ id: { name, version }, file });
  });

  it.each([
    '',
    'repo',
    'packages',
    'packages/',
    'packages/a',
    'packages/a/delegation',
    'packages/a/a.1',
    'packages/a/a.1/',
    'packages/a/b.1/opam',
    'packages/a/aa.1/opam',
    'packages/a/A.1/opam',
    'packages/a.1/opam',
    'packages/a.1/a.1/opam',
    'packages/a/a/opam',
    'packages/a/a./opam',
    'packages//.1/opam',
    'packages/../..1/opam',
    'packages/1/1.1/opam',
    '/packages/a/a.1/opam',
    './packages/a/a.1/opam',
    'x/packages/a/a.1/opam',
    'Packages/a/a.1/opam',
    'compilers/4/4.0/4.0.comp',
  ])('not %j', (path) => {
    expect(packageIdOfPath(path)).toBeUndefined();
  });
});
