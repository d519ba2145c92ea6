/** Levels, thresholds, bootstrap signatures and listed files on the first reading (points 6 to 8 and 13). */
import { createHash } from 'node:crypto';
import { ada, bob, bootstrap1, rm1, rm2, rm3, snapshot1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository, type VersionSpec } from '../../support/signed-repository.ts';
import { digest } from '../../support/signed-texts.ts';
import { type TreeVector, treeVectors } from '../../support/vector-table.ts';

const ADA = 'ada@example.org';
const keys = repository().key(ada).key(bob);
const low = keys.delegate('foo', [ADA], ada);
const PATH = 'packages/foo/foo.1.0/signature';
type Level = 'any' | 'signed' | 'verified-key' | 'verified-developer';
const LEVELS: readonly Level[] = ['any', 'signed', 'verified-key', 'verified-developer'];

/** Served from `any` to this level, and withheld above. */
const reaches = (title: string, content: SignedRepository, level: Level | 'none'): TreeVector[] =>
  LEVELS.map((threshold) => {
    const served =
      level === 'none' ? threshold === 'any' : LEVELS.indexOf(threshold) <= LEVELS.indexOf(level);
    return [
      `${title}, threshold ${threshold}`,
      content,
      served ? `serve foo.1.0 ${level}` : 'hold foo.1.0 P7',
      { threshold },
    ];
  });
const never = (title: string, content: SignedRepository, rule: string): TreeVector[] =>
  LEVELS.map((threshold) => [
    `${title}, threshold ${threshold}`,
    content,
    `hold foo.1.0 ${rule}`,
    { threshold },
  ]);

treeVectors('levels', [
  ...reaches('unsigned, no delegation', keys.version('foo.1.0', []), 'none'),
  ...never('unsigned, delegated', low.version('foo.1.0', []), 'P5|P7'),
  ...never(
    'unsigned, invalid delegation',
    keys.put('packages/foo/delegation', '(').version('foo.1.0', []),
    'P5|P7',
  ),
  ...never('unsigned, blocked', keys.delegate('foo', [], rm1).version('foo.1.0', []), 'P5'),
  ...never('empty signature file, no delegation', keys.version('foo.1.0', []).put(PATH, ''), 'FORM'),
  ...never(
    'signed by nobody',
    keys.version('foo.1.0', [ada]).edit(PATH, (text) => text.replace(/signature: .*\n/, '')),
    'SIG|P7',
  ),
  ...never('signed by ada, no delegation', keys.version('foo.1.0', [ada]), 'P5|P7|SIG'),
  ...never('one RM, no delegation', keys.version('foo.1.0', [rm1]), 'P2|P5|P7|SIG'),
  ...never('by the snapshot key', keys.version('foo.1.0', [snapshot1]), 'P5|P7|SIG'),
  ...never('by bob', low.version('foo.1.0', [bob]), 'P5|P7|SIG'),
  ...reaches('ada', low.version('foo.1.0', [ada]), 'signed'),
  ...reaches('ada, key by RM', low.key(ada, rm1).version('foo.1.0', [ada]), 'verified-key'),
  ...reaches(
    'ada, delegation by RM, key not',
    keys.delegate('foo', [ADA], ada, rm1).version('foo.1.0', [ada]),
    'signed',
  ),
  ...reaches(
    'both by RM',
    keys.delegate('foo', [ADA], rm2).key(ada, rm1).version('foo.1.0', [ada]),
    'verified-developer',
  ),
  ...reaches('RM quorum', low.version('foo.1.0', [rm1, rm3]), 'verified-developer'),
  ...reaches('RM quorum, no delegation', keys.version('foo.1.0', [rm1, rm3]), 'verified-developer'),
  ...reaches('RM quorum and bob', low.version('foo.1.0', [bob, rm1, rm3]), 'verified-developer'),
  ...reaches('bootstrap, no delegation', keys.version('foo.1.0', [bootstrap1]), 'signed'),
  ...never('bootstrap, delegated', low.version('foo.1.0', [bootstrap1]), 'P5|P6|P7|SIG'),
  ...reaches(
    'the best counts',
    keys
      .key(bob, rm1)
      .delegate('foo', [ADA, 'bob@example.org'], ada, bob, rm1)
      .version('foo.1.0', [ada, bob]),
    'verified-developer',
  ),
  ...reaches('bootstrap and a stranger', keys.version('foo.1.0', [ada, bootstrap1, rm1]), 'signed'),
]);

const version = (spec: VersionSpec): SignedRepository => low.version('foo.1.0', [ada], spec);
/** The signature's body, of any form, signed by ada. */
const body = (title: string, text: string, expected: string, from = version({})): TreeVector => [
  title,
  from.sign(PATH, text, ada),
  expected,
];
const OPAM = 'opam-version: "2.0"\nsynopsis: "foo.1.0"\n';
const sha256 = createHash('sha256').update(OPAM).digest('hex');
const md5 = createHash('md5').update(OPAM).digest('hex');
const sha512 = createHash('sha512').update(OPAM).digest('hex');
const SIZE = OPAM.length;
const head = 'name: "foo"\nversion: "1.0"\n';
const files = (title: string, text: string, expected: string, from?: SignedRepository): TreeVector =>
  body(title, `${head}package-files: [${text}]\n`, expected, from);
const SERVED = 'serve foo.1.0';
const FORM = 'hold foo.1.0 FORM|P8';
const P8 = 'hold foo.1.0 P8';
const good = `"opam" {${SIZE} [sha256 "${sha256}"]}`;

treeVectors('package-files', [
  files('opam', good, SERVED),
  files('three kinds', `"opam" {${SIZE} [md5 "${md5}" sha256 "${sha256}" sha512 "${sha512}"]}`, SERVED),
  files('sha512', `"opam" {${SIZE} [sha512 "${sha512}"]}`, SERVED),
  files('md5', `"opam" {${SIZE} [md5 "${md5}"]}`, P8),
  files('sha1', `"opam" {${SIZE} [sha1 "00"]}`, P8),
  files('sha1 and sha256', `"opam" {${SIZE} [sha1 "ZZ" sha256 "${sha256}"]}`, SERVED),
  files('unknown kind', `"opam" {${SIZE} [blake3 "?" sha256 "${sha256}"]}`, SERVED),
  files('no digests', `"opam" {${SIZE} []}`, 'hold foo.1.0 P8|FORM'),
  files('one wrong of two', `"opam" {${SIZE} [md5 "${sha256.slice(32)}" sha256 "${sha256}"]}`, P8),
  files('wrong', `"opam" {${SIZE} [sha256 "${sha512.slice(64)}"]}`, P8),
  files('wrong size', `"opam" {${SIZE + 1} [sha256 "${sha256}"]}`, P8),
  files('negative size', `"opam" {-1 [sha256 "${sha256}"]}`, FORM),
  files('size as a string', `"opam" {"${SIZE}" [sha256 "${sha256}"]}`, FORM),
  files('size 0_', `"opam" {0${SIZE} [sha256 "${sha256}"]}`, SERVED),
  files('upper-case', `"opam" {${SIZE} [sha256 "${sha256.toUpperCase()}"]}`, FORM),
  files('upper-case md5', `"opam" {${SIZE} [md5 "${md5.toUpperCase()}" sha256 "${sha256}"]}`, FORM),
  files('short', `"opam" {${SIZE} [sha256 "${sha256.slice(1)}"]}`, FORM),
  files('kind in capitals', `"opam" {${SIZE} [SHA256 "${sha256}"]}`, 'hold foo.1.0 P8|FORM'),
  files('kind as a string', `"opam" {${SIZE} ["sha256" "${sha256}"]}`, FORM),
  files('a digest without kind', `"opam" {${SIZE} ["${sha256}"]}`, FORM),
  files('a kind without digest', `"opam" {${SIZE} [sha256]}`, FORM),
  files('no braces', '"opam"', FORM),
  files('no size', `"opam" {[sha256 "${sha256}"]}`, FORM),
  files('no list', `"opam" {${SIZE} sha256 "${sha256}"}`, FORM),
  files('an ident as path', `opam {${SIZE} [sha256 "${sha256}"]}`, FORM),
  files('opam not named', `"a" {1 [sha256 "${sha256}"]}`, FORM),
  files('twice', `${good} ${good}`, FORM),
  ...[
    '',
    '.',
    '..',
    '../opam',
    'a/../opam',
    './opam',
    '/opam',
    'files//a',
    'files/',
    'signature',
    'files/./a',
  ].map((path) => files(`path «${path}»`, `${good} "${path}" {1 [sha256 "${sha256}"]}`, FORM)),
  files('missing', `${good} "files/a" {1 [sha256 "${sha256}"]}`, P8),
  files(
    'files/signature',
    `${good} "files/signature" {${digest('a')}}`,
    SERVED,
    version({ files: { 'files/signature': 'a' } }),
  ),
  ['empty file', version({ files: { 'files/a': '' } }), SERVED],
  ['unlisted', version({ files: { 'files/a': 'b' }, unlisted: ['files/a'] }), SERVED],
  ['altered', version({ files: { 'files/a': 'b' } }).put('packages/foo/foo.1.0/files/a', 'c'), P8],
  ['removed', version({ files: { 'files/a': 'b' } }).remove('packages/foo/foo.1.0/files/a'), P8],
  ['opam removed', version({}).remove('packages/foo/foo.1.0/opam'), P8],
  ['md5 alone, accepted', version({ kinds: ['md5'] }), SERVED, { acceptWeak: true }],
  ['sha1 alone, accepted', version({ kinds: ['sha1'] }), 'hold foo.1.0 P8|FORM', { acceptWeak: true }],
  [
    'md5 altered, accepted weak',
    version({ kinds: ['md5'] }).put('packages/foo/foo.1.0/opam', 'x'),
    P8,
    { acceptWeak: true },
  ],
  body('no package-files', head, FORM),
  body('package-files []', `${head}package-files: []\n`, FORM),
  body('package-files in a string', `${head}package-files: "opam"\n`, FORM),
  body('no name', `version: "1.0"\npackage-files: [${good}]\n`, FORM),
  body('no version', `name: "foo"\npackage-files: [${good}]\n`, FORM),
  body('another name', `name: "Foo"\nversion: "1.0"\npackage-files: [${good}]\n`, FORM),
  body('an equal version', `name: "foo"\nversion: "1.00"\npackage-files: [${good}]\n`, FORM),
  body('compiler-files too', `${head}package-files: [${good}]\ncompiler-files: [${good}]\n`, FORM),
  body('patches too', `${head}package-files: [${good}]\npatches: [${good}]\n`, FORM),
]);

const HASH = createHash('sha256').update('archive').digest('hex');
const url = (checksum: string) =>
  `opam-version: "2.0"\nurl { src: "http://x/a.tgz" checksum: ${checksum} }\n`;
const extra = (checksum: string) =>
  `opam-version: "2.0"\nextra-source "dl/a" { src: "http://x/a" checksum: ${checksum} }\n`;
const source = (title: string, opam: string, more: string, expected: string, options = {}): TreeVector => [
  title,
  version({ opam, more: `${more}\n` }),
  expected,
  options,
];
const ARCHIVE = `archive: [7 [sha256 "${HASH}"]]`;
const EXTRA = `extra-sources: ["dl/a" {7 [sha256 "${HASH}"]}]`;

treeVectors('archives and extra sources', [
  source('the same', url(`"sha256=${HASH}"`), ARCHIVE, SERVED),
  source('the same among others', url(`["md5=${md5}" "sha256=${HASH}"]`), ARCHIVE, SERVED),
  source('the same in capitals', url(`"SHA256=${HASH.toUpperCase()}"`), ARCHIVE, SERVED),
  source('another', url(`"sha256=${sha256}"`), ARCHIVE, P8),
  source(
    'one of two is another',
    url(`["sha256=${HASH}" "md5=${'0'.repeat(32)}"]`),
    `archive: [7 [md5 "${md5}" sha256 "${HASH}"]]`,
    P8,
  ),
  source('of different kinds', url(`"md5=${md5}"`), ARCHIVE, SERVED),
  source('no url', OPAM, ARCHIVE, SERVED),
  source('url, no archive', url(`"sha256=${HASH}"`), '', SERVED),
  source('weak', url(`"md5=${md5}"`), `archive: [7 [md5 "${md5}"]]`, P8),
  source('weak, accepted', url(`"md5=${md5}"`), `archive: [7 [md5 "${md5}"]]`, SERVED, { acceptWeak: true }),
  source('empty archive', OPAM, 'archive: []', SERVED),
  source('archive without size', OPAM, `archive: [[sha256 "${HASH}"]]`, FORM),
  source('archive of three', OPAM, `archive: [7 [sha256 "${HASH}"] 1]`, FORM),
  source('archive in braces', OPAM, `archive: "a" {7 [sha256 "${HASH}"]}`, FORM),
  source('archive in capitals', OPAM, `archive: [7 [sha256 "${HASH.toUpperCase()}"]]`, FORM),
  source('negative', OPAM, `archive: [-7 [sha256 "${HASH}"]]`, FORM),
  source('extra, the same', extra(`"sha256=${HASH}"`), EXTRA, SERVED),
  source('extra, another', extra(`"sha256=${sha256}"`), EXTRA, P8),
  source('extra, only in the opam file', extra(`"sha256=${HASH}"`), '', SERVED),
  source('extra, only signed', OPAM, EXTRA, SERVED),
  source('extra, another name', extra(`"sha256=${sha256}"`), EXTRA.replace('dl/a', 'dl/b'), SERVED),
  source('extra, weak', OPAM, `extra-sources: ["dl/a" {7 [md5 "${md5}"]}]`, P8),
  source(
    'extra, twice',
    OPAM,
    `extra-sources: ["dl/a" {7 [sha256 "${HASH}"]} "dl/a" {8 [sha256 "${HASH}"]}]`,
    FORM,
  ),
]);

const comp = keys.compilerDelegate('p', [ADA], ada);
const COMP = 'compilers/4.00/4.00+p';
const patches = (text: string) => `patches: [${text}]\n`;

treeVectors('format 1.2', [
  ['a compiler', comp.compiler('4.00', 'p', [ada]), `serve ${COMP} signed`],
  ['RM quorum', keys.compiler('4.00', 'p', [rm1, rm2]), `serve ${COMP} verified-developer`],
  ['bootstrap', keys.compiler('4.00', 'p', [bootstrap1]), `serve ${COMP} signed`],
  ['bob', comp.compiler('4.00', 'p', [bob]), `hold ${COMP}`],
  ['no delegation', keys.compiler('4.00', 'p', [ada]), `hold ${COMP}`],
  ['unsigned', keys.compiler('4.00', 'p', []), `hold ${COMP} P7`],
  ['unsigned, any', keys.compiler('4.00', 'p', []), `serve ${COMP} none`, { threshold: 'any' }],
  ['blocked', keys.compilerDelegate('p', [], rm1).compiler('4.00', 'p', [rm1, rm2]), `hold ${COMP} P5`],
  [
    'constraint',
    keys.compilerDelegate('p', [`${ADA} {>= "4.01"}`], ada).compiler('4.00', 'p', [ada]),
    `hold ${COMP}`,
  ],
  [
    'patches',
    comp.compiler('4.00', 'p', [ada], patches(`"http://x/y.patch" {${digest('a')}}`)),
    `serve ${COMP}`,
  ],
  [
    'weak patch',
    comp.compiler('4.00', 'p', [ada], patches(`"http://x/y.patch" {${digest('a', ['md5'])}}`)),
    `hold ${COMP} P8`,
  ],
  [
    'extra-sources',
    comp.compiler('4.00', 'p', [ada], `extra-sources: ["a" {${digest('a')}}]\n`),
    `hold ${COMP} FORM`,
  ],
  ['archive', comp.compiler('4.00', 'p', [ada], `archive: [${digest('a')}]\n`), `serve ${COMP}`],
  [
    'package-files',
    comp.compiler('4.00', 'p', [ada], `package-files: ["opam" {${digest('a')}}]\n`),
    `hold ${COMP} FORM`,
  ],
  ['comp altered', comp.compiler('4.00', 'p', [ada]).put(`${COMP}/4.00+p.comp`, ''), `hold ${COMP} P8`],
  [
    'name is the whole',
    comp
      .compiler('4.00', 'p', [ada])
      .sign(
        `${COMP}/4.00+p.signature`,
        `name: "4.00+p" version: "4.00" compiler-files: ["4.00+p.comp" {${digest('a')}}]\n`,
        ada,
      ),
    `hold ${COMP} FORM`,
  ],
  [
    'comp not named',
    comp
      .compiler('4.00', 'p', [ada])
      .put(`${COMP}/4.00+p.descr`, 'a')
      .sign(
        `${COMP}/4.00+p.signature`,
        `name: "p" version: "4.00" compiler-files: ["4.00+p.descr" {${digest('a')}}]\n`,
        ada,
      ),
    `hold ${COMP} FORM|P8|P13`,
  ],
  [
    'a delegate of another name',
    keys.sign('compilers/p.delegate', `name: "q"\ndelegates: ["${ADA}"]\n`, ada).compiler('4.00', 'p', [ada]),
    `hold ${COMP}`,
  ],
]);
