/** L1, L3, L6 and T3: delegations in a step. */
import { describe, expect, test } from 'vitest';
import { ada, bob, ed25519, eve, rm1, rm2, rm3, type Signer } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { line, rules, says, step } from '../../support/signed-verdicts.ts';

type Row = [string, SignedRepository, SignedRepository, string];
const check = async (_: string, from: SignedRepository, to: SignedRepository, expected: string) => {
  expect(rules(await step(from, to))).toBe(expected);
  expect(rules(await line([from, to]))).toBe(expected);
};

const PATH = 'packages/foo/delegation';
const keys = repository().key(ada).key(bob).key(eve);
/** bob's key signed by ada, an RM, or both. */
const bobBy = (...by: Signer[]) =>
  repository()
    .key(ada)
    .key(bob, ...by)
    .key(eve);
const allByRm = repository().key(ada, rm1).key(bob, rm2).key(eve);

describe('L3: a new delegation', () => {
  const two = [ada.id, bob.id];
  const unsigned = keys.version('foo.1.0', []);
  test.each<Row>([
    ['signed by its delegate', keys, keys.delegate('foo', [ada.id], ada), 'accept'],
    ['signed by a constrained delegate', keys, keys.delegate('foo', [`${ada.id} {= "1"}`], ada), 'accept'],
    ['not signed', keys, keys.delegate('foo', [ada.id]), 'refuse L3'],
    ['signed by another', keys, keys.delegate('foo', [ada.id], eve), 'refuse L3'],
    ['signed by an RM, its delegate’s key by none', keys, keys.delegate('foo', [ada.id], rm1), 'refuse L3'],
    ['signed by an RM, as its delegate’s key is', allByRm, allByRm.delegate('foo', [ada.id], rm3), 'accept'],
    [
      'altered after signing',
      keys,
      keys.delegate('foo', [ada.id], ada).edit(PATH, (text) => `${text}x-a: "1"\n`),
      'refuse L3',
    ],
    ['invalid', keys, keys.put(PATH, 'x'), 'refuse L3'],
    [
      'with a constraint that is none',
      keys,
      keys.delegate('foo', [ada.id, `${bob.id} {build}`], ada),
      'refuse L3',
    ],
    [
      'of another name',
      keys,
      keys.put(PATH, keys.delegate('bar', [ada.id], ada).files.get('packages/bar/delegation') ?? ''),
      'refuse L3',
    ],
    [
      'two delegates, one signs, the other’s key signed by nobody',
      keys,
      keys.delegate('foo', two, ada),
      'refuse L3',
    ],
    [
      'two delegates, one signs, and has signed the other’s key',
      bobBy(ada),
      bobBy(ada).delegate('foo', two, ada),
      'accept',
    ],
    [
      'two delegates, one signs, an RM has signed the other’s key',
      bobBy(rm1),
      bobBy(rm1).delegate('foo', two, ada),
      'accept',
    ],
    ['two delegates, the other signs', bobBy(ada), bobBy(ada).delegate('foo', two, bob), 'refuse L3'],
    [
      'two delegates, both sign, neither alone vouches for all',
      keys,
      keys.delegate('foo', two, ada, bob),
      'refuse L3',
    ],
    [
      'two delegates, an RM signs, one key bears an RM’s signature',
      bobBy(rm1),
      bobBy(rm1).delegate('foo', two, rm1),
      'refuse L3',
    ],
    ['two delegates, an RM signs, both keys bear one', allByRm, allByRm.delegate('foo', two, rm3), 'accept'],
    ['a delegate without a key', keys, keys.delegate('foo', [ada.id, 'nobody'], ada), 'refuse L3'],
    [
      'a delegate whose key does not count',
      keys.keyBy(bob),
      keys.keyBy(bob).delegate('foo', two, ada),
      'refuse L3',
    ],
    [
      'key and delegation in one step',
      repository(),
      repository().key(ada).delegate('foo', [ada.id], ada),
      'accept',
    ],
    ['a name that has versions', unsigned, unsigned.delegate('foo', [ada.id], ada), 'refuse L3'],
    [
      'a name that has versions, and an RM signed',
      unsigned,
      unsigned.delegate('foo', [ada.id], ada, rm1),
      'hold foo.1.0 P5',
    ],
    [
      'versions that come in the same step',
      keys,
      keys.delegate('foo', [ada.id], ada).version('foo.1.0', [ada]),
      'serve foo.1.0',
    ],
    ['a blocked name by nobody', keys, keys.sign(PATH, 'name: "foo"\n'), 'refuse L3'],
    ['a blocked name by a developer', keys, keys.sign(PATH, 'name: "foo"\n', ada), 'refuse L3'],
    ['a blocked name by an RM', keys, keys.sign(PATH, 'name: "foo"\ndelegates: []\n', rm1), 'accept'],
    [
      'a blocked name that has versions, by an RM',
      unsigned,
      unsigned.sign(PATH, 'name: "foo"\n', rm1),
      'hold foo.1.0 P5',
    ],
  ])('%s', check);
});

describe('L6: a changed delegation', () => {
  const base = bobBy(ada);
  const by = (content: SignedRepository, delegates: readonly string[], ...signers: Signer[]) =>
    content.delegate('foo', delegates, ...signers);
  const old = by(base, [ada.id], ada);
  const both = [ada.id, bob.id];
  const byRm = by(base, [ada.id], ada, rm1);
  const constrained = by(base, [`${ada.id} {< "5"}`], ada);
  const blocked = base.sign(PATH, 'name: "foo"\n', rm1);
  const ada2 = ed25519(ada.id, 'another');
  test.each<Row>([
    ['by a former delegate for all versions', old, by(base, both, ada), 'accept'],
    ['by an RM quorum', old, by(base, [bob.id], rm1, rm2), 'accept'],
    ['by one RM', old, by(base, both, rm1), 'refuse L6'],
    ['by nobody', old, by(base, both), 'refuse L6'],
    ['by the new delegate only', old, by(base, both, bob), 'refuse L6'],
    ['by a stranger', old, by(base, both, eve), 'refuse L6'],
    [
      'by the former delegate, who gives it away wholly: the new one does not hold by itself',
      old,
      by(base, [bob.id], ada),
      'refuse L6',
    ],
    ['and with the new delegate it does', old, by(base, [bob.id], ada, bob), 'accept'],
    ['and with an RM it does', old, by(base, [bob.id], ada, rm1), 'accept'],
    ['a delegate passed over does not matter', old, by(base, [ada.id, 'nobody'], ada), 'accept'],
    ['by a former constrained delegate', constrained, by(base, [ada.id], ada), 'refuse L6'],
    [
      'by a former constrained delegate who has an entry without, too',
      by(base, [`${ada.id} {< "5"}`, ada.id], ada),
      by(base, both, ada),
      'accept',
    ],
    ['by an RM quorum over a constrained one', constrained, by(base, [ada.id], rm2, rm3), 'accept'],
    ['by a former delegate, where an RM had signed', byRm, by(base, both, ada), 'refuse L6'],
    ['by a former delegate and one RM, where an RM had signed', byRm, by(base, both, ada, rm1), 'refuse L6'],
    ['by an RM quorum, where an RM had signed', byRm, by(base, both, rm1, rm2), 'accept'],
    [
      'by a former delegate, where an RM’s signature did not hold',
      byRm.edit(PATH, (text) => text.replace(/("rm-1" "ed25519" ")../, '$1ff')),
      by(base, both, ada),
      'accept',
    ],
    [
      'by a former delegate who was passed over',
      by(base, [ada.id, bob.id], bob),
      by(base, [ada.id], ada),
      'refuse L6',
    ],
    ['by a former delegate of one that did not hold', by(base, [ada.id]), by(base, both, ada), 'refuse L6'],
    ['from an invalid one, by an RM quorum', base.put(PATH, 'x'), by(base, [ada.id], rm1, rm2), 'accept'],
    ['from an invalid one, by its delegate', base.put(PATH, 'x'), by(base, [ada.id], ada), 'refuse L6'],
    ['to an invalid one', old, base.put(PATH, 'x'), 'refuse L6'],
    ['an invalid one stays', base.put(PATH, 'x'), base.put(PATH, 'x').put('repo', ''), 'accept'],
    ['layout is no change', old, old.edit(PATH, (text) => text.replaceAll('\n', '\n\n')), 'accept'],
    ['a signature added', old, byRm, 'accept'],
    ['a delegate’s signature dropped: no change, it merely holds no more', old, by(base, [ada.id]), 'accept'],
    ['an RM’s signature dropped', byRm, old, 'refuse L6'],
    [
      'an RM’s signature dropped by an RM quorum',
      by(base, [ada.id], ada, rm1, rm2, rm3),
      by(base, [ada.id], ada, rm1, rm2),
      'accept',
    ],
    [
      'an RM’s signature dropped with keys/root’s',
      byRm,
      old.root({ date: '2026-02-01T00:00:00Z', maintainers: [rm2, rm3] }),
      'accept',
    ],
    ['blocked by a former delegate', old, base.sign(PATH, 'name: "foo"\n', ada), 'refuse L6'],
    ['blocked by a former delegate and an RM', old, base.sign(PATH, 'name: "foo"\n', ada, rm1), 'accept'],
    ['blocked by an RM quorum', old, base.sign(PATH, 'name: "foo"\n', rm1, rm2), 'accept'],
    ['unblocked by one RM', blocked, by(base, [ada.id], ada, rm1), 'refuse L6'],
    ['unblocked by an RM quorum', blocked, by(base, [ada.id], rm1, rm2), 'accept'],
    [
      'the former delegate’s key by the old state',
      old,
      by(base, both, ada, bob).keyBy(ada2, ada, ada2),
      'accept',
    ],
    ['and not by the new one', old, by(base, both, ada2).keyBy(ada2, ada, ada2), 'refuse L6'],
    [
      'an RM quorum by the new keys/root',
      old,
      by(base, [bob.id], rm1, rm2).root({ date: '2026-02-01T00:00:00Z', maintainers: [rm2, rm3] }),
      'refuse L6',
    ],
  ])('%s', check);
});

describe('L1 and T3: a delegation is removed', () => {
  const old = keys.delegate('foo', [ada.id], ada).version('foo.1.0', [ada]);
  const gone = old.remove(PATH);
  test('not without an RM tag', async () => {
    expect(says(await step(old, gone))).toBe(`refuse L1 ${PATH}`);
    expect(says(await line([old, gone]))).toBe(`refuse L1 ${PATH}`);
    expect(says(await line([keys.put(PATH, 'x'), keys]))).toBe(`refuse L1 ${PATH}`);
  });

  test('with one; what it delegated then counts for nothing', async () => {
    expect(says(await line([old, gone], { removalBy: [rm1, rm2] }))).toBe('hold foo.1.0 P5');
    expect(rules(await line([old, gone], { removalBy: [rm1] }))).toBe('refuse T3');
  });

  test('the tag allows nothing else', async () => {
    expect(
      rules(await line([old, gone.keyBy(eve).version('bar.1.0', [ada])], { removalBy: [rm1, rm2] })),
    ).toBe('refuse L4');
    expect(rules(await line([old, old.delegate('foo', [eve.id], eve)], { removalBy: [rm1, rm2] }))).toBe(
      'refuse L6',
    );
  });
});
