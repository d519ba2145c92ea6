import { rm1, root1, root2, root3, rsa, snapshot1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import type { RootSpec } from '../../support/signed-texts.ts';
import { type TreeVector, treeVectors, type VectorOptions } from '../../support/vector-table.ts';

const QUORUM = 'refuse P2 keys/root';
const UNSIGNED = 'refuse P2|P3|P4|SIG keys/root';
/** Signed by both root keys after the edit of its text; the signature entries may be altered afterwards. */
function edited(
  title: string,
  edit: (body: string) => string,
  expected: string,
  options: VectorOptions = {},
): TreeVector {
  return [title, repository().sign('keys/root', edit(unsignedRoot()), root1, root2), expected, options];
}

function unsignedRoot(spec: RootSpec = {}): string {
  return repository({ ...spec, by: [] }).files.get('keys/root') ?? '';
}

const one = { anchors: [root1], quorum: 1 };
const named = (id: string): SignedRepository => repository({ snapshots: [snapshot1.as(id)] });

treeVectors('ids', [
  ['128 characters', named('a'.repeat(128)), 'accept'],
  ['129 characters', named('a'.repeat(129)), QUORUM],
  ['all characters', named('0aZ@._+-'), 'accept'],
  ...['', '-a', '.a', '@a', 'a b', 'a/b', 'a\\n', 'caf\xe9', 'a:b', 'a*'].map(
    (id): TreeVector => [`id «${id}»`, named(id), QUORUM],
  ),
  ['the same id in two roles', repository({ snapshots: [snapshot1.as('rm-1')] }), QUORUM],
  ['folding together', repository({ snapshots: [snapshot1.as('RM-1')] }), QUORUM],
  ['twice in one role', repository({ snapshots: [snapshot1, snapshot1] }), QUORUM],
  ['folding in one role', repository({ snapshots: [snapshot1, snapshot1.as('Snapshot-1')] }), QUORUM],
  ['one key in two roles', repository({ snapshots: [rm1.as('snapshot-1')] }), 'accept'],
  ['one key, two ids', repository({ snapshots: [snapshot1, snapshot1.as('other')] }), 'accept'],
]);

const three = [root1, root2, root3];
treeVectors('quorums', [
  ['0', repository({ rootQuorum: 0 }), QUORUM],
  ['-1', repository({ rootQuorum: -1 }), QUORUM],
  ['above', repository({ rootQuorum: 3 }), QUORUM],
  ['far above', edited('', (body) => body.replace('m: 2', `m: ${'9'.repeat(18)}`), '')[1], QUORUM],
  ['-0', edited('', (body) => body.replace('m: 2', 'm: -0'), '')[1], QUORUM],
  ['maintainers 0', repository({ maintainerQuorum: 0 }), QUORUM],
  ['maintainers above', repository({ maintainerQuorum: 4 }), QUORUM],
  ['maintainers of two ids', repository({ maintainers: [rm1, rm1.as('x')], maintainerQuorum: 2 }), QUORUM],
  ['maintainers without any', repository({ maintainers: [], maintainerQuorum: 1 }), QUORUM],
  ['one root key under two ids', repository({ roots: [root1, root1.as('x')], rootQuorum: 2 }), QUORUM],
  [
    'one root key under two ids signs once',
    repository({ roots: [root1, root1.as('x'), root2], rootQuorum: 2, by: [root1, root1.as('x')] }),
    UNSIGNED,
    one,
  ],
  ['absent: 1 of 2', repository({ rootQuorum: undefined, by: [root1] }), UNSIGNED, one],
  ['absent: 2 of 3', repository({ rootQuorum: undefined, roots: three }), 'accept', one],
  ['absent: 1 of 3', repository({ rootQuorum: undefined, roots: three, by: [root1] }), UNSIGNED, one],
  ['absent: 1 of 1', repository({ rootQuorum: undefined, roots: [root1], by: [root1] }), 'accept', one],
  [
    'absent: one key twice is one',
    repository({ rootQuorum: undefined, roots: [root1, root1.as('x')], by: [root1] }),
    'accept',
    one,
  ],
  [
    'absent: a majority of expired ones too',
    repository({
      rootQuorum: undefined,
      roots: [root1, root2, ...['a', 'b'].map((id) => [rsa(id), '2020-01-01T00:00:00Z'] as const)],
    }),
    UNSIGNED,
  ],
  [
    'expired ones bound the quorum',
    repository({ rootQuorum: 2, roots: [root1, [root2, '2020-01-01T00:00:00Z']] }),
    UNSIGNED,
    one,
  ],
  [
    'raised by the reader',
    repository({ rootQuorum: 1, by: [root1] }),
    UNSIGNED,
    { ...one, raisedQuorums: { root: 2 } },
  ],
  [
    'never lowered',
    repository({ rootQuorum: 2, by: [root1] }),
    UNSIGNED,
    { ...one, raisedQuorums: { root: 1 } },
  ],
]);

treeVectors('anchors', [
  ['both', repository(), 'accept'],
  ['one is not listed, quorum 2', repository(), 'refuse P4', { anchors: [root1, root3] }],
  ['one is not listed, quorum 1', repository(), 'accept', { anchors: [root1, root3], quorum: 1 }],
  ['of another key', repository(), 'refuse P4', { anchors: [root3] }],
  ['of a key in another role', repository(), 'refuse P4', { anchors: [rm1] }],
  [
    'listed, has not signed',
    repository({ roots: three, by: [root1, root2] }),
    'refuse P4',
    { anchors: [root3] },
  ],
  ['signed, not listed', repository({ by: [root1, root2, root3] }), 'refuse P4', { anchors: [root3] }],
  [
    'expired',
    repository({ roots: [root1, root2, [root3, '2026-06-01T13:00:00Z']], by: three }),
    'refuse P4',
    { anchors: [root3] },
  ],
  [
    'one key under two ids',
    repository({ roots: [root1, root1.as('x'), root2], by: [root1, root1.as('x'), root2] }),
    'refuse P4',
    { anchors: [root1, root3] },
  ],
  ['none', repository(), 'accept', { anchors: [] }],
  ['none, not self-signed', repository({ by: [root1] }), UNSIGNED, { anchors: [] }],
  [
    'an rsa anchor',
    repository({ roots: [rsa('r'), root1], by: [rsa('r'), root1] }),
    'accept',
    { anchors: [rsa('r')] },
  ],
]);
