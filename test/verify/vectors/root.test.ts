/** `keys/root` on the first reading: its form, keys, ids, quorums and dates (FORM, points 1 to 4). */
import {
  constants,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign as rawSign,
} from 'node:crypto';
import { ada, rm1, rm2, root1, root2, root3, rsa, snapshot1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { canonicalOf, FAR, type RootSpec } from '../../support/signed-texts.ts';
import { type TreeVector, treeVectors, type VectorOptions } from '../../support/vector-table.ts';

const FORM = 'refuse FORM keys/root';
const KEY = 'refuse P1 keys/root';
const QUORUM = 'refuse P2 keys/root';
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

/** Another algorithm's rsa signature, with the algorithm of the page. */
function rsaSigned(hash: string, padding: number, saltLength: number | undefined): SignedRepository {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return byRsa(publicKey, (bytes) =>
    rawSign(hash, bytes, { key: privateKey, padding, ...(saltLength === undefined ? {} : { saltLength }) }),
  );
}
function byRsa(publicKey: KeyObject, make: (bytes: Buffer) => Buffer): SignedRepository {
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const body = `date: "2026-01-01T00:00:00Z"\nroot-keys: [["r" "${FAR}" "rsa" "${pem}"] ["root-1" "${FAR}" "ed25519" "${root1.key}"]]\nroot-quorum: 2\n`;
  const bytes = canonicalOf(body);
  const entry = `["r" "RSASSA-PSS" "${make(Buffer.from(bytes, 'latin1')).toString('hex')}"]`;
  return repository().put('keys/root', `${body}signature: [${entry} ${root1.entry(bytes)}]\n`);
}
const PSS = constants.RSA_PKCS1_PSS_PADDING;
const one = { anchors: [root1], quorum: 1 };
const withKey = (algorithm: string, key: string): SignedRepository =>
  repository({ more: 'x-a: 1' }).sign(
    'keys/root',
    unsignedRoot().replace(`"ed25519" "${snapshot1.key}"`, `"${algorithm}" "${key}"`),
    root1,
    root2,
  );
const pem = rsa('r').key;
const small = rsa('r1024', 1024).key;
const exported = (type: 'ec' | 'ed25519'): string =>
  (type === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('ed25519')
  ).publicKey
    .export({ format: 'pem', type: 'spki' })
    .toString();
const secret = createPrivateKey(
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'pem', type: 'pkcs8' }),
);

treeVectors('keys', [
  ['rsa as root', rsaSigned('sha256', PSS, 32), 'accept', one],
  ['salt 20', rsaSigned('sha256', PSS, 20), UNSIGNED, one],
  ['salt of all', rsaSigned('sha256', PSS, constants.RSA_PSS_SALTLEN_MAX_SIGN), UNSIGNED, one],
  ['sha512', rsaSigned('sha512', PSS, 32), UNSIGNED, one],
  ['PKCS 1', rsaSigned('sha256', constants.RSA_PKCS1_PADDING, undefined), UNSIGNED, one],
  ['rsa listed', withKey('rsa', pem), 'accept'],
  ['rsa with \\n', withKey('rsa', pem.replaceAll('\n', '\\n')), 'accept'],
  ['rsa of 1024', withKey('rsa', small), KEY],
  ['rsa as ed25519', withKey('ed25519', pem), KEY],
  ['ed25519 as rsa', withKey('rsa', snapshot1.key), KEY],
  ['ed25519 PEM as rsa', withKey('rsa', exported('ed25519')), KEY],
  ['ed25519 PEM', withKey('ed25519', exported('ed25519')), KEY],
  ['ec PEM as rsa', withKey('rsa', exported('ec')), KEY],
  ['a private key', withKey('rsa', secret.export({ format: 'pem', type: 'pkcs8' }).toString()), KEY],
  ['PKCS 1 PEM', withKey('rsa', rsaPkcs1()), KEY],
  ['algorithm RSA', withKey('RSA', pem), KEY],
  ['algorithm RSASSA-PSS', withKey('RSASSA-PSS', pem), KEY],
  ['algorithm Ed25519', withKey('Ed25519', snapshot1.key), KEY],
  ['algorithm empty', withKey('', snapshot1.key), KEY],
  ['upper-case hex', withKey('ed25519', snapshot1.key.toUpperCase()), 'refuse P1|FORM keys/root'],
  ['31 bytes', withKey('ed25519', snapshot1.key.slice(2)), KEY],
  ['63 digits', withKey('ed25519', snapshot1.key.slice(1)), KEY],
  ['33 bytes', withKey('ed25519', `${snapshot1.key}00`), KEY],
  ['a line end after', withKey('ed25519', `${snapshot1.key}\\n`), KEY],
  ['not hex', withKey('ed25519', 'x'.repeat(64)), KEY],
  ['the neutral point', withKey('ed25519', `01${'00'.repeat(31)}`), KEY],
  ['order 2', withKey('ed25519', `ec${'ff'.repeat(30)}7f`), KEY],
  ['order 4', withKey('ed25519', '00'.repeat(32)), KEY],
  ['order 8', withKey('ed25519', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'), KEY],
  ['y not canonical', withKey('ed25519', `ee${'ff'.repeat(30)}7f`), KEY],
  ['no point', withKey('ed25519', `02${'00'.repeat(31)}`), KEY],
]);

function rsaPkcs1(): string {
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
    .publicKey.export({ format: 'pem', type: 'pkcs1' })
    .toString();
}

const named = (id: string): SignedRepository => repository({ snapshots: [snapshot1.as(id)] });

treeVectors('ids', [
  ['128 characters', named('a'.repeat(128)), 'accept'],
  ['129 characters', named('a'.repeat(129)), QUORUM],
  ['all characters', named('0aZ@._+-'), 'accept'],
  ...['', '-a', '.a', '@a', 'a b', 'a/b', 'a\\n', 'caf\xe9', 'a:b', 'a*'].map(
    (id): TreeVector => [`id «${id}»`, named(id), QUORUM],
  ),
  ['the same id in two roles', repository({ snapshots: [snapshot1.as('rm-1')] }), QUORUM],
  ['folding together', repository({ snapshots: [snapshot1.as('RM-1')] }), QUORUM],
  ['twice in one role', repository({ snapshots: [snapshot1, snapshot1] }), QUORUM],
  ['folding in one role', repository({ snapshots: [snapshot1, snapshot1.as('Snapshot-1')] }), QUORUM],
  ['one key in two roles', repository({ snapshots: [rm1.as('snapshot-1')] }), 'accept'],
  ['one key, two ids', repository({ snapshots: [snapshot1, snapshot1.as('other')] }), 'accept'],
]);

const three = [root1, root2, root3];
treeVectors('quorums', [
  ['0', repository({ rootQuorum: 0 }), QUORUM],
  ['-1', repository({ rootQuorum: -1 }), QUORUM],
  ['above', repository({ rootQuorum: 3 }), QUORUM],
  ['far above', edited('', (body) => body.replace('m: 2', `m: ${'9'.repeat(18)}`), '')[1], QUORUM],
  ['-0', edited('', (body) => body.replace('m: 2', 'm: -0'), '')[1], QUORUM],
  ['maintainers 0', repository({ maintainerQuorum: 0 }), QUORUM],
  ['maintainers above', repository({ maintainerQuorum: 4 }), QUORUM],
  ['maintainers of two ids', repository({ maintainers: [rm1, rm1.as('x')], maintainerQuorum: 2 }), QUORUM],
  ['maintainers without any', repository({ maintainers: [], maintainerQuorum: 1 }), QUORUM],
  ['one root key under two ids', repository({ roots: [root1, root1.as('x')], rootQuorum: 2 }), QUORUM],
  [
    'one root key under two ids signs once',
    repository({ roots: [root1, root1.as('x'), root2], rootQuorum: 2, by: [root1, root1.as('x')] }),
    UNSIGNED,
    one,
  ],
  ['absent: 1 of 2', repository({ rootQuorum: undefined, by: [root1] }), UNSIGNED, one],
  ['absent: 2 of 3', repository({ rootQuorum: undefined, roots: three }), 'accept', one],
  ['absent: 1 of 3', repository({ rootQuorum: undefined, roots: three, by: [root1] }), UNSIGNED, one],
  ['absent: 1 of 1', repository({ rootQuorum: undefined, roots: [root1], by: [root1] }), 'accept', one],
  [
    'absent: one key twice is one',
    repository({ rootQuorum: undefined, roots: [root1, root1.as('x')], by: [root1] }),
    'accept',
    one,
  ],
  [
    'absent: a majority of expired ones too',
    repository({
      rootQuorum: undefined,
      roots: [root1, root2, ...['a', 'b'].map((id) => [rsa(id), '2020-01-01T00:00:00Z'] as const)],
    }),
    UNSIGNED,
  ],
  [
    'expired ones bound the quorum',
    repository({ rootQuorum: 2, roots: [root1, [root2, '2020-01-01T00:00:00Z']] }),
    UNSIGNED,
    one,
  ],
  [
    'raised by the reader',
    repository({ rootQuorum: 1, by: [root1] }),
    UNSIGNED,
    { ...one, raisedQuorums: { root: 2 } },
  ],
  [
    'never lowered',
    repository({ rootQuorum: 2, by: [root1] }),
    UNSIGNED,
    { ...one, raisedQuorums: { root: 1 } },
  ],
]);

treeVectors('anchors', [
  ['both', repository(), 'accept'],
  ['one is not listed, quorum 2', repository(), 'refuse P4', { anchors: [root1, root3] }],
  ['one is not listed, quorum 1', repository(), 'accept', { anchors: [root1, root3], quorum: 1 }],
  ['of another key', repository(), 'refuse P4', { anchors: [root3] }],
  ['of a key in another role', repository(), 'refuse P4', { anchors: [rm1] }],
  [
    'listed, has not signed',
    repository({ roots: three, by: [root1, root2] }),
    'refuse P4',
    { anchors: [root3] },
  ],
  ['signed, not listed', repository({ by: [root1, root2, root3] }), 'refuse P4', { anchors: [root3] }],
  [
    'expired',
    repository({ roots: [root1, root2, [root3, '2026-06-01T13:00:00Z']], by: three }),
    'refuse P4',
    { anchors: [root3] },
  ],
  [
    'one key under two ids',
    repository({ roots: [root1, root1.as('x'), root2], by: [root1, root1.as('x'), root2] }),
    'refuse P4',
    { anchors: [root1, root3] },
  ],
  ['none', repository(), 'accept', { anchors: [] }],
  ['none, not self-signed', repository({ by: [root1] }), UNSIGNED, { anchors: [] }],
  [
    'an rsa anchor',
    repository({ roots: [rsa('r'), root1], by: [rsa('r'), root1] }),
    'accept',
    { anchors: [rsa('r')] },
  ],
]);

void [ada, rm2, createHash];
