/** "Linearity", a step from an old tree to a new one: what goes, what comes (L1 to L4, V1 aside). */
import { ada, bob, bootstrap1, eve, rm1, rm2, rm3 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { type StepVector, stepVectors, type VectorOptions } from '../../support/vector-table.ts';

const ADA = 'ada@example.org';
const BOB = 'bob@example.org';
const EVE = 'eve@example.org';
const DEL = 'packages/foo/delegation';
const SIG = 'packages/foo/foo.1.0/signature';
const KEY = `keys/dev/${ADA}`;
const SERVED = 'serve foo.1.0';
const base = repository().key(ada).key(bob).delegate('foo', [ADA], ada).version('foo.1.0', [ada]);
/** From the base. */
const to = (
  title: string,
  content: SignedRepository,
  expected: string,
  options: VectorOptions = {},
): StepVector => [title, base, content, expected, options];
const from = (
  title: string,
  old: SignedRepository,
  content: SignedRepository,
  expected: string,
): StepVector => [title, old, content, expected];
const newSig = (id: string) => `packages/foo/${id}/signature`;

stepVectors('L1 removal', [
  to('nothing changes', base, SERVED),
  to('a key', base.remove(`keys/dev/${BOB}`), `refuse L1 keys/dev/${BOB}`),
  from('an invalid key', base.put('keys/dev/x', '('), base, 'refuse L1 keys/dev/x'),
  to('a delegation', base.remove(DEL), `refuse L1 ${DEL}`),
  from(
    'an invalid delegation',
    base.put('packages/bar/delegation', '('),
    base,
    'refuse L1 packages/bar/delegation',
  ),
  to('a signature alone', base.remove(SIG), `refuse L1 ${SIG}`),
  from('an invalid signature alone', base.put(SIG, '('), base.remove(SIG), `refuse L1 ${SIG}`),
  to(
    'a signed version',
    base.remove('packages/foo/foo.1.0'),
    'refuse L1 packages/foo/foo.1.0|packages/foo/foo.1.0/signature',
  ),
  to(
    'all of a name but the delegation',
    base.remove('packages/foo').delegate('foo', [ADA], ada),
    'refuse L1',
  ),
  from('an unsigned version', base.version('bar.1', []), base, SERVED),
  from('a file unlisted', base.put('packages/foo/foo.1.0/x', 'y'), base, SERVED),
  from(
    'a file unlisted, other',
    base.put('packages/foo/foo.1.0/x', 'y'),
    base.put('packages/foo/foo.1.0/x', 'z'),
    SERVED,
  ),
  to('a file listed', base.remove('packages/foo/foo.1.0/opam'), 'refuse L1|L7'),
  from('repo', base, base.remove('repo'), SERVED),
  from('a compiler', repository().compiler('4.00', 'p', [rm1, rm2]), repository(), 'refuse L1'),
]);

const rewritten = (text: string): string => `# x\n${text.replace(/: "/g, ':   "')}`;
stepVectors('what is no change', [
  to('another spelling of a delegation', base.edit(DEL, rewritten), SERVED),
  to('another spelling of a key', base.edit(KEY, rewritten), SERVED),
  to('another spelling of a signature', base.edit(SIG, rewritten), SERVED),
  to('another spelling of keys/root', base.edit('keys/root', rewritten), SERVED),
  to('a signature more on a key', base.key(ada, rm1), 'serve foo.1.0 verified-key'),
  to('a signature more on a delegation', base.delegate('foo', [ADA], ada, rm1), 'serve foo.1.0 signed'),
  to(
    'a signature more on a version',
    base.version('foo.1.0', [ada, rm1, rm2]),
    'serve foo.1.0 verified-developer',
  ),
  to(
    'a bad signature more',
    base.edit(DEL, (text) => text.replace('signature: [', 'signature: [["rm-1" "ed25519" "00"] ')),
    SERVED,
  ),
  from('a stranger less on a key', base.key(ada, bob), base, SERVED),
  from('a stranger less on a version', base.version('foo.1.0', [ada, bob]), base, SERVED),
]);

stepVectors('L2 new keys', [
  to('signed by itself', base.key(eve), SERVED),
  to('signed by itself and an RM', base.key(eve, rm1), SERVED),
  to('signed by nobody', base.keyBy(eve), `refuse L2 keys/dev/${EVE}`),
  to('signed by an RM alone', base.keyBy(eve, rm1), `refuse L2 keys/dev/${EVE}`),
  to('signed by another', base.keyBy(eve, ada), `refuse L2 keys/dev/${EVE}`),
  to('invalid', base.put('keys/dev/x', '('), 'refuse L2 keys/dev/x'),
  to(
    'of another path',
    base.put('keys/dev/x', base.key(eve).files.get(`keys/dev/${EVE}`) ?? ''),
    'refuse L2 keys/dev/x',
  ),
  to('id of a role', base.key(eve.as('rm-1')), 'refuse L2 keys/dev/rm-1'),
  to('id of a role, folding', base.key(eve.as('Rm-1')), 'refuse L2 keys/dev/Rm-1'),
  to('folding with another', base.key(eve.as('ADA@example.org')), 'refuse L2 keys/dev/ADA@example.org'),
  to(
    'folding with another, by an RM',
    base.key(eve.as('ADA@example.org'), rm1),
    'refuse L2 keys/dev/ADA@example.org',
  ),
  to(
    'two new that fold',
    base.key(eve).key(eve.as('EVE@example.org')),
    `refuse L2 keys/dev/EVE@example.org; refuse L2 keys/dev/${EVE}`,
  ),
  to('the public key of another', base.key(ada.as('x')), SERVED),
  from(
    'named by a delegation, no RM',
    base.delegate('foo', [ADA, EVE], ada),
    base.delegate('foo', [ADA, EVE], ada).key(eve),
    `refuse L2 keys/dev/${EVE}`,
  ),
  from(
    'named by a delegation, with RM',
    base.delegate('foo', [ADA, EVE], ada),
    base.delegate('foo', [ADA, EVE], ada).key(eve, rm1),
    SERVED,
  ),
  from(
    'named in capitals',
    base.delegate('foo', [ADA, EVE.toUpperCase()], ada),
    base.delegate('foo', [ADA, EVE.toUpperCase()], ada).key(eve),
    `refuse L2 keys/dev/${EVE}`,
  ),
  to('named by a new delegation', base.key(eve).delegate('new', [EVE], eve), SERVED),
  to(
    'with opam-version',
    base.sign(`keys/dev/${EVE}`, `opam-version: "2.0" keys: [["${EVE}" "ed25519" "${eve.key}"]]\n`, eve),
    `refuse L2 keys/dev/${EVE}`,
  ),
  to('path that is no id', base.key(eve.as('~x')), 'refuse L2 keys/dev/~x'),
]);

const withEve = base.key(eve);
stepVectors('L3 new delegations', [
  to('by a delegate', withEve.delegate('new', [EVE], eve), SERVED),
  to('by nobody', withEve.delegate('new', [EVE]), 'refuse L3 packages/new/delegation'),
  to('by a stranger', withEve.delegate('new', [EVE], ada), 'refuse L3 packages/new/delegation'),
  to('by an RM; key not', withEve.delegate('new', [EVE], rm1), 'refuse L3 packages/new/delegation'),
  to('by an RM; key too', withEve.key(eve, rm2).delegate('new', [EVE], rm1), SERVED),
  to('by a delegate who vouches', withEve.key(bob, eve).delegate('new', [EVE, BOB], eve), SERVED),
  to(
    'by a delegate who does not',
    withEve.delegate('new', [EVE, BOB], eve),
    'refuse L3 packages/new/delegation',
  ),
  to(
    'both sign, none vouches',
    withEve.delegate('new', [EVE, BOB], eve, bob),
    'refuse L3 packages/new/delegation',
  ),
  to('vouched by an RM', withEve.key(bob, rm1).delegate('new', [EVE, BOB], eve), SERVED),
  to(
    'two signers, each vouches for one',
    withEve.key(ada, eve).key(eve, bob).key(bob, ada).delegate('new', [ADA, BOB, EVE], ada, bob, eve),
    'refuse L3 packages/new/delegation',
  ),
  to(
    'a delegate without key',
    withEve.delegate('new', [EVE, 'no@one'], eve),
    'refuse L3 packages/new/delegation',
  ),
  to('blocked, by an RM', base.delegate('new', [], rm1), SERVED),
  to('blocked, by nobody', base.delegate('new', []), 'refuse L3 packages/new/delegation'),
  to('blocked, by a developer', base.delegate('new', [], ada), 'refuse L3 packages/new/delegation'),
  to('invalid', base.put('packages/new/delegation', '('), 'refuse L3 packages/new/delegation'),
  from(
    'of a name with versions, no RM',
    withEve.version('new.1', []),
    withEve.version('new.1', []).delegate('new', [EVE], eve),
    'refuse L3 packages/new/delegation',
  ),
  from(
    'of a name with versions, RM',
    withEve.version('new.1', []),
    withEve.version('new.1', []).delegate('new', [EVE], eve, rm1),
    'serve foo.1.0; hold new.1',
  ),
  to(
    'with its first version',
    withEve.delegate('new', [EVE], eve).version('new.1', [eve]),
    'serve foo.1.0; serve new.1 signed',
  ),
  to(
    'with an unsigned version',
    withEve.delegate('new', [EVE], eve).version('new.1', []),
    'refuse L4 packages/new/new.1/opam',
  ),
  to(
    'constraint that is none',
    withEve.delegate('new', [`${EVE} {~ "1"}`], eve),
    'refuse L3 packages/new/delegation',
  ),
  from(
    'a compiler delegate of a name with versions',
    repository().key(ada).compiler('4.00', 'p', [rm1, rm2]),
    repository().key(ada).compiler('4.00', 'p', [rm1, rm2]).compilerDelegate('p', [ADA], ada),
    'refuse L3 compilers/p.delegate',
  ),
]);

stepVectors('L4 new versions', [
  to('by the delegate', base.version('foo.2', [ada]), 'serve foo.1.0; serve foo.2'),
  to('by another', base.version('foo.2', [bob]), `refuse L4 ${newSig('foo.2')}`),
  to('unsigned', base.version('foo.2', []), 'refuse L4 packages/foo/foo.2/opam'),
  to('by an RM quorum', base.version('foo.2', [rm1, rm2]), 'serve foo.1.0; serve foo.2'),
  to('by one RM', base.version('foo.2', [rm1]), `refuse L4 ${newSig('foo.2')}`),
  to('by bootstrap', base.version('foo.2', [bootstrap1]), `refuse L4 ${newSig('foo.2')}`),
  to(
    'invalid signature file',
    base.version('foo.2', []).put(newSig('foo.2'), '('),
    `refuse L4 ${newSig('foo.2')}`,
  ),
  to('weak: withheld', base.version('foo.2', [ada], { kinds: ['md5'] }), 'serve foo.1.0; hold foo.2 P8'),
  to(
    'contradicting: withheld',
    base.version('foo.2', [ada], {
      opam: `opam-version: "2.0"\nurl { src: "http://x" checksum: "md5=${'0'.repeat(32)}" }\n`,
      more: `archive: [1 [md5 "${'1'.repeat(32)}" sha256 "${'1'.repeat(64)}"]]\n`,
    }),
    'serve foo.1.0; hold foo.2 P8',
  ),
  to('a file differs', base.version('foo.2', [ada]).put('packages/foo/foo.2/opam', ''), 'refuse L4'),
  to(
    'a file is missing',
    base.version('foo.2', [ada], { files: { 'files/a': 'b' } }).remove('packages/foo/foo.2/files/a'),
    'refuse L4',
  ),
  to('unsigned, no delegation', base.version('bar.1', []), 'serve foo.1.0; hold bar.1 P7'),
  to('by ada, no delegation', base.version('bar.1', [ada]), 'refuse L4 packages/bar/bar.1/signature'),
  to(
    'by bootstrap, no delegation',
    base.version('bar.1', [bootstrap1]),
    'refuse L4|P6 packages/bar/bar.1/signature',
  ),
  to('by RMs, no delegation', base.version('bar.1', [rm1, rm2]), 'serve foo.1.0; serve bar.1'),
  from(
    'gains a signature, RMs',
    base.version('bar.1', []),
    base.version('bar.1', [rm1, rm2]),
    'serve foo.1.0; serve bar.1',
  ),
  from(
    'gains a signature, ada',
    base.version('bar.1', []),
    base.version('bar.1', [ada]),
    'refuse L4 packages/bar/bar.1/signature',
  ),
  from(
    'gains a signature in a delegated name',
    base.version('foo.2', []),
    base.version('foo.2', [ada]),
    'serve foo.1.0; serve foo.2',
  ),
  from(
    'gains a signature of another',
    base.version('foo.2', []),
    base.version('foo.2', [bob]),
    `refuse L4 ${newSig('foo.2')}`,
  ),
  from(
    'unsigned that stood changes',
    base.version('foo.2', []),
    base.version('foo.2', [], { opam: 'x' }),
    'serve foo.1.0; hold foo.2',
  ),
  from(
    'blocked',
    base.delegate('bar', [], rm1),
    base.delegate('bar', [], rm1).version('bar.1', [rm1, rm2]),
    'refuse L4|P5',
  ),
  from(
    'blocked, unsigned',
    base.delegate('bar', [], rm1),
    base.delegate('bar', [], rm1).version('bar.1', []),
    'refuse L4|P5',
  ),
  from(
    'invalid delegation, ada',
    base.put('packages/bar/delegation', '('),
    base.put('packages/bar/delegation', '(').version('bar.1', [ada]),
    'refuse L4',
  ),
  from(
    'invalid delegation, RMs',
    base.put('packages/bar/delegation', '('),
    base.put('packages/bar/delegation', '(').version('bar.1', [rm1, rm3]),
    'serve foo.1.0; serve bar.1',
  ),
  to('at threshold verified-key', base.version('foo.2', [ada]), 'hold foo.1.0 P7; hold foo.2 P7', {
    threshold: 'verified-key',
  }),
]);
