/** P4: who is trusted at first, and P14. */
import { describe, expect, test } from 'vitest';
import { createSignedDialect } from '../../../src/verify/signed/dialect.ts';
import { ada, eve, rm1, root1, root2, root3 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { anchored, type Circumstances, NOW, read, rules, step } from '../../support/signed-verdicts.ts';

const three = repository({ roots: [root1, root2, root3], by: [root1, root2] });
const forged = repository({ roots: [eve], rootQuorum: 1, by: [eve] });

describe('P4: anchors', () => {
  test.each<[string, SignedRepository, Circumstances['trust'], string]>([
    ['met by as many as they ask for', three, anchored(2, root1, root2, root3), 'accept'],
    ['one of one', three, anchored(1, root2), 'accept'],
    ['listed, and did not sign', three, anchored(1, root3), 'refuse P4'],
    ['one too few signed', three, anchored(3, root1, root2, root3), 'refuse P4'],
    ['not listed', forged, anchored(1, root1), 'refuse P4'],
    [
      'signed, and not listed',
      repository({ roots: [eve], rootQuorum: 1, by: [eve, root1] }),
      anchored(1, root1),
      'refuse P4',
    ],
    [
      'an anchor with another role',
      repository({ snapshots: [root3], by: [root1, root2, root3] }),
      anchored(1, root3),
      'refuse P4',
    ],
    [
      'one anchor under two ids',
      repository({ roots: [root1, root1.as('root-x'), root2], by: [root1, root1.as('root-x'), root2] }),
      anchored(2, root1, root3),
      'refuse P4',
    ],
    [
      'an expired anchor',
      repository({ roots: [root1, root2, [root3, '2026-01-01T00:00:00Z']], by: [root1, root2, root3] }),
      anchored(1, root3),
      'refuse P4',
    ],
    ['met, but not the quorum of the file', repository({ by: [root1] }), anchored(1, root1), 'refuse P2'],
  ])('%s', async (_, content, trust, expected) => {
    expect(rules(await read(content, trust === undefined ? {} : { trust }))).toBe(expected);
  });

  test.each([
    [0, [root1]],
    [-1, [root1]],
    [1.5, [root1, root2]],
    [2, [root1]],
    [2, [root1, root1]],
    [1, []],
  ])('a quorum of %s is refused when it cannot be', (quorum, keys) => {
    const make = () => createSignedDialect({ trust: anchored(quorum, ...keys), threshold: 'signed' });
    expect(make).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  });

  test.each(['', 'sha256=', `sha256=${'A'.repeat(64)}`, `${'0'.repeat(64)}`, `sha512=${'0'.repeat(64)}`])(
    'an anchor of another form is refused: %s',
    (fingerprint) => {
      const trust = { kind: 'anchors', fingerprints: [fingerprint], quorum: 1 } as const;
      expect(() => createSignedDialect({ trust, threshold: 'signed' })).toThrow(/trust anchor/);
    },
  );
});

describe('P4: first use, and none', () => {
  test('nothing is trusted until the fingerprints are accepted, and they are shown', async () => {
    const verdict = await read(three, { trust: { kind: 'first-use' } });
    expect(rules(verdict)).toBe('refuse P4');
    expect(verdict.root).toEqual({
      date: '2026-01-01T00:00:00Z',
      fingerprints: [root1, root2, root3].map((key) => key.fingerprint),
      quorum: 2,
    });
    expect(verdict.trusted).toBeUndefined();
    const { fingerprints, quorum } = verdict.root ?? { fingerprints: [], quorum: 0 };
    const accepted = { kind: 'first-use', accepted: { fingerprints, quorum } } as const;
    expect(rules(await read(three, { trust: accepted }))).toBe('accept');
    expect(rules(await read(forged, { trust: accepted }))).toBe('refuse P4');
  });

  test('none accepts anyone, and says so', async () => {
    const verdict = await read(forged, { trust: { kind: 'none' } });
    expect(rules(verdict)).toBe('accept');
    expect(verdict.warnings).toHaveLength(1);
    expect((await read(three)).warnings).toEqual([]);
  });

  test('none still asks for the quorum of the file itself, and goes on by the chain', async () => {
    expect(rules(await read(repository({ by: [root1] }), { trust: { kind: 'none' } }))).toBe('refuse P2');
    expect(rules(await step(three, forged, { trust: { kind: 'none' } }))).toBe('refuse P3');
  });
});

describe('new anchors', () => {
  const later = repository({ date: '2026-02-01T00:00:00Z', roots: [eve, root3], by: [eve, root3] });
  const goOn = async (to: SignedRepository, trust: Circumstances['trust'] & object) => {
    const first = createSignedDialect({ trust: anchored(1, root1), threshold: 'signed' });
    const { trusted } = await first.verify({ tree: three.tree() }, undefined, NOW);
    const next = createSignedDialect({ trust, threshold: 'signed' });
    return next.verify({ tree: to.tree(), previous: three.tree() }, trusted, NOW);
  };
  test.each<[string, SignedRepository, Circumstances['trust'] & object, string]>([
    ['the old ones: the chain decides', later, anchored(1, root1), 'refuse P3'],
    ['new ones take the place of the old quorum', later, anchored(2, eve, root3), 'accept'],
    ['new ones that are not met', later, anchored(1, root2), 'refuse P4'],
    ['no anchors: the chain decides', later, { kind: 'none' }, 'refuse P3'],
    [
      'new ones do not lead back',
      repository({ date: '2025-01-01T00:00:00Z' }),
      anchored(1, root2),
      'refuse P3',
    ],
    ['nor to another file of the same date', three.root({ snapshots: [] }), anchored(1, root2), 'refuse P3'],
    ['new ones on the same file', three, anchored(1, root2), 'accept'],
    ['new ones excuse nothing else', later.key(ada).keyBy(eve), anchored(2, eve, root3), 'refuse L2'],
  ])('%s', async (_, to, trust, expected) => {
    expect(rules(await goOn(to, trust))).toBe(expected);
  });
});

describe('P14: on the first reading everything else withholds', () => {
  const good = repository().key(ada).delegate('foo', [ada.id], ada).version('foo.1.0', [ada]);
  test.each<[string, SignedRepository, string]>([
    ['a broken key', good.keyBy(ada), 'hold foo.1.0 P5'],
    ['a broken delegation', good.delegate('foo', [ada.id]), 'hold foo.1.0 P5'],
    ['a broken signature', good.version('foo.1.0', [eve]), 'hold foo.1.0 P5'],
    [
      'two versions that compare equal',
      good.version('foo.1', [ada]).version('foo.01', [ada]),
      'serve foo.01; serve foo.1; serve foo.1.0',
    ],
    [
      'a delegation that no step could bring',
      good.version('bar.1.0', [rm1]),
      'hold bar.1.0 P2; serve foo.1.0',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});
