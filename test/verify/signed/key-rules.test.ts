/** L1, L2, L5 and T2: developer keys in a step. */
import { describe, expect, test } from 'vitest';
import { ada, bob, ed25519, eve, rm1, rm2, rm3, type Signer } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { line, rules, step } from '../../support/signed-verdicts.ts';

type Row = [string, SignedRepository, SignedRepository, string];
const check = async (_: string, from: SignedRepository, to: SignedRepository, expected: string) => {
  expect(rules(await step(from, to))).toBe(expected);
  // The same step as a commit.
  expect(rules(await line([from, to]))).toBe(expected);
};

const empty = repository();
const PATH = 'keys/dev/ada@example.org';
const known = empty.key(ada);

describe('L2: a new key', () => {
  const named = empty.key(bob).delegate('foo', [bob.id, ada.id], bob);
  test.each<Row>([
    ['signed by itself', empty, known, 'accept'],
    ['and by an RM', empty, empty.key(ada, rm1), 'accept'],
    ['not signed', empty, empty.keyBy(ada), 'refuse L2'],
    ['signed by an RM only', empty, empty.keyBy(ada, rm1), 'refuse L2'],
    ['signed by an RM quorum only', empty, empty.keyBy(ada, rm1, rm2), 'refuse L2'],
    ['signed by another', empty, empty.keyBy(ada, eve), 'refuse L2'],
    ['altered after signing', empty, known.edit(PATH, (text) => `${text}x-a: "1"\n`), 'refuse L2'],
    ['invalid', empty, empty.put(PATH, 'keys: []\n'), 'refuse L2'],
    ['no opam syntax', empty, empty.put(PATH, '{'), 'refuse L2'],
    [
      'a bad key',
      empty,
      empty.put(PATH, `keys: [["${ada.id}" "ed25519" "${'00'.repeat(32)}"]]\n`),
      'refuse L2',
    ],
    ['a file name that is no id', empty, empty.put('keys/dev/.ada', 'x'), 'refuse L2'],
    ['an id that folds to another’s', known, known.key(ed25519('ADA@example.org')), 'refuse L2'],
    [
      'an id that folds to another’s, signed by an RM quorum',
      known,
      known.key(ed25519('ADA@example.org'), rm1, rm2),
      'refuse L2',
    ],
    ['an id of keys/root', empty, empty.key(eve.as('rm-1')), 'refuse L2'],
    ['an id of keys/root, folded', empty, empty.key(eve.as('RM-1')), 'refuse L2'],
    ['named by a standing delegation', named, named.key(ada), 'refuse L2'],
    ['named by one, and signed by its other delegate', named, named.key(ada, bob), 'refuse L2'],
    ['named by one, and signed by an RM', named, named.key(ada, rm1), 'accept'],
    [
      'named by one in other letters',
      named.delegate('foo', [bob.id, 'ADA@example.org'], bob),
      named.delegate('foo', [bob.id, 'ADA@example.org'], bob).key(ada),
      'refuse L2',
    ],
    [
      'named by one with a constraint',
      named.delegate('foo', [bob.id, `${ada.id} {< "1"}`], bob),
      named.delegate('foo', [bob.id, `${ada.id} {< "1"}`], bob).key(ada),
      'refuse L2',
    ],
    [
      'named by one that does not hold',
      empty.delegate('foo', [ada.id]),
      empty.delegate('foo', [ada.id]).key(ada),
      'refuse L2',
    ],
    ['named by a delegation of the same step', empty, known.delegate('foo', [ada.id], ada), 'accept'],
    [
      'named by a compiler’s',
      empty.compilerDelegate('fp', [ada.id], rm1),
      empty.compilerDelegate('fp', [ada.id], rm1).key(ada),
      'refuse L2',
    ],
  ])('%s', check);
});

const ada2 = ed25519(ada.id, 'the new key of ada');

describe('L5: a changed key', () => {
  const by = (...signers: Signer[]) => empty.keyBy(ada2, ...signers);
  const vouched = empty.key(ada, rm1);
  const two = empty.key(ada, rm1, rm2);
  test.each<Row>([
    ['signed by the previous key and itself', known, by(ada, ada2), 'accept'],
    ['signed by an RM quorum and itself', known, by(ada2, rm1, rm2), 'accept'],
    ['signed by itself only', known, by(ada2), 'refuse L5'],
    ['signed by the previous key only', known, by(ada), 'refuse L5'],
    ['signed by itself and one RM', known, by(ada2, rm1), 'refuse L5'],
    ['signed by an RM quorum, and not by itself', known, by(rm1, rm2), 'refuse L5'],
    ['the previous key of an unusable file is none', empty.keyBy(ada), by(ada, ada2), 'refuse L5'],
    ['from an unusable file by an RM quorum', empty.keyBy(ada), by(ada2, rm1, rm2), 'accept'],
    ['from an invalid file by an RM quorum', empty.put(PATH, 'x'), by(ada2, rm1, rm2), 'accept'],
    ['to an invalid file', known, empty.put(PATH, 'x'), 'refuse L5'],
    ['an invalid one to another', empty.put(PATH, 'x'), empty.put(PATH, 'y'), 'refuse L5'],
    ['an invalid one stays', empty.put(PATH, 'x'), empty.put(PATH, 'x').put('repo', ''), 'accept'],
    [
      'other fields by the previous key',
      known,
      empty.sign(PATH, `keys: [["${ada.id}" "ed25519" "${ada.key}"]]\nx-a: "1"\n`, ada),
      'accept',
    ],
    ['other fields by nobody', known, known.edit(PATH, (text) => `${text}x-a: "1"\n`), 'refuse L5'],
    ['layout is no change', known, known.edit(PATH, (text) => `# hello\n${text}`), 'accept'],
    ['a signature added', known, vouched, 'accept'],
    ['a developer’s signature dropped', empty.key(ada, eve), known, 'accept'],
    ['an RM’s signature dropped', vouched, known, 'refuse L5'],
    ['an RM’s signature dropped by the key itself, anew', vouched, empty.key(ada, eve), 'refuse L5'],
    ['an RM’s signature dropped by an RM quorum', empty.key(ada, rm1, rm2, rm3), two, 'accept'],
    ['one of two dropped: no quorum is left', two, vouched, 'refuse L5'],
    ['one RM for another: no quorum', vouched, empty.key(ada, rm2), 'refuse L5'],
    [
      'an RM’s signature that no longer verifies dropped',
      vouched.edit(PATH, (text) => text.replace(/("rm-1" "ed25519" ")../, '$1ff')),
      known,
      'accept',
    ],
    ['an RM’s signature of before, over a key that changed', vouched, by(ada, ada2), 'accept'],
    [
      'dropped when keys/root drops the RM',
      vouched,
      known.root({ date: '2026-02-01T00:00:00Z', maintainers: [rm2, rm3] }),
      'accept',
    ],
    [
      'an RM quorum by the new keys/root',
      known,
      by(ada2, rm1, rm2).root({ date: '2026-02-01T00:00:00Z', maintainers: [rm1, rm3] }),
      'refuse L5',
    ],
    [
      'an RM quorum that is new with keys/root',
      known,
      by(ada2, eve).root({ date: '2026-02-01T00:00:00Z', maintainers: [eve] }),
      'accept',
    ],
  ])('%s', check);

  test('signatures by the old key no longer hold: versions sink until they are signed again', async () => {
    const old = known.delegate('foo', [ada.id], ada, rm1).version('foo.1.0', [ada]);
    const changed = old.keyBy(ada2, ada, ada2, rm1);
    expect(rules(await step(old, changed))).toBe('hold foo.1.0 SIG');
    expect(rules(await step(changed, changed.version('foo.1.0', [ada2])))).toBe('serve foo.1.0');
  });
});

describe('L1 and T2: a key is removed', () => {
  const both = [rm1, rm2];
  test('not without an RM tag', async () => {
    expect(rules(await step(known, empty))).toBe('refuse L1');
    expect(rules(await line([known, empty]))).toBe('refuse L1');
    expect(rules(await line([empty.put(PATH, 'x'), empty]))).toBe('refuse L1');
  });

  test('with one', async () => {
    expect(rules(await line([known, empty], { removalBy: both }))).toBe('accept');
    expect(rules(await line([known, empty], { removalBy: [rm1] }))).toBe('refuse T2');
  });

  test('an id that comes back inherits nothing', async () => {
    const old = known.delegate('foo', [ada.id], ada).version('foo.1.0', [ada]);
    const removed = old.remove(PATH);
    expect(rules(await line([old, removed], { removalBy: both }))).toBe('hold foo.1.0 P5');
    const back = removed.keyBy(ada2, ada2);
    expect(rules(await step(removed, back))).toBe('refuse L2');
    expect(rules(await step(removed, removed.keyBy(ada2, ada, ada2)))).toBe('refuse L2');
    expect(rules(await step(removed, back.keyBy(ada2, ada2, rm1)))).toBe('hold foo.1.0 P5');
  });

  test('in other letters it is another key, and no change of the first', async () => {
    const named = known.delegate('foo', [ada.id], ada);
    const renamed = named.remove(PATH).key(ed25519('Ada@example.org'));
    expect(rules(await line([named, renamed], { removalBy: both }))).toBe('refuse L2');
  });
});
