/** "Linearity", a step from an old tree to a new one: what changes (L5 to L7), V1, and `keys/root`. */
import {
  ada,
  bob,
  bootstrap1,
  ed25519,
  eve,
  rm1,
  rm2,
  rm3,
  root1,
  root2,
  root3,
} from '../../support/signed-keys.ts';
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
const ada2 = ed25519(ADA, 'second');
const ada2Key = base.key(ada2);
stepVectors('L5 changed keys', [
  to('by itself alone', ada2Key, `refuse L5 ${KEY}`),
  to('by the previous key', base.key(ada2, ada), 'hold foo.1.0'),
  to('by the previous key, not itself', base.keyBy(ada2, ada), `refuse L5 ${KEY}`),
  to('by an RM quorum', base.key(ada2, rm1, rm2), 'hold foo.1.0'),
  to('by one RM', base.key(ada2, rm1), `refuse L5 ${KEY}`),
  to(
    'by the new key and x-',
    base.sign(KEY, `x-a: 1 keys: [["${ADA}" "ed25519" "${ada.key}"]]\n`, ada),
    SERVED,
  ),
  to('becomes invalid', base.put(KEY, '('), `refuse L5 ${KEY}`),
  from('an RM less', base.key(ada, rm1), base, `refuse L5 ${KEY}`),
  from('an RM less, another more', base.key(ada, rm1), base.key(ada, rm2), `refuse L5 ${KEY}`),
  from('an RM less, a quorum', base.key(ada, rm1), base.key(ada, rm2, rm3), SERVED),
  from(
    'a revoked RM less',
    base.key(ada, rm3),
    base.root({ maintainers: [rm1, rm2], date: '2026-02-01T00:00:00Z' }),
    SERVED,
  ),
  from('an RM less and a new key, by the previous', base.key(ada, rm1), base.key(ada2, ada), 'hold foo.1.0'),
  from('an invalid one mended', base.put(KEY, '('), base, `refuse L5 ${KEY}`),
  from(
    'an invalid one changes',
    base.put('keys/dev/x', '('),
    base.put('keys/dev/x', ')'),
    'refuse L5 keys/dev/x',
  ),
  from('its own signature less', base, base.keyBy(ada), 'hold foo.1.0 P5'),
  from(
    'the version is signed again',
    base,
    base.key(ada2, ada).delegate('foo', [ADA], ada2).version('foo.1.0', [ada2]),
    SERVED,
  ),
]);

const two = base.key(bob, ada).delegate('foo', [ADA, BOB], ada);
const byRm = base.delegate('foo', [ADA], ada, rm1);
stepVectors('L6 changed delegations', [
  to('by the former delegate', two, SERVED),
  to('by the new delegate', base.delegate('foo', [BOB], bob).version('foo.1.0', [bob]), `refuse L6 ${DEL}`),
  to('by an RM quorum', base.key(bob, rm1).delegate('foo', [BOB], rm1, rm2), 'hold foo.1.0'),
  to('by one RM', base.key(bob, rm1).delegate('foo', [BOB], rm1), `refuse L6 ${DEL}`),
  to(
    'by the former delegate, who leaves; unsigned key',
    base.delegate('foo', [BOB], ada),
    `refuse L6 ${DEL}`,
  ),
  to('by both', base.delegate('foo', [BOB], ada, bob), 'hold foo.1.0'),
  from(
    'by a former constrained delegate',
    base.delegate('foo', [`${ADA} {> "0"}`], ada),
    base,
    `refuse L6 ${DEL}`,
  ),
  from('RM-signed, by the former delegate', byRm, two.delegate('foo', [ADA, BOB], ada), `refuse L6 ${DEL}`),
  from(
    'RM-signed, by the former delegate and one RM',
    byRm,
    two.delegate('foo', [ADA, BOB], ada, rm1),
    `refuse L6 ${DEL}`,
  ),
  from('RM-signed, by a quorum', byRm, two.delegate('foo', [ADA, BOB], ada, rm2, rm1), SERVED),
  from('RM signature dropped', byRm, base, `refuse L6 ${DEL}`),
  from('RM signature exchanged', byRm, base.delegate('foo', [ADA], ada, rm2), `refuse L6 ${DEL}`),
  from('RM signature exchanged by a quorum', byRm, base.delegate('foo', [ADA], rm3, rm2, ada), SERVED),
  to('blocked by a quorum', base.delegate('foo', [], rm1, rm2), 'hold foo.1.0 P5'),
  to('blocked by one RM', base.delegate('foo', [], rm1), `refuse L6 ${DEL}`),
  to('blocked by the delegate', base.delegate('foo', [], ada), `refuse L6 ${DEL}`),
  to('becomes invalid', base.put(DEL, '('), `refuse L6 ${DEL}`),
  from('invalid before, by a quorum', base.put(DEL, '('), base.delegate('foo', [ADA], ada, rm1, rm2), SERVED),
  from('invalid before, by the delegate', base.put(DEL, '('), base, `refuse L6 ${DEL}`),
  to('a new delegate is passed over', base.delegate('foo', [ADA, EVE], ada), SERVED),
  from(
    'a former delegate, key changed in the same step',
    base,
    base.key(ada2, ada).delegate('foo', [ADA, EVE], ada2),
    `refuse L6 ${DEL}`,
  ),
  from('unblocked by one RM', base.delegate('foo', [], rm1), base, `refuse L6 ${DEL}`),
  from(
    'unblocked by a quorum',
    base.delegate('foo', [], rm1),
    base.delegate('foo', [ADA], ada, rm1, rm2),
    SERVED,
  ),
]);

const other = { opam: 'opam-version: "2.0"\n' };
stepVectors('L7 changed versions', [
  to('by the delegate', base.version('foo.1.0', [ada], other), SERVED),
  to('by RMs', base.version('foo.1.0', [rm1, rm3], other), SERVED),
  to('by one RM', base.version('foo.1.0', [rm1], other), 'refuse L7'),
  to('by another', base.version('foo.1.0', [bob], other), 'refuse L7'),
  to('the file alone', base.put('packages/foo/foo.1.0/opam', ''), 'refuse L7'),
  to('invalid', base.put(SIG, '('), `refuse L7 ${SIG}`),
  to(
    'signatures dropped',
    base.edit(SIG, (text) => text.replace(/signature: .*\n/, '')),
    SERVED.replace('serve', 'hold'),
  ),
  from(
    'bootstrap by ada',
    base.version('bar.1', [bootstrap1]),
    base.version('bar.1', [ada]),
    'serve foo.1.0; hold bar.1',
  ),
  from(
    'bootstrap by RMs',
    base.version('bar.1', [bootstrap1]),
    base.version('bar.1', [rm1, rm2], other),
    'serve foo.1.0; serve bar.1',
  ),
  from('weak', base, base.version('foo.1.0', [ada], { ...other, kinds: ['md5'] }), 'hold foo.1.0 P8'),
  from('invalid before, mended', base.put(SIG, '('), base, SERVED),
  from('invalid before, mended by another', base.put(SIG, '('), base.version('foo.1.0', [bob]), 'refuse L7'),
  from('a file that stood and was missing returns', base.remove('packages/foo/foo.1.0/opam'), base, SERVED),
]);

stepVectors('V1', [
  to('equal to one that stands', base.version('foo.1.00', [ada]), 'refuse V1'),
  to(
    'unsigned, equal',
    base.version('bar.1', []).version('bar.1.0', []),
    'serve foo.1.0; hold bar.1; hold bar.1.0',
  ),
  to('unsigned, two new equal', base.version('bar.1', []).version('bar.01', []), 'refuse V1; refuse V1'),
  from(
    'pairs that stand',
    base.version('bar.1', []).version('bar.01', []),
    base.version('bar.1', []).version('bar.01', []),
    'serve foo.1.0; hold bar.01; hold bar.1',
  ),
  from(
    'one goes, one comes',
    base.version('bar.1', []),
    base.version('bar.01', []),
    'serve foo.1.0; hold bar.01',
  ),
]);

const newer = { date: '2026-02-01T00:00:00Z' };
stepVectors('keys/root', [
  to('newer', base.root(newer), SERVED),
  to('older', base.root({ date: '2025-12-31T23:59:59Z' }), 'refuse P3 keys/root'),
  to('of the same date, other bytes', base.root({ more: 'x-a: 1' }), 'refuse P3 keys/root'),
  to('the same, without signatures', base.root({ by: [] }), SERVED),
  to('missing', base.remove('keys/root'), 'refuse'),
  to('invalid', base.root({ ...newer, more: 'a: 1' }), 'refuse FORM keys/root'),
  to('by one', base.root({ ...newer, by: [root1] }), 'refuse P2|P3|SIG keys/root'),
  to('a new root key', base.root({ ...newer, roots: [root1, root2, root3], rootQuorum: 2 }), SERVED),
  to(
    'all exchanged, all sign',
    base.root({ ...newer, roots: [root3], rootQuorum: 1, by: [root1, root2, root3] }),
    SERVED,
    { anchors: [] },
  ),
  to(
    'all exchanged, the old sign',
    base.root({ ...newer, roots: [root3], rootQuorum: 1, by: [root1, root2] }),
    'refuse P2|P3|SIG keys/root',
    { anchors: [] },
  ),
  to(
    'all exchanged, the new signs',
    base.root({ ...newer, roots: [root3], rootQuorum: 1, by: [root3] }),
    'refuse P2|P3|P4|SIG keys/root',
    { anchors: [] },
  ),
  from(
    'an expired quorum',
    base.root({ roots: [[root1, '2026-03-01T00:00:00Z'], root2] }),
    base.root(newer),
    'refuse P3 keys/root',
  ),
  from(
    'an expired quorum, the same file',
    base.root({ roots: [[root1, '2026-03-01T00:00:00Z'], root2] }),
    base.root({ roots: [[root1, '2026-03-01T00:00:00Z'], root2] }),
    SERVED,
  ),
  to('in the future', base.root({ date: '2026-06-01T13:05:01Z' }), 'refuse P3 keys/root'),
  to(
    'RMs exchanged, the new judge',
    base.root({ ...newer, maintainers: [eve.as('rm-9')] }).version('foo.2', [eve.as('rm-9')]),
    'serve foo.1.0; serve foo.2',
  ),
  to(
    'RMs exchanged, the old do not',
    base.root({ ...newer, maintainers: [eve.as('rm-9')] }).version('foo.2', [rm1, rm2]),
    'refuse L4',
  ),
  to('a role takes a developer id', base.root({ ...newer, snapshots: [eve.as(ADA)] }), 'hold foo.1.0'),
]);
