/** P5: what a delegation is worth with the present keys, at a reading. */
import { describe, expect, test } from 'vitest';
import { ada, bob, eve, rm1, rm2, root1, snapshot1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { read, rules, says, step } from '../../support/signed-verdicts.ts';

const keys = repository().key(ada).key(bob);
const alone = keys.delegate('foo', [ada.id], ada);

describe('P5: constraints', () => {
  const constrained = (constraint: string, version: string) =>
    keys.delegate('foo', [`${ada.id} ${constraint}`], ada).version(`foo.${version}`, [ada]);
  test.each<[string, string, string]>([
    ['{>= "1.0"}', '1.0', 'serve foo.1.0'],
    ['{>= "1.0"}', '0.9', 'hold foo.0.9 P5'],
    ['{> "1.0"}', '1.0', 'hold foo.1.0 P5'],
    ['{< "2.0"}', '1.10', 'serve foo.1.10'],
    ['{<= "2.0"}', '2.0', 'serve foo.2.0'],
    ['{= "1.0"}', '1.0', 'serve foo.1.0'],
    ['{= "1.0"}', '1.1', 'hold foo.1.1 P5'],
    ['{!= "1.0"}', '1.0', 'hold foo.1.0 P5'],
    ['{>= "1.0"}', '1.0~rc1', 'hold foo.1.0~rc1 P5'],
    ['{= "1.0"}', '1.00', 'serve foo.1.00'],
    ['{>= "1.0" & < "2.0"}', '1.5', 'serve foo.1.5'],
    ['{>= "1.0" & < "2.0"}', '2.5', 'hold foo.2.5 P5'],
    ['{< "1.0" | > "2.0"}', '2.5', 'serve foo.2.5'],
    ['{< "1.0" | > "2.0" & < "3.0"}', '3.5', 'hold foo.3.5 P5'],
    ['{(< "1.0" | > "2.0") & < "3.0"}', '0.5', 'serve foo.0.5'],
    ['{(>= "1.0")}', '1.0', 'serve foo.1.0'],
    ['{}', '1.0', 'hold foo.1.0 P5'],
    ['{>= "1.0" < "2.0"}', '1.0', 'hold foo.1.0 P5'],
    ['{"1.0"}', '1.0', 'hold foo.1.0 P5'],
    ['{!(>= "2.0")}', '1.0', 'hold foo.1.0 P5'],
    ['{~ "1.0"}', '1.0', 'hold foo.1.0 P5'],
    ['{build}', '1.0', 'hold foo.1.0 P5'],
    ['{build & >= "1.0"}', '1.0', 'hold foo.1.0 P5'],
    ['{version >= "1.0"}', '1.0', 'hold foo.1.0 P5'],
    ['{>= 1}', '1.0', 'hold foo.1.0 P5'],
    ['{>= "1.0"} {< "2.0"}', '1.0', 'hold foo.1.0 P5'],
  ])('ada %s signs %s', async (constraint, version, expected) => {
    expect(rules(await read(constrained(constraint, version)))).toBe(expected);
  });

  test('one list entry for each alternative; one that matches suffices', async () => {
    const content = keys
      .delegate('foo', [`${ada.id} {= "1.0"}`, `${ada.id} {= "2.0"}`, bob.id], ada)
      .keyBy(bob, bob, ada)
      .version('foo.1.0', [ada])
      .version('foo.2.0', [ada])
      .version('foo.3.0', [ada])
      .version('foo.4.0', [eve, ada, bob]);
    expect(says(await read(content))).toBe('serve foo.1.0; serve foo.2.0; hold foo.3.0 P5; serve foo.4.0');
  });

  test.each(['"a" & "b"', '["a"]', '7', 'ada', '("a" "b")', '""', '".a"'])(
    'a delegate %s makes the file invalid',
    async (entry) => {
      const content = alone.sign(
        'packages/foo/delegation',
        `name: "foo"\ndelegates: ["${ada.id}" ${entry}]\n`,
        ada,
      );
      expect(rules(await read(content.version('foo.1.0', [ada])))).toBe('hold foo.1.0 P5');
    },
  );
});

describe('P5: who makes a delegation hold', () => {
  const two = (...by: (typeof ada)[]) => keys.delegate('foo', [ada.id, `${bob.id} {< "5"}`], ...by);
  const byAda = (content: SignedRepository) => content.version('foo.1.0', [ada]);
  const byBob = (content: SignedRepository) => content.version('foo.1.0', [bob]);
  test.each<[string, SignedRepository, string]>([
    ['one of its delegates', byAda(two(ada)), 'serve foo.1.0'],
    ['a constrained one', byBob(two(bob)), 'serve foo.1.0'],
    ['nobody', byAda(two()), 'hold foo.1.0 P5'],
    ['a developer that it does not name', byAda(two(eve).key(eve)), 'hold foo.1.0 P5'],
    ['a root key', byAda(two(root1)), 'hold foo.1.0 P5'],
    ['the snapshot key', byAda(two(snapshot1)), 'hold foo.1.0 P5'],
    [
      'a delegate whose key is missing',
      byAda(two(ada).remove('keys/dev/ada@example.org')),
      'hold foo.1.0 P5',
    ],
    ['a signer does not vouch for another by the delegation alone', byBob(two(ada)), 'hold foo.1.0 P5'],
    ['but by having signed its key', byBob(two(ada).key(bob, ada)), 'serve foo.1.0'],
    ['or an RM did', byBob(two(ada).key(bob, rm1)), 'serve foo.1.0'],
    ['another developer did not', byBob(two(ada).key(bob, eve).key(eve)), 'hold foo.1.0 P5'],
    ['any one signer vouches', byBob(two(ada, bob)), 'serve foo.1.0'],
    ['both stand by themselves', byAda(two(ada, bob)), 'serve foo.1.0'],
    ['an RM, where the keys bear an RM’s signature', byBob(two(rm1).key(bob, rm2)), 'serve foo.1.0'],
    ['an RM, where the key bears none', byAda(two(rm1).key(bob, rm2)), 'hold foo.1.0 P5'],
    ['an RM, and a key that a passed-over delegate signed', byBob(two(rm1).key(bob, ada)), 'hold foo.1.0 P5'],
    ['an RM beside a delegate', byAda(two(rm1, ada)), 'serve foo.1.0'],
    [
      'a key vouched for over older text',
      byBob(
        two(ada)
          .key(bob, ada)
          .edit('keys/dev/bob@example.org', (text) => `${text}x-a: "1"\n`),
      ),
      'hold foo.1.0 P5',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });

  test('one delegate of many that is passed over does not matter to the others', async () => {
    const content = two(ada)
      .remove('keys/dev/bob@example.org')
      .version('foo.1.0', [ada])
      .version('foo.2.0', [bob]);
    expect(says(await read(content))).toBe('serve foo.1.0; hold foo.2.0 P5');
  });
});

describe('P5: a delegation that does not hold still makes the name delegated', () => {
  const broken = {
    unsigned: alone.delegate('foo', [ada.id]),
    invalid: alone.put('packages/foo/delegation', 'x'),
  };
  test.each<[string, SignedRepository, string]>([
    ['ada', broken.unsigned.version('foo.1.0', [ada]), 'hold foo.1.0 P5'],
    ['an RM quorum', broken.unsigned.version('foo.1.0', [rm1, rm2]), 'serve foo.1.0'],
    ['one RM', broken.unsigned.version('foo.1.0', [rm1]), 'hold foo.1.0 P5'],
    ['nobody', broken.unsigned.version('foo.1.0', []), 'hold foo.1.0 P5'],
    ['ada, the file being invalid', broken.invalid.version('foo.1.0', [ada]), 'hold foo.1.0 P5'],
    ['an RM quorum, the file being invalid', broken.invalid.version('foo.1.0', [rm1, rm2]), 'serve foo.1.0'],
    ['nobody, the file being invalid', broken.invalid.version('foo.1.0', []), 'hold foo.1.0 P5'],
  ])('signed by %s', async (_, content, expected) => {
    expect(rules(await read(content, { threshold: 'any' }))).toBe(expected);
  });
});

describe('P5: blocked names', () => {
  const blocked = (delegates: string) =>
    keys.sign('packages/foo/delegation', `name: "foo"\n${delegates}`, rm1, rm2);
  test.each<[string, SignedRepository, string]>([
    ['without delegates, signed by ada', blocked('').version('foo.1.0', [ada]), 'hold foo.1.0 P5'],
    ['with an empty list', blocked('delegates: []\n').version('foo.1.0', [ada]), 'hold foo.1.0 P5'],
    ['signed by an RM quorum', blocked('').version('foo.1.0', [rm1, rm2]), 'hold foo.1.0 P5'],
    ['not signed', blocked('').version('foo.1.0', []), 'hold foo.1.0 P5'],
    [
      'also when the file itself is not signed',
      keys.put('packages/foo/delegation', 'name: "foo"\n').version('foo.1.0', [rm1, rm2]),
      'hold foo.1.0 P5',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content, { threshold: 'any' }))).toBe(expected);
  });

  test('blocking removes nothing', async () => {
    const before = alone.version('foo.1.0', [ada]);
    const verdict = await step(
      before,
      before.put('packages/foo/delegation', blocked('').files.get('packages/foo/delegation') ?? ''),
    );
    expect(says(verdict)).toBe('hold foo.1.0 P5');
  });
});

describe('P5: judged at every reading with the present keys', () => {
  const standing = alone.delegate('foo', [ada.id, bob.id], ada).key(bob, ada).version('foo.1.0', [bob]);
  test('versions without a signature that stood in a delegated name are not served, and are no violation', async () => {
    const unsigned = repository().key(ada).version('foo.1.0', []);
    expect(says(await read(unsigned, { threshold: 'any' }))).toBe('serve foo.1.0');
    const verdict = await step(unsigned, unsigned.delegate('foo', [ada.id], ada, rm1), { threshold: 'any' });
    expect(says(verdict)).toBe('hold foo.1.0 P5');
  });

  test("a signer's key that changes takes its vouching with it", async () => {
    expect(says(await read(standing))).toBe('serve foo.1.0');
    const other = { ...eve.as(ada.id) };
    const replaced = standing.keyBy(other, other, rm1, rm2);
    expect(says(await step(standing, replaced))).toBe('hold foo.1.0 P5');
  });
});
