import { root1, root2, root3 } from '../../support/signed-keys.ts';
import { repository } from '../../support/signed-repository.ts';
import { canonicalOf, FAR, type RootSpec } from '../../support/signed-texts.ts';
import { type TreeVector, treeVectors, type VectorOptions } from '../../support/vector-table.ts';

const FORM = 'refuse FORM keys/root';
const UNSIGNED = 'refuse P2|P3|P4|SIG keys/root';
const ENTRY = 'refuse P1|FORM keys/root';

/** With more fields, signed. */
const more = (title: string, text: string, expected: string): TreeVector => [
  title,
  repository({ more: text }),
  expected,
];

/** Signed by both root keys after the edit of its text; the signature entries may be altered afterwards. */
function edited(
  title: string,
  edit: (body: string) => string,
  expected: string,
  options: VectorOptions = {},
): TreeVector {
  return [title, repository().sign('keys/root', edit(unsignedRoot()), root1, root2), expected, options];
}

function unsignedRoot(spec: RootSpec = {}): string {
  return repository({ ...spec, by: [] }).files.get('keys/root') ?? '';
}

/** With `signature:` of any text; `sig(signer)` gives a right entry. */
function signatureText(title: string, text: string, expected: string): TreeVector {
  const body = unsignedRoot();
  return [title, repository().put('keys/root', `${body}signature: ${text}\n`), expected];
}
const text = canonicalOf(unsignedRoot());
const sig1 = root1.entry(text);
const sig2 = root2.entry(text);
const times = (count: number, entry: string) => Array.from({ length: count }, () => entry).join(' ');

treeVectors('form', [
  ['as it should be', repository(), 'accept'],
  ['no keys/root', repository().remove('keys/root'), 'refuse FORM|P3|P4|P14 keys/root'],
  ['empty', repository().put('keys/root', ''), FORM],
  more('an unknown field', 'y: "z"', FORM),
  more('an x- field', 'x-y: "z"', 'accept'),
  more('opam-version', 'opam-version: "2.0"', FORM),
  more('a duplicate', 'date: "2026-01-01T00:00:00Z"', FORM),
  more('an erased duplicate', 'snapshot-keys: []', FORM),
  more('duplicate x-', 'x-a: 1 x-a: 2', FORM),
  more('a section', 'x-a { }', FORM),
  more('a named section', 'x-a "b" { }', FORM),
  ['x- added after signing', repository().edit('keys/root', (was) => `x-a: 1\n${was}`), UNSIGNED],
  ['erased x- added after signing', repository().edit('keys/root', (was) => `x-a: []\n${was}`), 'accept'],
  edited('no date', (body) => body.replace(/date: .*\n/, ''), FORM),
  edited('date erased', (body) => body.replace(/date: .*\n/, 'date: []\n'), FORM),
  edited('no root keys', (body) => body.replace(/root-keys: .*\n/, ''), FORM),
  edited('root keys []', (body) => body.replace(/root-keys: .*\n/, 'root-keys: []\n'), FORM),
  edited('root keys [[]]', (body) => body.replace(/root-keys: .*\n/, 'root-keys: [[]]\n'), FORM),
  edited('no other roles', (body) => body.replace(/(snap|repository|initial).*\n/g, ''), 'accept'),
  edited('other roles []', (body) => body.replace(/((snap|repo|init)[a-z-]*): .*\n/g, '$1: []\n'), 'accept'),
  edited(
    'other roles [[]]',
    (body) => body.replace(/((snap|repo|init)[a-z-]*): .*\n/g, '$1: [[]]\n'),
    'accept',
  ),
  edited(
    '[[] []] is no key list',
    (body) => body.replace(/snapshot-keys: .*\n/, 'snapshot-keys: [[] []]\n'),
    FORM,
  ),
  edited('date an ident', (body) => body.replace(/date: .*\n/, 'date: yesterday\n'), FORM),
  edited('date in a list', (body) => body.replace(/date: (.*)\n/, 'date: [$1]\n'), FORM),
  edited('date in parentheses', (body) => body.replace(/date: (.*)\n/, 'date: ($1)\n'), 'accept'),
  edited('quorum a string', (body) => body.replace('quorum: 2', 'quorum: "2"'), FORM),
  edited('quorum 02', (body) => body.replace('quorum: 2', 'quorum: 0_2'), 'accept'),
  edited('a key of two', (body) => body.replace('"snapshot-1" "ed25519"', '"snapshot-1"'), FORM),
  edited('a key of four', (body) => body.replace('"snapshot-1"', '"snapshot-1" "a"'), FORM),
  edited('a root key without date', (body) => body.replace(`"${FAR}"`, ''), FORM),
  edited('a key id that is an ident', (body) => body.replace('"snapshot-1"', 'snapshot-1'), FORM),
  edited('a key not in a list', (body) => body.replace(/(snapshot-keys: )\[(.*)\]/, '$1$2'), FORM),
  edited('a key with an option', (body) => body.replace(/(snapshot-keys: \[.*\])\]/, '$1 {a}]'), FORM),
  edited('list of keys in parentheses', (body) => body.replace(/(snapshot-keys: )(.*)/, '$1($2)'), 'accept'),
  ...['"0123"', `"${'a'.repeat(39)}"`, `"${'A'.repeat(40)}"`, 'aaaa', `"${'g'.repeat(40)}"`].map((commit) =>
    more(`bootstrap commit ${commit}`, `initial-bootstrap-commit: ${commit}`, FORM),
  ),
  more('bootstrap commit', `initial-bootstrap-commit: "${'a'.repeat(40)}"`, 'accept'),
]);

treeVectors('dates', [
  ...[
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T23:60:00Z',
    '2016-12-31T23:59:60Z',
    '2026-01-01T00:00:00z',
    '2026-01-01t00:00:00Z',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00:00+00:00',
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00Z',
    '2026-01-01',
    ' 2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00Z\\n',
    '+02026-01-01T00:00:00Z',
    '',
  ].flatMap((date): TreeVector[] => [
    [`date ${date}`, repository({ date }), FORM],
    [`expiry ${date}`, repository({ roots: [root1, root2, [root3, date]], rootQuorum: 2 }), FORM],
  ]),
  ['2024-02-29 is real', repository({ date: '2024-02-29T00:00:00Z' }), 'accept'],
  ['2000-02-29 is real', repository({ date: '2000-02-29T23:59:59Z' }), 'accept'],
  ['five minutes ahead', repository({ date: '2026-06-01T13:05:00Z' }), 'accept'],
  ['a second more', repository({ date: '2026-06-01T13:05:01Z' }), 'refuse P3 keys/root'],
  ['expires now', repository({ roots: [root1, [root2, '2026-06-01T13:00:00Z']] }), UNSIGNED],
  ['expires in a second', repository({ roots: [root1, [root2, '2026-06-01T13:00:01Z']] }), 'accept'],
  [
    'an expired key does not spoil',
    repository({ roots: [root1, root2, [root3, '2020-01-01T00:00:00Z']], rootQuorum: 2 }),
    'accept',
  ],
]);

treeVectors('signatures', [
  signatureText('none', '[]', UNSIGNED),
  signatureText('both', `[${sig1} ${sig2}]`, 'accept'),
  signatureText('one', `[${sig1}]`, UNSIGNED),
  signatureText('one twice', `[${sig1} ${sig1}]`, UNSIGNED),
  signatureText('repeated, both', `[${sig1} ${sig1} ${sig2} ${sig1}]`, 'accept'),
  signatureText('unknown ids', `[["who" "ed25519" "00"] ${sig1} ["" "" ""] ${sig2}]`, 'accept'),
  signatureText('wrong, then right', `[["root-1" "ed25519" "00"] ${sig1} ${sig2}]`, 'accept'),
  signatureText('right, then wrong', `[${sig1} ${sig2} ["root-1" "ed25519" "zz"]]`, 'accept'),
  signatureText('64 entries', `[${times(62, '["a" "b" "c"]')} ${sig1} ${sig2}]`, 'accept'),
  signatureText('65 entries', `[${times(63, '["a" "b" "c"]')} ${sig1} ${sig2}]`, ENTRY),
  signatureText('two strings', `[${sig1} ${sig2} ["a" "b"]]`, ENTRY),
  signatureText('four strings', `[${sig1} ${sig2} ["a" "b" "c" "d"]]`, ENTRY),
  signatureText('a string', `[${sig1} ${sig2} "a"]`, ENTRY),
  signatureText('an empty entry', `[${sig1} ${sig2} []]`, ENTRY),
  signatureText('an ident', `[${sig1} ${sig2} [a "b" "c"]]`, ENTRY),
  signatureText('no list', `"a"`, ENTRY),
  signatureText('entry in parentheses', `([(${sig1}) ${sig2}])`, 'accept'),
  signatureText(
    'upper-case hex',
    `[${sig1.replace(/"[0-9a-f]{128}"/, (hex) => hex.toUpperCase())} ${sig2}]`,
    UNSIGNED,
  ),
  signatureText('algorithm in capitals', `[${sig1.replace('ed', 'ED')} ${sig2}]`, UNSIGNED),
  signatureText('algorithm rsa', `[${sig1.replace('ed25519', 'rsa')} ${sig2}]`, UNSIGNED),
  signatureText('algorithm RSASSA-PSS', `[${sig1.replace('ed25519', 'RSASSA-PSS')} ${sig2}]`, UNSIGNED),
  signatureText('id in capitals', `[${sig1.replace('root', 'ROOT')} ${sig2}]`, 'accept'),
  signatureText(
    'ids exchanged',
    `[${sig1.replace('root-1', 'root-2')} ${sig2.replace('root-2', 'root-1')}]`,
    UNSIGNED,
  ),
  signatureText('a byte more', `[${sig1.replace(/"\]$/, '00"]')} ${sig2}]`, UNSIGNED),
  signatureText('a digit less', `[${sig1.replace(/.("\])$/, '$1')} ${sig2}]`, UNSIGNED),
  signatureText('a blank after', `[${sig1.replace(/"\]$/, ' "]')} ${sig2}]`, UNSIGNED),
]);
