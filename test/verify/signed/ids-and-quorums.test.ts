/** P2: key ids, and quorums over distinct public keys. */
import { describe, expect, test } from 'vitest';
import {
  ada,
  bob,
  ed25519,
  eve,
  rm1,
  rm2,
  rm3,
  root1,
  root2,
  root3,
  snapshot1,
} from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { anchored, type Circumstances, read, rules } from '../../support/signed-verdicts.ts';

const named = (id: string) => repository({ snapshots: [eve.as(id)] });

describe('P2: ids in keys/root', () => {
  test.each<[string, SignedRepository, string]>([
    ['letters, digits and @._+-', named('A9@x._+-'), 'accept'],
    ['128 characters', named('a'.repeat(128)), 'accept'],
    ['129 characters', named('a'.repeat(129)), 'refuse P2'],
    ['nothing', named(''), 'refuse P2'],
    ['a dot first', named('.a'), 'refuse P2'],
    ['a slash', named('a/b'), 'refuse P2'],
    ['a tilde', named('a~b'), 'refuse P2'],
    ['a line break behind it', named('ab\n'), 'refuse P2'],
    ['an id twice in one role', repository({ maintainers: [rm1, rm2.as('rm-1')] }), 'refuse P2'],
    ['an id twice, folded', repository({ maintainers: [rm1, rm2.as('RM-1')] }), 'refuse P2'],
    ['an id in two roles', repository({ snapshots: [rm1], maintainers: [rm1] }), 'refuse P2'],
    ['an id in two roles, folded', repository({ snapshots: [eve.as('ROOT-1')] }), 'refuse P2'],
    ['one key in two roles under two ids', repository({ snapshots: [rm1.as('snapshot-2')] }), 'accept'],
    [
      'one key twice in a role under two ids',
      repository({ maintainers: [rm1, rm1.as('rm-x'), rm2] }),
      'accept',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});

const roots = [root1, root2, root3];
const twice = [root1, root1.as('root-x')];

describe('P2: root quorums', () => {
  const first = anchored(1, root1);
  test.each<[string, SignedRepository, Circumstances, string]>([
    ['two of two', repository(), {}, 'accept'],
    ['one of two', repository({ by: [root1] }), { trust: first }, 'refuse P2'],
    ['a quorum of 0', repository({ rootQuorum: 0 }), {}, 'refuse P2'],
    ['a negative quorum', repository({ rootQuorum: -1 }), {}, 'refuse P2'],
    [
      'a quorum that is no number',
      repository({ rootQuorum: undefined, more: 'root-quorum: "2"' }),
      {},
      'refuse FORM',
    ],
    ['a quorum above the number of keys', repository({ rootQuorum: 3 }), {}, 'refuse P2'],
    [
      'a quorum above the number of distinct keys',
      repository({ roots: twice, rootQuorum: 2, by: twice }),
      { trust: first },
      'refuse P2',
    ],
    [
      'expired keys count for the bounds',
      repository({ roots: [...[root1, root2], [root3, '2020-01-01T00:00:00Z']], rootQuorum: 3 }),
      {},
      'refuse P2',
    ],
    [
      'the same key under two ids counts once',
      repository({ roots: [...twice, root2], rootQuorum: 2, by: twice }),
      { trust: first },
      'refuse P2',
    ],
    [
      'and with another it is two',
      repository({ roots: [...twice, root2], rootQuorum: 2, by: [root1, root2] }),
      {},
      'accept',
    ],
    ['the same entry twice counts once', repository({ by: [root1, root1] }), { trust: first }, 'refuse P2'],
    [
      'absent: a majority of three is two',
      repository({ roots, rootQuorum: undefined, by: [root1, root2] }),
      {},
      'accept',
    ],
    [
      'absent: one of three is none',
      repository({ roots, rootQuorum: undefined, by: [root1] }),
      { trust: first },
      'refuse P2',
    ],
    [
      'absent: one of two is none',
      repository({ rootQuorum: undefined, by: [root1] }),
      { trust: first },
      'refuse P2',
    ],
    [
      'absent: a majority of distinct keys',
      repository({ roots: twice, rootQuorum: undefined, by: [root1] }),
      { trust: first },
      'accept',
    ],
    [
      'raised by the configuration',
      repository({ roots, rootQuorum: 2, by: [root1, root2] }),
      { raisedQuorums: { root: 3 } },
      'refuse P2',
    ],
    [
      'raised and met',
      repository({ roots, rootQuorum: 2, by: roots }),
      { raisedQuorums: { root: 3 } },
      'accept',
    ],
    ['never lowered', repository({ by: [root1] }), { trust: first, raisedQuorums: { root: 1 } }, 'refuse P2'],
    ['raised beyond all keys', repository(), { raisedQuorums: { root: 3 } }, 'refuse P2'],
    ['a signature by another role', repository({ by: [root1, snapshot1] }), { trust: first }, 'refuse P2'],
    [
      'a signature that does not hold',
      repository().edit('keys/root', (text) =>
        text.replace(/("root-2" "ed25519" )"[0-9a-f]{128}"/, `$1"${'0'.repeat(128)}"`),
      ),
      {},
      'refuse SIG',
    ],
  ])('%s', async (_, content, circumstances, expected) => {
    expect(rules(await read(content, circumstances))).toBe(expected);
  });

  test.each([0, -1, 1.5, Number.NaN])('a raised quorum of %s is refused', async (quorum) => {
    await expect(read(repository(), { raisedQuorums: { root: quorum } })).rejects.toMatchObject({
      code: 'config-invalid',
    });
  });
});

describe('P2: RM quorums, on a version', () => {
  const version = (spec: Parameters<typeof repository>[0], ...by: (typeof rm1)[]) =>
    repository(spec).version('foo.1.0', by);
  test.each<[string, SignedRepository, Circumstances, string]>([
    ['absent: a majority of three is two', version({}, rm1, rm2), {}, 'serve foo.1.0'],
    ['absent: one of three is none', version({}, rm1), {}, 'hold foo.1.0 P2'],
    ['given as one', version({ maintainerQuorum: 1 }, rm1), {}, 'serve foo.1.0'],
    ['given as three', version({ maintainerQuorum: 3 }, rm1, rm2), {}, 'hold foo.1.0 P2'],
    [
      'one key under two ids counts once',
      version({ maintainers: [rm1, rm1.as('rm-x'), rm2, rm3], maintainerQuorum: 2 }, rm1, rm1.as('rm-x')),
      {},
      'hold foo.1.0 P2',
    ],
    ['one signature twice counts once', version({}, rm1, rm1), {}, 'hold foo.1.0 P2'],
    ['a root key under its own id is no maintainer', version({}, rm1, root1), {}, 'hold foo.1.0 P2'],
    ['an id in other letters', version({}, rm1.as('RM-1'), rm2), {}, 'serve foo.1.0'],
    [
      'raised by the configuration',
      version({}, rm1, rm2),
      { raisedQuorums: { repositoryMaintainer: 3 } },
      'hold foo.1.0 P2',
    ],
    ['never lowered', version({}, rm1), { raisedQuorums: { repositoryMaintainer: 1 } }, 'hold foo.1.0 P2'],
    [
      'no RM keys and no field: valid, and never reached',
      version({ maintainers: [] }, rm1, rm2),
      {},
      'hold foo.1.0 P5',
    ],
    ['no RM keys and a quorum', version({ maintainers: [], maintainerQuorum: 1 }, rm1), {}, 'refuse P2'],
    ['a quorum of 0', version({ maintainerQuorum: 0 }), {}, 'refuse P2'],
    ['a quorum above the number of keys', version({ maintainerQuorum: 4 }), {}, 'refuse P2'],
  ])('%s', async (_, content, circumstances, expected) => {
    expect(rules(await read(content, circumstances))).toBe(expected);
  });
});

describe('P2: whose id it is', () => {
  const good = repository().key(ada).delegate('foo', [ada.id], ada).version('foo.1.0', [ada]);
  const upper = ed25519('ADA@example.org');
  test.each<[string, SignedRepository, string]>([
    [
      "a role's id wins over a developer's",
      good.root({ snapshots: [snapshot1, eve.as(ada.id)] }),
      'hold foo.1.0 P5',
    ],
    [
      "a role's id wins, folded",
      good.root({ snapshots: [snapshot1, eve.as('ADA@Example.org')] }),
      'hold foo.1.0 P5',
    ],
    [
      "a role's key under that id is no delegate",
      good.root({ maintainers: [rm1, rm2, ada] }),
      'hold foo.1.0 P5',
    ],
    ['developers whose ids fold together count for nothing', good.key(upper), 'hold foo.1.0 P5'],
    ['also when the other is invalid', good.put('keys/dev/ADA@example.org', 'x'), 'hold foo.1.0 P5'],
    ['others are not concerned', good.key(bob).key(ed25519('BOB@example.org')), 'serve foo.1.0'],
    ['a delegate in other letters', good.delegate('foo', ['ADA@example.ORG'], ada), 'serve foo.1.0'],
    [
      'a file name that is no id',
      good.put('keys/dev/~ada', 'keys: [["~ada" "ed25519" "00"]]\n'),
      'serve foo.1.0',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});
