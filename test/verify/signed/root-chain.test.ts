/** P3: how keys/root moves on. */
import { describe, expect, test } from 'vitest';
import { ed25519, eve, rm1, root1, root2, root3, type Signer } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import type { RootSpec } from '../../support/signed-texts.ts';
import { type Circumstances, line, NOW, read, rules, step } from '../../support/signed-verdicts.ts';

const LATER = '2026-02-01T00:00:00Z';
const LAST = '2026-03-01T00:00:00Z';
const PAST = '2026-05-31T00:00:00Z';
const old = repository();
const to = (spec: RootSpec) => old.root({ date: LATER, ...spec });
const root4 = ed25519('root-4');
const both = [root1, root2, root3, root4];

describe('P3: one version to the next', () => {
  test.each<[string, SignedRepository, string]>([
    ['a newer date, signed by both quorums', to({}), 'accept'],
    ['the same bytes', old, 'accept'],
    ['the same canonical bytes, laid out anew', old.edit('keys/root', (text) => `# new\n${text}`), 'accept'],
    ['the same canonical bytes, with a signature less', old.root({ by: [root1] }), 'accept'],
    [
      'another root key instead, signed by old and new',
      to({ roots: [root1, root3], by: [root1, root2, root3] }),
      'accept',
    ],
    ['all root keys replaced, signed by old and new', to({ roots: [root3, root4], by: both }), 'accept'],
    ['an older date', to({ date: '2025-12-31T23:59:59Z' }), 'refuse P3'],
    [
      'the same date, another content',
      to({ date: '2026-01-01T00:00:00Z' }).edit('keys/root', (text) => `${text}x-a: "1"\n`),
      'refuse P3',
    ],
    ['not signed', to({ by: [] }), 'refuse P2'],
    ['signed by one', to({ by: [root1] }), 'refuse P2'],
    ['new keys that did not sign', to({ roots: [root3, root4], by: [root1, root2] }), 'refuse P2'],
    ['new keys that alone signed', to({ roots: [root3, root4], by: [root3, root4] }), 'refuse P3'],
    ['one of the old ones only', to({ roots: [root1, root3], by: [root1, root3] }), 'refuse P3'],
    ['the quorum lowered without the old quorum', to({ rootQuorum: 1, by: [root1] }), 'refuse P3'],
    ['the quorum lowered by the old quorum', to({ rootQuorum: 1 }), 'accept'],
    ['signed by maintainers', to({ by: [rm1] }), 'refuse P2'],
    [
      'the ids of old keys with other keys',
      to({ roots: [eve.as('root-1'), root2], by: [eve.as('root-1'), root2] }),
      'refuse SIG',
    ],
    [
      'an id whose key is replaced, signed by both keys',
      to({ roots: [root3.as('root-1'), root2], by: [root1, root3.as('root-1'), root2] }),
      'accept',
    ],
    [
      'altered after signing',
      to({}).edit('keys/root', (text) => text.replace(LATER, '2026-02-02T00:00:00Z')),
      'refuse SIG',
    ],
    ['invalid', to({}).put('keys/root', 'date: "x"\n'), 'refuse FORM'],
    ['removed', old.remove('keys/root'), 'refuse P3'],
  ])('%s', async (_, next, expected) => {
    expect(rules(await step(old, next))).toBe(expected);
  });
});

describe('P3: the clock', () => {
  const ahead = (minutes: number, seconds = 0) =>
    new Date(NOW + minutes * 60_000 + seconds * 1000).toISOString().replace('.000', '');
  const expiring = (expires: string): RootSpec => ({
    roots: [root1, [root2, expires], root3],
    rootQuorum: 2,
    by: [root1, root2],
  });
  test.each<[string, SignedRepository, SignedRepository, Circumstances, string]>([
    ['five minutes ahead', old, to({ date: ahead(5) }), {}, 'accept'],
    ['a second more', old, to({ date: ahead(5, 1) }), {}, 'refuse P3'],
    ['a second more, on the first reading', old, old, { now: Date.parse('2025-12-31T23:54:59Z') }, 'accept'],
    [
      'an expired key of the old ones does not count',
      repository(expiring(PAST)),
      to({ roots: [root1, root3], by: [root1, root2, root3] }),
      {},
      'accept',
    ],
    [
      'so that without it there is no quorum',
      repository(expiring(PAST)),
      to({ roots: [root1, root3], rootQuorum: 1, by: [root1, root2] }),
      {},
      'refuse P3',
    ],
    [
      'expired at its very date',
      repository(expiring(ahead(0))),
      to({ ...expiring(ahead(0)), date: LATER }),
      {},
      'refuse P3',
    ],
    [
      'not yet a second before',
      repository(expiring(ahead(0, 1))),
      to({ ...expiring(ahead(0, 1)), date: LATER }),
      {},
      'accept',
    ],
    [
      'an accepted one stays trusted when its signers expire',
      repository(expiring(PAST)),
      repository(expiring(PAST)).put('repo', ''),
      {},
      'accept',
    ],
  ])('%s', async (_, from, next, circumstances, expected) => {
    expect(rules(await step(from, next, circumstances))).toBe(expected);
  });

  test('a quorum that expired since: new anchors are needed, and it says so', async () => {
    const slept = repository({
      roots: [
        [root1, PAST],
        [root2, PAST],
      ],
    });
    const next = to({ roots: [root3, root4], by: both });
    const verdict = await step(slept, next);
    expect(rules(verdict)).toBe('refuse P3');
    expect(verdict.violations[0]?.message).toContain('give new trust anchors');
  });

  test('on the first reading a date of the future is refused', async () => {
    expect(rules(await read(repository({ date: ahead(5, 1) })))).toBe('refuse P3');
    expect(rules(await read(repository({ date: ahead(5) })))).toBe('accept');
  });
});

describe('P3: every version on the first-parent chain, in order', () => {
  const a = to({ roots: [root1, root3], by: [root1, root2, root3] });
  const b = old.root({ date: LAST, roots: [root3, root4], by: [root1, root3, root4] });
  test.each<[string, readonly SignedRepository[], string]>([
    ['by way of another', [old, a, b], 'accept'],
    ['not straight to the last', [old, b], 'refuse P3'],
    ['not by way of an invalid one', [old, old.put('keys/root', 'x'), a], 'refuse FORM'],
    [
      'not by way of a forged one',
      [old, old.root({ date: LATER, roots: [eve, root1], by: [eve, root1] }), a],
      'refuse P3',
    ],
    ['not back and forth', [old, a, old, a], 'refuse P3'],
    ['not removed in between', [old, old.remove('keys/root'), old], 'refuse P3'],
    ['not of the future in between', [old, old.root({ date: '2026-06-02T00:00:00Z' }), old], 'refuse P3'],
  ])('%s', async (_, contents, expected) => {
    expect(rules(await line(contents))).toBe(expected);
  });
});

describe('P3: revocation', () => {
  const signer = (key: Signer) => repository().version('foo.1.0', [key, rm1]);
  test('what keys/root does not list any more counts for nothing', async () => {
    const before = signer(ed25519('rm-2'));
    expect(rules(await step(before, before))).toBe('serve foo.1.0');
    expect(rules(await step(before, before.root({ date: LATER, maintainers: [rm1] })))).toBe('serve foo.1.0');
    expect(rules(await step(before, before.root({ date: LATER, maintainers: [rm1, eve] })))).toBe(
      'hold foo.1.0 P2',
    );
  });
});
