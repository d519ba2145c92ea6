/** What edits make of a file, byte for byte. Each row is also applied again, which has to change nothing. */
import { describe, expect, it } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import type { Checksum } from '../../src/hashes.ts';
import { editSources, type SourceEdit } from '../../src/opam/source-edits.ts';
import { sourcesOf } from '../../src/opam/sources.ts';
import { OpamSyntaxError } from '../../src/opam/syntax.ts';
import { bytesOf, parseFile } from '../support/opam-shapes.ts';

const MD5 = '0123456789abcdef0123456789abcdef';
const SHA256 = MD5 + MD5;
const SHA512 = SHA256 + SHA256;
const OTHER = 'f'.repeat(128);

const md5: Checksum = { kind: 'md5', hex: MD5 };
const sha256: Checksum = { kind: 'sha256', hex: SHA256 };
const sha512: Checksum = { kind: 'sha512', hex: SHA512 };

/** `<md5>`, `<sha256>`, `<sha512>` are checksums in quotes, `<m>`, `<s>`, `<l>` their hex. */
function spelled(text: string): string {
  return text
    .replaceAll('<md5>', `"md5=${MD5}"`)
    .replaceAll('<sha256>', `"sha256=${SHA256}"`)
    .replaceAll('<sha512>', `"sha512=${SHA512}"`)
    .replaceAll('<m>', MD5)
    .replaceAll('<s>', SHA256)
    .replaceAll('<l>', SHA512);
}

function edited(text: string, edits: readonly SourceEdit[], file: 'opam' | 'url' = 'opam'): string {
  return Buffer.from(editSources(bytesOf(spelled(text)), edits, { file })).toString('latin1');
}

function expectEdit(
  before: string,
  edits: readonly SourceEdit[],
  after: string,
  file: 'opam' | 'url' = 'opam',
): void {
  expect(edited(before, edits, file)).toBe(spelled(after));
  expect(edited(after, edits, file)).toBe(spelled(after));
}

describe('checksums of the url section', () => {
  it.each<readonly [layout: string, before: string, after: string]>([
    ['a list on one line', 'url { checksum: [<md5>] }', 'url { checksum: [<sha256> <sha512> <md5>] }'],
    ['a list without blanks', 'url{checksum:[<md5>]}', 'url{checksum:[<sha256> <sha512> <md5>]}'],
    ['a lone string', 'url { checksum: <md5> }', 'url { checksum: [<sha256> <sha512> <md5>] }'],
    ['bare hex', 'url { checksum: "<m>" }', 'url { checksum: [<sha256> <sha512> "<m>"] }'],
    ['an empty list', 'url { checksum: [] }', 'url { checksum: [<sha256> <sha512>] }'],
    ['an empty list with blanks', 'url { checksum: [ ] }', 'url { checksum: [<sha256> <sha512> ] }'],
    [
      'an empty list with a comment',
      'url { checksum: [ # "md5=0"\n] }',
      'url { checksum: [<sha256> <sha512> # "md5=0"\n] }',
    ],
    [
      'a list on lines of its own',
      'url {\n  checksum: [\n    <md5>\n  ]\n}\n',
      'url {\n  checksum: [\n    <sha256>\n    <sha512>\n    <md5>\n  ]\n}\n',
    ],
    [
      'a list on lines of its own, with tabs and CRLF',
      'url {\r\n\tchecksum: [\r\n\t\t<md5>\r\n\t]\r\n}\r\n',
      'url {\r\n\tchecksum: [\r\n\t\t<sha256>\r\n\t\t<sha512>\r\n\t\t<md5>\r\n\t]\r\n}\r\n',
    ],
    [
      'a list whose first element stands behind the bracket',
      'url {\n  checksum: [<md5>\n   ]\n}\n',
      'url {\n  checksum: [<sha256> <sha512> <md5>\n   ]\n}\n',
    ],
    [
      'comments around elements',
      'url {\n  checksum: [ # first\n    (* was "md5=" *) <md5> # last\n  ] # }\n}\n',
      'url {\n  checksum: [ # first\n    (* was "md5=" *) <sha256> <sha512> <md5> # last\n  ] # }\n}\n',
    ],
    [
      'comments around a lone string',
      'url { checksum: (* [ *) <md5> (* ] *) # }\n }',
      'url { checksum: (* [ *) [<sha256> <sha512> <md5>] (* ] *) # }\n }',
    ],
    [
      'triple quotes',
      'url { checksum: """md5=<m>""" }',
      'url { checksum: [<sha256> <sha512> """md5=<m>"""] }',
    ],
    [
      'a string with escapes',
      'url { checksum: "md5\\061<m>" }',
      'url { checksum: [<sha256> <sha512> "md5\\061<m>"] }',
    ],
    [
      'one that is there',
      'url { checksum: [<md5> <sha256>] }',
      'url { checksum: [<sha512> <md5> <sha256>] }',
    ],
    ['all of them there', 'url { checksum: [<sha512> <sha256>] }', 'url { checksum: [<sha512> <sha256>] }'],
    [
      'there in other letters',
      `url { checksum: ["SHA256=${SHA256.toUpperCase()}" "Sha512=<l>"] }`,
      `url { checksum: ["SHA256=${SHA256.toUpperCase()}" "Sha512=<l>"] }`,
    ],
    [
      'malformed ones there',
      'url { checksum: ["sha256=0" ""] }',
      'url { checksum: [<sha256> <sha512> "sha256=0" ""] }',
    ],
    [
      'a field twice',
      'url { checksum: [<md5>] checksum: [] }',
      'url { checksum: [<sha256> <sha512> <md5>] checksum: [] }',
    ],
    [
      'a section twice',
      'url { checksum: [] } url { checksum: [] src: "a" mirrors: "b" }',
      'url { checksum: [<sha256> <sha512>] } url { checksum: [] src: "a" mirrors: "b" }',
    ],
    [
      'the same words elsewhere',
      'checksum: [] src { checksum: [] } url { checksum: [] }',
      'checksum: [] src { checksum: [] } url { checksum: [<sha256> <sha512>] }',
    ],
    [
      'a record that is not ours to touch',
      'x-serai-sources: "a" url { checksum: [] }',
      'x-serai-sources: "a" url { checksum: [<sha256> <sha512>] }',
    ],
  ])('%s', (_layout, before, after) => {
    expectEdit(before, [{ checksums: [sha256, sha512] }], after);
  });

  it.each<readonly [layout: string, before: string, after: string]>([
    ['an empty section', 'url {}', 'url { checksum: [<sha256>] }'],
    ['an empty section with a blank', 'url { }', 'url { checksum: [<sha256>] }'],
    ['a section on one line', 'url { src: "a" }', 'url { src: "a" checksum: [<sha256>] }'],
    ['a section without blanks', 'url{src:"a"}', 'url{src:"a" checksum: [<sha256>] }'],
    ['a comment before the brace', 'url{src:"a"(**)}', 'url{src:"a"(**) checksum: [<sha256>] }'],
    [
      'a section on lines',
      'url {\n    src: "a"\n}\nx: y',
      'url {\n    src: "a"\n    checksum: [<sha256>]\n}\nx: y',
    ],
    ['a section on two lines', 'url {\n}\n', 'url {\n  checksum: [<sha256>]\n}\n'],
    ['a section further in', 'url {\n\t}\n', 'url {\n\t  checksum: [<sha256>]\n\t}\n'],
    [
      'a field behind the opening brace',
      'url { src: "a"\n}\n',
      'url { src: "a"\n  checksum: [<sha256>]\n}\n',
    ],
    ['CRLF', 'url {\r\n\tsrc: "a"\r\n}\r\n', 'url {\r\n\tsrc: "a"\r\n\tchecksum: [<sha256>]\r\n}\r\n'],
    [
      'a last line that is a comment',
      'url {\n  src: "a"\n# checksum: []\n}',
      'url {\n  src: "a"\n# checksum: []\n  checksum: [<sha256>]\n}',
    ],
  ])('no such field in %s', (_layout, before, after) => {
    expectEdit(before, [{ checksums: [sha256] }], after);
  });

  it('are compared among themselves', () => {
    expectEdit('url { }', [{ checksums: [md5, md5] }], 'url { checksum: [<md5>] }');
  });

  it.each<readonly SourceEdit[]>([[], [{}], [{ checksums: [] }]])(
    'none: the bytes themselves',
    (...edits) => {
      const bytes = bytesOf('url { checksum: a }');
      expect(editSources(bytes, edits, { file: 'opam' })).toBe(bytes);
    },
  );
});

describe('src of the url section', () => {
  it.each<readonly [layout: string, before: string, after: string]>([
    ['on one line', 'url { src: "a" }', 'url { src: "m" }\nx-serai-sources: [["archive" "a"]]\n'],
    ['without blanks', 'url{src:"a"}', 'url{src:"m"}\nx-serai-sources: [["archive" "a"]]\n'],
    [
      'on lines, with mirrors',
      'url {\n  src: "a"\n  mirrors: [\n    "b"\n    "c"\n  ]\n}\n',
      'url {\n  src: "m"\n}\nx-serai-sources: [["archive" "a" "b" "c"]]\n',
    ],
    [
      'on one line, with mirrors',
      'url { src: "a" mirrors: "b" checksum: [] }',
      'url { src: "m" checksum: [] }\nx-serai-sources: [["archive" "a" "b"]]\n',
    ],
    [
      'with mirrors and no blanks',
      'url{mirrors:"b"src:"a"mirrors:[]}',
      'url{src:"m"}\nx-serai-sources: [["archive" "a" "b"]]\n',
    ],
    [
      'CRLF',
      'url {\r\n  src:\r\n    "a"\r\n  mirrors: "b"\r\n}\r\n',
      'url {\r\n  src:\r\n    "m"\r\n}\r\nx-serai-sources: [["archive" "a" "b"]]\r\n',
    ],
    [
      'comments around the value',
      'url {\n  src: (* "x" *) "a" # "y"\n}\n# end',
      'url {\n  src: (* "x" *) "m" # "y"\n}\n# end\nx-serai-sources: [["archive" "a"]]\n',
    ],
    [
      'comments around mirrors',
      'url {\n  src: "a"\n  # before\n  mirrors: ["b" # inside\n  ] # behind\n  # after\n}\n',
      'url {\n  src: "m"\n  # before\n  # behind\n  # after\n}\nx-serai-sources: [["archive" "a" "b"]]\n',
    ],
    [
      'triple quotes and escapes',
      'url { src: """a"\\n""" mirrors: ["b\\\\"] }\n',
      'url { src: "m" }\nx-serai-sources: [["archive" "a\\"\\n" "b\\\\"]]\n',
    ],
    [
      'called archive',
      'url { archive: "a" checksum: <md5> }\n',
      'url { archive: "m" checksum: <md5> }\nx-serai-sources: [["archive" "a"]]\n',
    ],
    ['called http', 'url { http: "a" }\n', 'url { http: "m" }\nx-serai-sources: [["archive" "a"]]\n'],
    [
      'called git, which no archive is',
      'url { git (* c *): "a" }\n',
      'url { src (* c *): "m" }\nx-serai-sources: [["archive" "a"]]\n',
    ],
    [
      'under two names',
      'url { archive: "b" src: "a" git: "c" }\n',
      'url { src: "m" }\nx-serai-sources: [["archive" "a"]]\n',
    ],
    [
      'under two names, one of them no string',
      'url { src: x http: "a" }\n',
      'url { http: "m" }\nx-serai-sources: [["archive" "a"]]\n',
    ],
    [
      'two of each',
      'url { src: "a" src: "b" mirrors: "c" mirrors: "d" checksum: [] checksum: "" }\n',
      'url { src: "m" checksum: [] checksum: "" }\nx-serai-sources: [["archive" "a" "c"]]\n',
    ],
    [
      'a section twice',
      'url { src: "a" }\nurl {\n  src: "b"\n}\nurl "l" { src: "c" } # c\nx: "y"\n',
      'url { src: "m" }\n# c\nx: "y"\nx-serai-sources: [["archive" "a"]]\n',
    ],
    ['no string', 'url { src: ["a"] {b} }\n', 'url { src: "m" }\nx-serai-sources: [["archive" ""]]\n'],
    ['none', 'url {\n}\n', 'url {\n  src: "m"\n}\nx-serai-sources: [["archive" ""]]\n'],
    [
      'none, but mirrors',
      'url {\n mirrors: "a"\n}\n',
      'url {\n src: "m"\n}\nx-serai-sources: [["archive" "" "a"]]\n',
    ],
    ['as wanted', 'url { src: "m" }\n', 'url { src: "m" }\nx-serai-sources: [["archive" "m"]]\n'],
    [
      'as wanted, in other quotes',
      'url { src: """m""" }\n',
      'url { src: """m""" }\nx-serai-sources: [["archive" "m"]]\n',
    ],
    [
      'as wanted, with mirrors',
      'url { src: "m" mirrors: "a" }\n',
      'url { src: "m" }\nx-serai-sources: [["archive" "m" "a"]]\n',
    ],
    [
      'as wanted, with a second section',
      'url { src: "m" }\nurl { src: "a" }\nx-serai-sources: [["archive" "b"]]\n',
      'url { src: "m" }\nx-serai-sources: [["archive" "m"]]\n',
    ],
  ])('%s', (_layout, before, after) => {
    expectEdit(before, [{ src: 'm' }], after);
  });

  it.each([
    ['m"\\\n', 'm\\"\\\\\\n'],
    ['\t\r\0\xff', '\t\r\0\xff'],
    ['', ''],
  ])('%j is escaped as the printer does', (src, printed) => {
    expectEdit(
      'url { src: "a" }\n',
      [{ src }],
      `url { src: "${printed}" }\nx-serai-sources: [["archive" "a"]]\n`,
    );
    expect(sourcesOf(parseFile(edited('url { src: "a" }', [{ src }])))).toMatchObject([{ src }]);
  });

  it('together with checksums', () => {
    expectEdit(
      'url { mirrors: "b" }',
      [{ src: 'm', checksums: [sha256] }],
      'url { src: "m" checksum: [<sha256>] }\nx-serai-sources: [["archive" "" "b"]]\n',
    );
    const before = 'url {\n  src: "a"\n  checksum: <md5>\n  mirrors: "b"\n}\n';
    const after =
      'url {\n  src: "m"\n  checksum: [<sha256> <md5>]\n}\nx-serai-sources: [["archive" "a" "b"]]\n';
    expectEdit(before, [{ src: 'm', checksums: [sha256] }], after);
  });
});

describe('a record that is there', () => {
  it.each<readonly [record: string, before: string, after: string]>([
    ['in its place', 'x-serai-sources: []\nurl { src: "a" }\n', 'url { src: "m" }\n'],
    ['twice', 'x-serai-sources: "x" url { src: "a" }\nx-serai-sources: []\n', 'url { src: "m" }\n'],
    ['a section', 'url { src: "a" }\nx-serai-sources { src: "b" }', 'url { src: "m" }\n'],
    ['with a comment', 'url { src: "a" }\n  x-serai-sources: x # c', 'url { src: "m" }\n  # c\n'],
    [
      'as ours, of what is replaced',
      'url { src: "a" }\nx-serai-sources: [["archive" "b"]]\n',
      'url { src: "m" }\n',
    ],
  ])('%s: ours alone is left', (_record, before, after) => {
    expectEdit(before, [{ src: 'm' }], `${after}x-serai-sources: [["archive" "a"]]\n`);
  });

  it.each([
    'x-serai-sources: [[ "archive" "b" ]]',
    'x-serai-sources: [["archive" """b"""]]',
    'x-serai-sources: [["archive" b]]',
    'x-serai-sources: [["archive" "b" c]]',
    'x-serai-sources: [["archive"]]',
    'x-serai-sources: [["archive" "b"] ["archive" "c"]]',
    'x-serai-sources: [["extra-source archive" "b"]]',
    'x-serai-sources: ["archive" "b"]',
    'x-serai-sources: []',
    'x-serai-sources: "b"',
    'x-serai-sources { }',
  ])('%s beside a src that is as wanted is not ours', (record) => {
    expectEdit(
      `url { src: "m" }\n${record}\n`,
      [{ src: 'm' }],
      'url { src: "m" }\nx-serai-sources: [["archive" "m"]]\n',
    );
  });

  it('is not ours unless it is the only one, and last', () => {
    const record = 'x-serai-sources: [["archive" "b"]]\n';
    const after = 'x-serai-sources: [["archive" "m"]]\n';
    expectEdit(`${record}url { src: "m" }\n`, [{ src: 'm' }], `url { src: "m" }\n${after}`);
    expectEdit(`${record}url { src: "m" }\n${record}`, [{ src: 'm' }], `url { src: "m" }\n${after}`);
  });

  it('stays when only checksums are added to what it speaks of', () => {
    const record = 'x-serai-sources: [["archive" "b"]]\n';
    expectEdit(
      `url { src: "m" }\n${record}`,
      [{ src: 'm', checksums: [md5] }],
      `url { src: "m" checksum: [<md5>] }\n${record}`,
    );
  });
});

describe('extra-sources', () => {
  it('are found by their names, recorded behind the archive in their order', () => {
    expectEdit(
      'extra-source "b/c.patch" { src: "1" }\nurl { src: "2" }\nextra-source "a" { src: "3" mirrors: "4" }\n' +
        'extra-source "z" { src: "5" mirrors: "6" }\n',
      [{ name: 'a', src: 'm3' }, { src: 'm2' }, { name: 'b/c.patch', src: 'm1', checksums: [md5] }],
      'extra-source "b/c.patch" { src: "m1" checksum: [<md5>] }\nurl { src: "m2" }\n' +
        'extra-source "a" { src: "m3" }\nextra-source "z" { src: "5" mirrors: "6" }\n' +
        'x-serai-sources: [["archive" "2"] ["extra-source b/c.patch" "1"] ["extra-source a" "3" "4"]]\n',
    );
  });

  it.each([
    ['a"b', '"a\\"b"', 'a\\"b'],
    ['a\\', '"""a\\\\"""', 'a\\\\'],
    ['a\n', '"a\\n"', 'a\\n'],
    ['\xc3\xa9', '"\\195\\169"', '\xc3\xa9'],
    ['{', '"{"', '{'],
    ['url', '"url"', 'url'],
    ['', '""', ''],
    ['', '', ''],
    ['__proto__', '"__proto__"', '__proto__'],
  ])('the name %j, written %s', (name, written, printed) => {
    expectEdit(
      `extra-source ${written} { src: "a" }\nurl { src: "b" }\n`,
      [{ name, src: 'm' }],
      `extra-source ${written} { src: "m" }\nurl { src: "b" }\nx-serai-sources: [["extra-source ${printed}" "a"]]\n`,
    );
  });

  it('of the same name: the first is edited, and the others go when its src is', () => {
    const before =
      'extra-source "a" { src: "1" }\nextra-source "a" { src: "2" }\nextra-source "b" { src: "3" }\n';
    expectEdit(before, [{ name: 'a', checksums: [md5] }], before.replace('"1"', '"1" checksum: [<md5>]'));
    expectEdit(
      before,
      [{ name: 'a', src: 'm' }],
      'extra-source "a" { src: "m" }\nextra-source "b" { src: "3" }\nx-serai-sources: [["extra-source a" "1"]]\n',
    );
  });
});

describe('the url file of opam 1.2', () => {
  it.each<readonly [layout: string, before: string, after: string]>([
    ['as they are', 'archive: "a"\nchecksum: "<m>"\n', 'archive: "a"\nchecksum: [<sha256> "<m>"]\n'],
    ['a list', 'src: "a"\nchecksum: [<md5>]', 'src: "a"\nchecksum: [<sha256> <md5>]'],
    ['no checksum', 'http: "a"\n', 'http: "a"\nchecksum: [<sha256>]\n'],
    ['no newline at the end', 'http: "a" # c', 'http: "a" # c\nchecksum: [<sha256>]\n'],
    ['CRLF', 'http: "a"\r\n\r\n', 'http: "a"\r\n\r\nchecksum: [<sha256>]\r\n'],
    ['empty', '', 'checksum: [<sha256>]\n'],
    ['a section', 'url { checksum: [] }\n', 'url { checksum: [] }\nchecksum: [<sha256>]\n'],
  ])('%s', (_layout, before, after) => {
    expectEdit(before, [{ checksums: [sha256] }], after, 'url');
  });
});

describe('refused as internal, since no caller may ask for it', () => {
  it.each<[message: string, text: string, edits: readonly SourceEdit[], file?: 'opam' | 'url']>([
    ['the url section is not in the file', 'extra-source "a" {}', [{ src: 'm' }]],
    ["the extra-source 'b' is not in the file", 'extra-source "a" {} url {}', [{ name: 'b' }]],
    ["the extra-source 'a' is not in the file", 'url { extra-source "a" {} }', [{ name: 'a', src: 'm' }]],
    ['the url section is edited twice', 'url {}', [{ src: 'm' }, {}]],
    ["the extra-source 'a' is edited twice", 'extra-source "a" {}', [{ name: 'a' }, { name: 'a' }]],
    ['characters that are not bytes', 'url {}', [{ src: '\u0100' }]],
    [
      'which contradicts md5=',
      'url { checksum: [<md5>] }',
      [{ checksums: [{ ...md5, hex: OTHER.slice(96) }] }],
    ],
    [
      'which contradicts md5=',
      `url { checksum: [<md5> "MD5=${OTHER.slice(96).toUpperCase()}"] }`,
      [{ checksums: [md5] }],
    ],
    ['which contradicts sha512=', 'url { }', [{ checksums: [sha512, { ...sha512, hex: OTHER }] }]],
    ['which is no checksum', 'url { }', [{ checksums: [{ ...sha256, hex: MD5 }] }]],
    ['something else than strings', 'url { checksum: x }', [{ checksums: [md5] }]],
    ['something else than strings', 'url { checksum: (<md5>) }', [{ checksums: [md5] }]],
    ['something else than strings', 'url { checksum: [<md5> {x}] }', [{ checksums: [md5] }]],
    ['src stays as it is', 'src: "a"', [{ src: 'm' }], 'url'],
    ["the extra-source 'a' cannot be in a url file", 'extra-source "a" {}', [{ name: 'a' }], 'url'],
  ])('%s: %s', (message, text, edits, file) => {
    const run = (): string => edited(text, edits, file);
    expect(run).toThrow(message);
    expect(run).toThrow(SeraiError);
    expect(run).toThrow(expect.objectContaining({ code: 'internal' }));
  });

  it('a text that is no opam file is an error of its own, and so is one too deep', () => {
    expect(() => edited('url {', [{ src: 'm' }])).toThrow(OpamSyntaxError);
    const deep = bytesOf('url { } x: [[[]]]');
    expect(() => editSources(deep, [{ src: 'm' }], { file: 'opam', depth: 2 })).toThrow(OpamSyntaxError);
  });
});

it('takes time linear in the length of hostile files', () => {
  const many = 'url { src: "a" mirrors: "b" } '.repeat(30_000);
  const inside = `url { ${'src: "a" '.repeat(150_000)}}`;
  const names = Array.from({ length: 20_000 }, (_, number) => `n${number}`);
  const extra = names.map((name) => `extra-source "${name}" { src: "a" } `).join('');
  for (const text of [many, inside])
    expect(edited(text, [{ src: 'm' }])).toMatch(
      /^url \{ src: "m" \} ?\nx-serai-sources: \[\["archive" "a".*\n$/,
    );
  const all = names.map((name) => ({ name, src: 'm' }));
  expect(sourcesOf(parseFile(edited(extra, all))).every(({ src }) => src === 'm')).toBe(true);
});
