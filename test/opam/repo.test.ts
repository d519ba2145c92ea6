/** OPAM-CLIENT.md, "The index": what the served `repo` file says. */
import { describe, expect, it } from 'vitest';
import { readRepoFile, rewriteRepoFile } from '../../src/opam/repo.ts';
import { OpamSyntaxError } from '../../src/opam/syntax.ts';
import { bytesOf, parseFile } from '../support/opam-shapes.ts';

const OURS = 'opam-version: "2.0"\narchive-mirrors: "cache"\nstamp: "ours"\n';

describe('what upstream says', () => {
  it.each([
    ['', [], undefined],
    ['archive-mirrors: "cache"', ['cache'], undefined],
    ['archive-mirrors: ["https://a/cache" "cache"] stamp: "abc"', ['https://a/cache', 'cache'], 'abc'],
    ['archive-mirrors: [] stamp: ""', [], ''],
    ['archive-mirrors: [cache] stamp: 1', [], undefined],
  ])('%j', (text, archiveMirrors, stamp) => {
    const repo = readRepoFile(bytesOf(text));
    expect(repo.archiveMirrors).toEqual(archiveMirrors);
    expect(repo.stamp).toBe(stamp);
  });

  it('an absent file is the empty one', () => {
    expect(readRepoFile(undefined)).toEqual({ file: { items: [] }, archiveMirrors: [] });
  });

  it('a file that is none is an error with line and column', () => {
    expect(() => readRepoFile(bytesOf('opam-version: "2.0"\nredirect: ['))).toThrow(OpamSyntaxError);
    expect(() => readRepoFile(bytesOf('opam-version: "2.0"\nredirect: ['))).toThrow('line 2, column 11');
  });
});

describe('what the mirror serves', () => {
  it.each([
    ['', ''],
    ['opam-version: "1.2"', ''],
    ['opam-version: "2.0" opam-version: "2.1"', ''],
    ['stamp: "theirs" archive-mirrors: ["https://a" "cache"]', ''],
    ['redirect: "https://elsewhere"', ''],
    ['redirect: ["https://elsewhere" {os = "linux"}] redirect: "https://b"', ''],
    ['redirect "x" { }', ''],
    ['announce: """\nhello "you"\n"""', 'announce: "\\nhello \\"you\\"\\n"\n'],
    ['announce: ["a" {opam-version < "2.1"}]', 'announce: ["a" {opam-version < "2.1"}]\n'],
    ['browse: "https://b" upstream: "https://u"', 'browse: "https://b"\nupstream: "https://u"\n'],
    ['upstream: "u" stamp: "s" browse: "b"', 'upstream: "u"\nbrowse: "b"\n'],
    ['x-foo: [] s { redirect: "a" }', 'x-foo: []\ns {\nredirect: "a"\n}\n'],
  ])('%j', (theirs, kept) => {
    const served = rewriteRepoFile(readRepoFile(bytesOf(theirs)), 'ours');
    expect(served).toBe(OURS + kept);
    expect(readRepoFile(bytesOf(served))).toMatchObject({ archiveMirrors: ['cache'], stamp: 'ours' });
  });

  it('an absent file is served all the same', () => {
    expect(rewriteRepoFile(readRepoFile(undefined), 'ours')).toBe(OURS);
  });

  it('a stamp of any bytes is a string', () => {
    const served = rewriteRepoFile(readRepoFile(undefined), 'a"\n\\');
    expect(parseFile(served).items).toHaveLength(3);
    expect(readRepoFile(bytesOf(served)).stamp).toBe('a"\n\\');
  });

  it('rewritten again it stays as it is', () => {
    const once = rewriteRepoFile(readRepoFile(bytesOf('announce: "a" redirect: "b"')), 's');
    expect(rewriteRepoFile(readRepoFile(bytesOf(once)), 's')).toBe(once);
  });
});
