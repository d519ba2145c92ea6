/** Each class, and each way into it: pairs of `p.1` before and after. */
import { describe, expect, it, test } from 'vitest';
import { CHANGE_CLASSES, compareGravity } from '../../../src/verify/guard/classes.ts';
import {
  extra,
  type Files,
  guardTrees,
  md5,
  named,
  p1,
  sha256,
  sha512,
  source,
} from '../../support/guard-trees.ts';

type Pair = readonly [what: string, found: string, before: string | Files, after: string | Files];

const GIT = 'git+https://e.org/p.git';
const MIRROR = '  mirrors: ["https://m.org/p.tgz"]\n';
const X = source([md5('a'), sha256('b')]);

const SOURCES: readonly Pair[] = [
  ['one kind disagrees', 'archive-altered', source([md5('a')]), source([md5('b')])],
  ['one of two kinds disagrees', 'archive-altered', X, source([md5('a'), sha256('c')])],
  ['one kind disagrees, another is gone', 'archive-altered', X, source([sha256('c')])],
  ['no kind in common', 'archive-altered', source([md5('a')]), source([sha256('a')])],
  ['no kind in common, two for two', 'archive-altered', X, source([sha512('c')])],
  ['a second value of one kind', 'archive-altered', source([md5('a')]), source([md5('a'), md5('b')])],
  ['also where the address stays away', 'archive-altered', X, source([md5('b')], 'https://m.org/p.tgz')],
  ['a bare hash means md5', 'archive-altered', source(['a'.repeat(32)]), source([md5('b')])],
  [
    'in the url file of 1.2',
    'archive-altered',
    p1('', { url: `checksum: "${'a'.repeat(32)}"` }),
    p1('', { url: `checksum: "${'b'.repeat(32)}"` }),
  ],
  ['a kind is gone', 'checksum-dropped', X, source([md5('a')])],
  ['one of two values is gone', 'checksum-dropped', source([md5('a'), md5('b')]), source([md5('a')])],
  ['all are gone', 'checksum-dropped', X, source([])],
  ['the archive is gone with them', 'checksum-dropped', X, ''],
  ['dropped, and the url moved', 'checksum-dropped', X, source([md5('a')], 'https://m.org/p.tgz')],
  [
    'only a checksum of an unknown kind is left',
    'checksum-dropped',
    source([sha256('a')]),
    source([`sha1=${'a'.repeat(40)}`]),
  ],
  ['of an extra-source', 'checksum-dropped', extra('x', [md5('a'), sha256('b')]), extra('x', [sha256('b')])],
  ['an unknown kind', 'checksum-malformed', X, source([md5('a'), sha256('b'), `sha1=${'a'.repeat(40)}`])],
  [
    'a wrong length in place of the right one',
    'checksum-malformed',
    source([sha256('a')]),
    source([`sha256=${'a'.repeat(63)}`]),
  ],
  ['not hex in place of hex', 'checksum-malformed', source([sha512('a')]), source([sha512('z')])],
  ['a bare hash of a wrong length', 'checksum-malformed', source([md5('a')]), source(['a'.repeat(31)])],
  ['one more, without any kind', 'checksum-malformed', X, source([md5('a'), sha256('b'), 'rubbish'])],
  ['of an extra-source', 'checksum-malformed', extra('x', [sha256('a')]), extra('x', [sha256('g')])],
  ['of a new extra-source', 'checksum-malformed', X, X + extra('x', [sha256('g')])],
  ['of an archive where there was none', 'checksum-malformed', '', source([sha256('g')])],
  ['one kind disagrees', 'extra-source-altered', extra('x', [md5('a')]), extra('x', [md5('b')])],
  ['no kind in common', 'extra-source-altered', extra('x', [md5('a')]), extra('x', [sha256('b')])],
  [
    'the other of two',
    'extra-source-altered',
    extra('x', [md5('a')]) + extra('y', [md5('a')]),
    extra('x', [md5('a')]) + extra('y', [md5('b')]),
  ],
  ['a name with a slash', 'extra-source-altered', extra('d/x', [md5('a')]), extra('d/x', [md5('b')])],
  [
    'the list of the betas of 2.0',
    'extra-source-altered',
    'extra-sources: [["https://e.org/x" "a"]]',
    'extra-sources: [["https://e.org/x" "b"]]',
  ],
  ['an extra-source more', 'build-changed', X, X + extra('x', [md5('a')])],
  ['an extra-source less', 'build-changed', X + extra('x', [md5('a')]), X],
  ['an extra-source of another name', 'build-changed', extra('x', [md5('a')]), extra('y', [md5('a')])],
  ['an archive where there was none', 'build-changed', '', X],
  ['an archive without checksum is gone', 'build-changed', source([]), ''],
  ['another subpath', 'build-changed', X, source([md5('a'), sha256('b')], undefined, '  subpath: "sub"\n')],
  [
    'a field of url that is not known',
    'build-changed',
    X,
    source([md5('a'), sha256('b')], undefined, '  hook: "sub"\n'),
  ],
  ['a second url section', 'build-changed', X, X + source([md5('b')])],
  [
    'a second checksum field, which opam passes over',
    'build-changed',
    source([md5('a')]),
    source([md5('a')], undefined, `  checksum: "${md5('b')}"\n`),
  ],
  ['another src', 'url-moved', X, source([md5('a'), sha256('b')], 'https://m.org/p.tgz')],
  ['another src, without checksums', 'url-moved', source([], GIT), source([], `${GIT}#v1`)],
  [
    'another src and more hashes',
    'url-moved',
    source([md5('a')]),
    source([md5('a'), sha256('b')], 'https://m.org/p.tgz'),
  ],
  ['a mirror more', 'url-moved', X, source([md5('a'), sha256('b')], undefined, MIRROR)],
  ['a mirror less', 'url-moved', source([md5('a')], undefined, MIRROR), source([md5('a')])],
  ['by another tool', 'url-moved', 'url { archive: "https://e.org/p" }', 'url { git: "https://e.org/p" }'],
  ['of an extra-source', 'url-moved', extra('x', [md5('a')]), extra('x', [md5('a')], 'https://m.org/x')],
  [
    'in the url file of 1.2',
    'url-moved',
    p1('', { url: 'archive: "https://a"' }),
    p1('', { url: 'archive: "https://b"' }),
  ],
  ['a kind more', 'hashes-added', source([md5('a')]), X],
  ['the first', 'hashes-added', source([]), source([sha256('a')])],
  ['in place of a malformed one', 'hashes-added', source([sha512('z')]), source([sha512('a')])],
  ['of an extra-source', 'hashes-added', extra('x', [md5('a')]), extra('x', [md5('a'), sha256('b')])],
  ['the order of checksums', 'description-changed', X, source([sha256('b'), md5('a')])],
  ['the case of checksums', 'description-changed', source([md5('a')]), source([md5('A')])],
  ['the kind that was left out', 'description-changed', source(['a'.repeat(32)]), source([md5('a')])],
  [
    'the order in the section',
    'description-changed',
    'url { src: "a" mirrors: "b" }',
    'url { mirrors: "b" src: "a" }',
  ],
  [
    'an x- field of url',
    'description-changed',
    X,
    source([md5('a'), sha256('b')], undefined, '  x-note: "n"\n'),
  ],
  [
    'archive: is src: today',
    'description-changed',
    'url { archive: "https://e.org/p" }',
    'url { src: "https://e.org/p" }',
  ],
  [
    'git: is git+ today',
    'description-changed',
    'url { git: "https://e.org/p" }',
    'url { src: "git+https://e.org/p" }',
  ],
  [
    'the order of extra-sources',
    'description-changed',
    extra('x', [md5('a')]) + extra('y', [md5('b')]),
    extra('y', [md5('b')]) + extra('x', [md5('a')]),
  ],
  [
    'the url file becomes a section',
    'description-changed',
    p1('', { url: `archive: "https://e.org/p.tgz" checksum: "${'a'.repeat(32)}"` }),
    p1(source([md5('a')])),
  ],
  [
    'a url file that the section hides',
    'description-changed',
    p1(X, { url: 'archive: "https://a"' }),
    p1(X, { url: 'archive: "https://b"' }),
  ],
  [
    'the section that hid the url file goes',
    'archive-altered',
    p1(source([md5('a')]), { url: `checksum: "${md5('b')}"` }),
    p1('', { url: `checksum: "${md5('b')}"` }),
  ],
];

const FILES: readonly Pair[] = [
  ['a file more', 'build-changed', p1(X), p1(X, { 'files/a.patch': 'a' })],
  ['a file less', 'build-changed', p1(X, { 'files/a.patch': 'a' }), p1(X)],
  ['another content', 'build-changed', p1(X, { 'files/d/a': 'a' }), p1(X, { 'files/d/a': 'b' })],
  [
    'a script that can be run',
    'build-changed',
    p1(X, { 'files/a': 'a' }),
    p1(X, { 'files/a': { mode: '100755', text: 'a' } }),
  ],
  ['a file that no opam reads, as far as we know', 'build-changed', p1(X), p1(X, { hook: 'a' })],
  ['the descr of 1.2', 'description-changed', p1(X, { descr: 'a' }), p1(X, { descr: 'b' })],
  ['findlib of early 1.x', 'description-changed', p1(X, { findlib: 'a' }), p1(X)],
  ['a signature', 'description-changed', p1(X), p1(X, { signature: 'a' })],
  ['the mode of opam', 'description-changed', p1(X), { 'packages/p/p.1/opam': { mode: '100755', text: X } }],
  [
    'the mode of url',
    'description-changed',
    p1('', { url: 'a: 1' }),
    p1('', { url: { mode: '100755', text: 'a: 1' } }),
  ],
];

const READING: readonly Pair[] = [
  ['opam breaks, and had checksums', 'checksum-dropped', X, `${X}]`],
  ['opam breaks, and had none', 'build-changed', source([]), 'url {'],
  [
    'opam becomes a symlink',
    'checksum-dropped',
    p1(X),
    { 'packages/p/p.1/opam': { mode: '120000', text: `${X}build: [make]` } },
  ],
  [
    'opam becomes a submodule',
    'checksum-dropped',
    p1(X),
    { 'packages/p/p.1/opam': { mode: '160000', text: `${X}build: [make]` } },
  ],
  [
    'the url file breaks',
    'checksum-dropped',
    p1('', { url: `checksum: "${md5('a')}"` }),
    p1('', { url: '[' }),
  ],
  [
    'the url file breaks, and is not read',
    'description-changed',
    p1(X, { url: 'a: 1' }),
    p1(X, { url: '[' }),
  ],
  ['opam was broken from the first', 'build-changed', '[', X],
  ['opam was broken, and is otherwise now', 'build-changed', '[', ']'],
];

const LAYOUT: readonly Pair[] = [
  ['blanks', 'description-changed', 'depends: ["a"]', 'depends:   [ "a" ]\n'],
  ['a comment', 'description-changed', 'build: [make]', '# why\nbuild: [make] # how'],
  ['a comment in a list', 'description-changed', 'build: [[make] [a]]', 'build: [[make] (* b *) [a]]'],
  ['the order of fields', 'description-changed', 'depends: "a"\nbuild: "b"', 'build: "b"\ndepends: "a"'],
  ['quotes', 'description-changed', 'build: ["a"]', 'build: ["""a"""]'],
  ['parentheses', 'description-changed', 'available: a & b', 'available: (a & (b))'],
  ['an empty list', 'description-changed', 'depends: []', ''],
  ['line ends', 'description-changed', 'depends: ["a"]\nbuild: "b"\n', 'depends: ["a"]\r\nbuild: "b"\r\n'],
];

function filesOf(form: string | Files): Files {
  return typeof form === 'string' ? p1(form) : form;
}

describe.each([
  ['sources', SOURCES],
  ['files', FILES],
  ['what cannot be read', READING],
  ['layout', LAYOUT],
])('%s', (_, pairs) => {
  it.each(pairs)('%s: %s', (_what, found, before, after) => {
    const [findings] = guardTrees(filesOf(before), filesOf(after));
    expect(named(findings)).toEqual([`p.1 ${found}`]);
  });
});

/** Written out once more, apart from the table that it tests. */
const FIELDS = {
  'build-changed':
    'build install remove run-test build-test build-doc build-env setenv substs patches extra-files features configure-style',
  'constraints-changed':
    'depends depopts conflicts conflict-class available flags depexts pin-depends os ocaml-version',
  'description-changed':
    'synopsis description descr maintainer authors author homepage bug-reports license tags doc dev-repo messages post-messages libraries syntax opam-version name version signature x-commit-hash x-env-path-rewrite x-',
  // Fields that are none fail closed.
  'extra-source-altered': 'extra-sources',
} as const;
const UNKNOWN = 'post-install url extra-source mirrors';

const fieldCases = [...Object.entries(FIELDS), ['build-changed', UNKNOWN] as const].flatMap(
  ([found, names]) => names.split(' ').map((name) => [name, found] as const),
);

describe('fields', () => {
  it.each(fieldCases)('%s: %s', (name, found) => {
    const forms = ['', `${name}: "a"`, `${name}: ["b"]`, `${name}: ["b"]\n${name}: "c"`, ''];
    const [first = '', ...rest] = forms.map((text) => `x-other: "o"\n${text}`);
    const steps = guardTrees(p1(first), ...rest.map((form) => p1(form)));
    expect(steps.map(named)).toEqual(steps.map(() => [`p.1 ${found}`]));
  });

  it('a section that is not known fails closed', () => {
    expect(named(guardTrees(p1(''), p1('hooks { build: "a" }'))[0])).toEqual(['p.1 build-changed']);
    expect(named(guardTrees(p1('hooks { a: 1 b: 2 }'), p1('hooks { b: 2 a: 1 }'))[0])).toEqual([
      'p.1 description-changed',
    ]);
  });
});

describe('precedence', () => {
  /** What adds a reason of one class to a version, in the order of gravity. */
  const form = (graver: ReadonlySet<string>): Files => {
    const has = (name: string): boolean => graver.has(name);
    const checksums = [
      has('archive-altered') ? md5('b') : md5('a'),
      ...(has('checksum-dropped') ? [] : [sha256('a')]),
      ...(has('checksum-malformed') ? ['rubbish'] : []),
      ...(has('hashes-added') ? [sha512('a')] : []),
    ];
    const opam = [
      source(checksums, has('url-moved') ? 'https://m.org/' : undefined),
      extra('x', [has('extra-source-altered') ? md5('b') : md5('a')]),
      has('build-changed') ? 'build: [make]\n' : '',
      has('constraints-changed') ? 'depends: "a"\n' : '',
      has('description-changed') ? 'synopsis: "s"\n' : '',
    ];
    return p1(opam.join(''));
  };
  const classes = CHANGE_CLASSES.filter(
    (name) => !['version-reborn', 'equal-version', 'version-removed'].includes(name),
  );
  const pairs = classes.flatMap((a, index) => classes.slice(index + 1).map((b) => [a, b] as const));

  it.each(pairs)('%s wins over %s', (graver, lesser) => {
    const [findings] = guardTrees(form(new Set()), form(new Set([graver, lesser])));
    expect(named(findings)).toEqual([`p.1 ${graver}`]);
  });

  test('is the order of the issue', () => {
    expect(CHANGE_CLASSES).toEqual([
      'archive-altered',
      'checksum-dropped',
      'checksum-malformed',
      'extra-source-altered',
      'version-reborn',
      'equal-version',
      'version-removed',
      'build-changed',
      'url-moved',
      'hashes-added',
      'constraints-changed',
      'description-changed',
    ]);
    expect(compareGravity('archive-altered', 'description-changed')).toBeGreaterThan(0);
    expect(compareGravity('url-moved', 'build-changed')).toBeLessThan(0);
  });
});

describe('texts', () => {
  it.each([
    ['checksums', source([md5('a')]), source([md5('b')]), md5('a'), md5('b')],
    ['addresses', source([], 'https://a'), source([], 'https://b'), 'https://a', 'https://b'],
    [
      'fields',
      'build: [make]',
      'install: [make]',
      'build: [make]; install: absent',
      'build: absent; install: [make]',
    ],
    ['malformed', source([]), source(['md5=g']), 'none', 'md5=g (malformed)'],
    ['an archive that is gone', X, '', `archive: ${md5('a')} ${sha256('b')}`, 'archive: none'],
    ['extra-sources', extra('x', [md5('a')]), '', `extra-source x: ${md5('a')}`, 'extra-source x: none'],
    ['layout', 'build: [make]', 'build:[make]', 'layout or comments', 'layout or comments'],
    ['control characters', 'x-a: "\\027[31m"', 'x-a: "\\r"', 'x-a: "\ufffd[31m"', 'x-a: "\ufffd"'],
    ['UTF-8', 'x-a: "Bünzli"', 'x-a: ""', 'x-a: "Bünzli"', 'x-a: ""'],
  ])('show %s', (_, before, after, was, is) => {
    const bytes = (text: string): string => Buffer.from(text).toString('latin1');
    const [[finding] = []] = guardTrees(p1(bytes(before)), p1(bytes(after)));
    expect(finding).toMatchObject({ before: was, after: is });
  });

  it('show files by what git calls them, and odd modes', () => {
    const script = { mode: '100755', text: 'a' };
    const [[files] = []] = guardTrees(
      p1('', { 'files/a': 'a' }),
      p1('', { 'files/a': script, 'files/b': 'b' }),
    );
    expect(files).toMatchObject({
      before: 'files/a: a; files/b: absent',
      after: 'files/a: a mode 100755; files/b: b',
    });
    const [[mode] = []] = guardTrees(p1('', { url: 'a' }), p1('', { url: script }));
    expect(mode).toMatchObject({ before: 'url: a', after: 'url: a mode 100755' });
  });

  it('leave out the most of what is common to long values', () => {
    const list = (middle: string): string =>
      `depends: [${'"a" '.repeat(200)}"${middle}" ${'"b" '.repeat(200)}]`;
    const [[finding] = []] = guardTrees(p1(list('was')), p1(list('is')));
    expect(finding?.before).toMatch(/^…( "a")+ "was"( "b")+…$/);
    expect(finding?.after).toMatch(/^…( "a")+ "is"( "b")+…$/);
    expect(finding?.before.length).toBeLessThan(80);
  });

  it('are bounded', () => {
    const [[finding] = []] = guardTrees(p1(''), p1(`x-a: "${'a'.repeat(10_000)}"`));
    expect(finding?.after.length).toBeLessThan(400);
    const many = Array.from({ length: 50 }, (_, index) => `x-${index}: 1\n`).join('');
    expect(guardTrees(p1(''), p1(many))[0]?.[0]?.after).toMatch(/; 47 more$/);
  });
});
