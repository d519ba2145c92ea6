/** L1, L4, L7, T1 and V1: versions in a step. */
import { describe, expect, test } from 'vitest';
import { createSignedDialect } from '../../../src/verify/signed/dialect.ts';
import { MemoryHistory, type SnapshotSpec } from '../../support/signed-history.ts';
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
  type Signer,
} from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { type Circumstances, line, lineOf, readGit, rules, step } from '../../support/signed-verdicts.ts';

type Row = [string, SignedRepository, SignedRepository, string];
const checkWith =
  (circumstances: Circumstances) =>
  async (_: string, from: SignedRepository, to: SignedRepository, expected: string) => {
    expect(rules(await step(from, to, circumstances))).toBe(expected);
    expect(rules(await line([from, to], circumstances))).toBe(expected);
  };
const check = checkWith({});

const FOLDER = 'packages/foo/foo.1.0';
const SIGNATURE = `${FOLDER}/signature`;
const keys = repository().key(ada).key(bob).key(eve);
const delegated = keys.delegate('foo', [ada.id, `${bob.id} {>= "2.0"}`], ada).keyBy(bob, bob, ada);
const later = { date: '2026-02-01T00:00:00Z' };

describe('L4: a new version of a delegated name', () => {
  const differing = delegated.version('foo.1.0', [ada]).put(`${FOLDER}/opam`, 'x');
  test.each<Row>([
    ['signed by a delegate', delegated, delegated.version('foo.1.0', [ada]), 'serve foo.1.0'],
    ['signed by a delegate for it', delegated, delegated.version('foo.2.0', [bob]), 'serve foo.2.0'],
    ['signed by a delegate for others', delegated, delegated.version('foo.1.0', [bob]), 'refuse L4'],
    ['signed by an RM quorum', delegated, delegated.version('foo.1.0', [rm1, rm2]), 'serve foo.1.0'],
    ['signed by one RM', delegated, delegated.version('foo.1.0', [rm1]), 'refuse L4'],
    ['signed by a stranger', delegated, delegated.version('foo.1.0', [eve]), 'refuse L4'],
    ['signed by the bootstrap key', delegated, delegated.version('foo.1.0', [bootstrap1]), 'refuse L4'],
    ['not signed', delegated, delegated.version('foo.1.0', []), 'refuse L4'],
    ['only a file of it, not signed', delegated, delegated.put(`${FOLDER}/files/x`, ''), 'refuse L4'],
    [
      'a signature that does not hold',
      delegated,
      delegated.version('foo.1.0', [ada]).edit(SIGNATURE, (text) => `${text}x-a: "1"\n`),
      'refuse L4',
    ],
    [
      'an invalid signature file',
      delegated,
      delegated.version('foo.1.0', [ada]).put(SIGNATURE, 'x'),
      'refuse L4',
    ],
    ['a file that differs', delegated, differing, 'refuse L4'],
    [
      'a file that is missing',
      delegated,
      delegated.version('foo.1.0', [ada]).remove(`${FOLDER}/opam`),
      'refuse L4',
    ],
    [
      'another version’s signature',
      delegated,
      delegated
        .version('foo.1.0', [ada])
        .put(
          SIGNATURE,
          delegated.version('foo.1.1', [ada]).files.get('packages/foo/foo.1.1/signature') ?? '',
        ),
      'refuse L4',
    ],
    [
      'a delegation that does not hold',
      delegated.delegate('foo', [ada.id]),
      delegated.delegate('foo', [ada.id]).version('foo.1.0', [ada]),
      'refuse L4',
    ],
    [
      'an RM quorum, where it does not hold',
      delegated.delegate('foo', [ada.id]),
      delegated.delegate('foo', [ada.id]).version('foo.1.0', [rm1, rm2]),
      'serve foo.1.0',
    ],
    [
      'a blocked name, by an RM quorum',
      keys.sign('packages/foo/delegation', 'name: "foo"\n', rm1),
      keys.sign('packages/foo/delegation', 'name: "foo"\n', rm1).version('foo.1.0', [rm1, rm2]),
      'refuse L4',
    ],
    [
      'the new delegation decides',
      delegated,
      delegated.delegate('foo', [eve.id], rm1, rm2, eve).version('foo.1.0', [eve]),
      'serve foo.1.0',
    ],
    [
      'and no more the old one',
      delegated,
      delegated.delegate('foo', [eve.id], rm1, rm2, eve).version('foo.1.0', [ada]),
      'refuse L4',
    ],
    [
      'with key and delegation, all new',
      repository(),
      repository().key(ada).delegate('foo', [ada.id], ada).version('foo.1.0', [ada]),
      'serve foo.1.0',
    ],
    [
      'an RM quorum by the new keys/root',
      delegated,
      delegated.root({ ...later, maintainers: [rm2, rm3] }).version('foo.1.0', [rm1, rm2]),
      'refuse L4',
    ],
  ])('%s', check);
});

describe('L4: a signature file that a version gains', () => {
  const stood = repository().key(ada).version('foo.1.0', []);
  const since = stood.delegate('foo', [ada.id], ada, rm1);
  const undelegated = repository().version('foo.1.0', []);
  test.each<Row>([
    ['by a delegate', since, since.version('foo.1.0', [ada]), 'serve foo.1.0'],
    ['by a stranger', since, since.version('foo.1.0', [eve]), 'refuse L4'],
    [
      'by a delegate, but of another file',
      since,
      since.version('foo.1.0', [ada]).put(`${FOLDER}/opam`, 'x'),
      'refuse L4',
    ],
    ['invalid', since, since.put(SIGNATURE, 'x'), 'refuse L4'],
    [
      'without a delegation, by an RM quorum',
      undelegated,
      undelegated.version('foo.1.0', [rm1, rm2]),
      'serve foo.1.0',
    ],
    ['without a delegation, by one RM', undelegated, undelegated.version('foo.1.0', [rm1]), 'refuse L4'],
    [
      'without a delegation, by the bootstrap key',
      undelegated,
      undelegated.version('foo.1.0', [bootstrap1]),
      'refuse L4',
    ],
    [
      'in a blocked name, by an RM quorum',
      undelegated.sign('packages/foo/delegation', 'name: "foo"\n', rm1),
      undelegated.sign('packages/foo/delegation', 'name: "foo"\n', rm1).version('foo.1.0', [rm1, rm2]),
      'refuse L4',
    ],
  ])('%s', check);
});

describe('L4: names without a delegation', () => {
  const empty = repository();
  test.each<Row>([
    ['gain unsigned versions', empty, empty.version('foo.1.0', []), 'serve foo.1.0'],
    ['gain versions of an RM quorum', empty, empty.version('foo.1.0', [rm1, rm2]), 'serve foo.1.0'],
    ['no others', empty, empty.version('foo.1.0', [ada]), 'refuse L4'],
    [
      'unsigned ones may change',
      empty.version('foo.1.0', []),
      empty.version('foo.1.0', [], { opam: 'x' }),
      'serve foo.1.0',
    ],
    ['and go', empty.version('foo.1.0', []), empty, 'accept'],
  ])('%s', checkWith({ threshold: 'any' }));

  test('unsigned versions of a delegated name may change and go', async () => {
    const since = repository().key(ada).version('foo.1.0', []).delegate('foo', [ada.id], ada, rm1);
    expect(rules(await step(since, since.version('foo.1.0', [], { opam: 'x' })))).toBe('hold foo.1.0 P5');
    expect(rules(await step(since, since.remove(FOLDER)))).toBe('accept');
  });
});

describe('L7: a signed version changes', () => {
  const old = delegated.version('foo.1.0', [ada], { files: { 'files/a': 'a' } });
  const changed = (...by: Signer[]) =>
    old.version('foo.1.0', by, { opam: 'opam-version: "2.0"\n', files: { 'files/a': 'a' } });
  const quorum = delegated.version('foo.1.0', [ada, rm1, rm2]);
  const ada2 = ed25519(ada.id, 'another');
  test.each<Row>([
    ['by a delegate for it', old, changed(ada), 'serve foo.1.0'],
    ['by an RM quorum', old, changed(rm1, rm2), 'serve foo.1.0'],
    ['by one RM', old, changed(rm1), 'refuse L7'],
    ['by a delegate for others', old, changed(bob), 'refuse L7'],
    ['by a stranger', old, changed(eve), 'refuse L7'],
    ['by nobody', old, changed(ada).edit(SIGNATURE, (text) => text.replace(/signature:.*/, '')), 'refuse L7'],
    ['to an invalid one', old, old.put(SIGNATURE, 'x'), 'refuse L7'],
    ['a listed file alone', old, old.put(`${FOLDER}/opam`, 'x'), 'refuse L7'],
    ['a listed file removed', old, old.remove(`${FOLDER}/files/a`), 'refuse L7'],
    ['the opam file removed', old, old.remove(`${FOLDER}/opam`), 'refuse L7'],
    [
      'a file that it does not list is no part of it',
      old,
      old.put(`${FOLDER}/files/b`, 'b'),
      'serve foo.1.0',
    ],
    ['a field added by nobody', old, old.edit(SIGNATURE, (text) => `${text}x-a: "1"\n`), 'refuse L7'],
    ['layout is no change', old, old.edit(SIGNATURE, (text) => `# hello\n${text}`), 'serve foo.1.0'],
    [
      'an erased field is no change',
      old,
      old.edit(SIGNATURE, (text) => `${text}archive: []\n`),
      'serve foo.1.0',
    ],
    [
      'a signature added',
      old,
      old.version('foo.1.0', [ada, rm1], { files: { 'files/a': 'a' } }),
      'serve foo.1.0',
    ],
    [
      'a delegate’s signature dropped is no change',
      quorum,
      delegated.version('foo.1.0', [rm1, rm2]),
      'serve foo.1.0',
    ],
    [
      'an RM’s signature dropped, and a delegate’s holds',
      quorum,
      delegated.version('foo.1.0', [ada, rm1]),
      'serve foo.1.0',
    ],
    [
      'an RM’s signature dropped, and no delegate’s holds',
      delegated.version('foo.1.0', [rm1, rm2]),
      delegated.version('foo.1.0', [rm1]),
      'refuse L7',
    ],
    [
      'an RM’s signature dropped, and a quorum is left',
      delegated.version('foo.1.0', [rm1, rm2, rm3]),
      delegated.version('foo.1.0', [rm1, rm2]),
      'serve foo.1.0',
    ],
    [
      'an RM’s signature dropped that no longer counts',
      delegated.version('foo.1.0', [rm1, rm2]),
      delegated.version('foo.1.0', [rm2]).root({ ...later, maintainers: [rm2, rm3] }),
      'hold foo.1.0 P2',
    ],
    [
      'the delegation changes in the step: the new one decides',
      old,
      changed(ada).delegate('foo', [eve.id], rm1, rm2, eve),
      'refuse L7',
    ],
    ['for the new delegate', old, changed(eve).delegate('foo', [eve.id], rm1, rm2, eve), 'serve foo.1.0'],
    [
      'the signer’s key changes: the version sinks, and is no violation',
      old,
      old.keyBy(ada2, ada, ada2),
      'hold foo.1.0 P5',
    ],
    [
      'in a name without a delegation, by an RM quorum',
      repository().version('foo.1.0', [bootstrap1]),
      repository().version('foo.1.0', [rm1, rm2], { opam: '' }),
      'serve foo.1.0',
    ],
    [
      'in a name without a delegation, by the bootstrap key',
      repository().version('foo.1.0', [bootstrap1]),
      repository().version('foo.1.0', [bootstrap1], { opam: '' }),
      'refuse L7',
    ],
    ['from an invalid signature file, by a delegate', old.put(SIGNATURE, 'x'), old, 'serve foo.1.0'],
    [
      'from an invalid signature file, by nobody',
      old.put(SIGNATURE, 'x'),
      old.put(SIGNATURE, 'y'),
      'refuse L7',
    ],
    [
      'an invalid one stays',
      old.put(SIGNATURE, 'x'),
      old.put(SIGNATURE, 'x').put('repo', ''),
      'hold foo.1.0 FORM',
    ],
    ['a version that differed is mended', old.put(`${FOLDER}/opam`, 'x'), old, 'serve foo.1.0'],
    [
      'a version that differed differs otherwise',
      old.put(`${FOLDER}/opam`, 'x'),
      old.put(`${FOLDER}/opam`, 'y'),
      'refuse L7',
    ],
  ])('%s', check);
});

describe('L1 and T1: removal', () => {
  const old = delegated.version('foo.1.0', [ada]);
  const both = [rm1, rm2];
  const invalid = delegated.version('foo.1.0', [ada]).put(SIGNATURE, 'x');
  test.each<[string, SignedRepository, SignedRepository, readonly Signer[] | undefined, string]>([
    ['a signed version', old, delegated, undefined, 'refuse L1'],
    ['a version whose signature is invalid', invalid, delegated, undefined, 'refuse L1'],
    ['its signature file alone', old, old.remove(SIGNATURE), undefined, 'refuse L1'],
    ['with an RM tag', old, delegated, both, 'accept'],
    ['with an RM tag, its signature file alone', old, old.remove(SIGNATURE), both, 'refuse L1'],
    ['with a tag of one RM', old, delegated, [rm1], 'refuse T1'],
    ['with a tag of one RM twice', old, delegated, [rm1, rm1], 'refuse T1'],
    ['with a tag of others', old, delegated, [ada, root1], 'refuse T1'],
    [
      'the tag allows nothing else: a change',
      old.version('foo.1.1', [ada]),
      old.version('foo.1.1', [eve], { opam: '' }).remove(FOLDER),
      both,
      'refuse L7',
    ],
    [
      'the tag allows nothing else: a new version',
      old,
      delegated.version('foo.1.1', [eve]),
      both,
      'refuse L4',
    ],
    [
      'RMs by the new keys/root',
      old,
      delegated.root({ ...later, maintainers: [rm2, rm3] }),
      both,
      'refuse T1',
    ],
  ])('%s', async (_, from, to, removalBy, expected) => {
    expect(rules(await line([from, to], removalBy === undefined ? {} : { removalBy }))).toBe(expected);
  });

  const withTag = async (spec: SnapshotSpec, at: 'removal' | 'before' | 'after' = 'removal') => {
    const { history, commits } = lineOf([
      old,
      old.put('repo', ''),
      delegated,
      delegated.put('repo', 'x: 1\n'),
    ]);
    const [from = '', before = '', removal = '', to = ''] = commits;
    const at2 = { removal, before, after: to }[at];
    history.allowRemoval(at2, both, spec).snapshot(to);
    const dialect = createSignedDialect({ trust: { kind: 'none' }, threshold: 'signed' });
    const trusted = await dialect.adopt(history.treeOf(from), { commit: from });
    return rules(await readGit(history, to, trusted, { trust: { kind: 'none' } }));
  };
  test.each<[string, Promise<string>, string]>([
    ['at the step’s commit', withTag({}), 'accept'],
    ['at the commit before', withTag({}, 'before'), 'refuse L1'],
    ['at the commit after', withTag({}, 'after'), 'refuse L1'],
    ['that calls itself otherwise', withTag({ tag: { tag: 'rm/x' } }), 'refuse T1'],
    ['that tags another commit', withTag({ tag: { object: '0'.repeat(40) } }), 'refuse T1'],
    ['that tags a tag', withTag({ tag: { type: 'tag' } }), 'refuse T1'],
    ['that speaks of another commit', withTag({ commit: '0'.repeat(40) }), 'refuse T1'],
    ['with a message that is none', withTag({ tag: { message: Buffer.from('x') } }), 'refuse T1'],
  ])('a tag %s', async (_, said, expected) => {
    expect(await said).toBe(expected);
  });

  test('a lightweight tag', async () => {
    const { history, commits } = lineOf([old, delegated]);
    const [from = '', to = ''] = commits;
    history.snapshot(to).setTag(`rm/${to}`, { kind: 'lightweight' });
    const dialect = createSignedDialect({ trust: { kind: 'none' }, threshold: 'signed' });
    const trusted = await dialect.adopt(history.treeOf(from), { commit: from });
    expect(rules(await readGit(history, to, trusted, { trust: { kind: 'none' } }))).toBe('refuse T1');
  });

  test('where the upstream is not git there are no RM tags', async () => {
    expect(new MemoryHistory()).toBeDefined();
    expect(rules(await step(old, delegated))).toBe('refuse L1');
  });
});

describe('V1: a new version that compares equal to another', () => {
  const old = delegated.version('foo.1.0', [ada]);
  const pair = old.version('foo.1.00', [ada]);
  test.each<Row>([
    ['of the same name', old, pair, 'refuse V1'],
    ['both new', delegated, pair, 'refuse V1'],
    [
      'a zero behind letters',
      old.version('foo.1+a', [ada]),
      old.version('foo.1+a', [ada]).version('foo.1+a0', [ada]),
      'refuse V1',
    ],
    ['of another name', old, old.version('bar.1.00', []), 'hold bar.1.00 P7; serve foo.1.0'],
    [
      'unsigned ones too',
      repository().version('foo.1.0', []),
      repository().version('foo.1.0', []).version('foo.1.00', []),
      'refuse V1',
    ],
    ['pairs that already stand, stay', pair, pair.put('repo', ''), 'serve foo.1.0; serve foo.1.00'],
    [
      'also when one of them changes',
      pair,
      old.version('foo.1.00', [ada], { opam: '' }),
      'serve foo.1.0; serve foo.1.00',
    ],
    ['and a third is refused', pair, pair.version('foo.01.0', [ada]), 'refuse V1'],
    ['only near', old, old.version('foo.1.0~', [ada]), 'serve foo.1.0; serve foo.1.0~'],
  ])('%s', check);

  test('in the place of one that an RM tag removes', async () => {
    const replaced = delegated.version('foo.1.00', [ada]);
    expect(rules(await line([old, replaced], { removalBy: [rm1, rm2] }))).toBe('serve foo.1.00');
  });
});
