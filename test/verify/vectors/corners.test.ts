/** What is left: folding ids in entries, blocking, folders that are no versions, anchors beside an old tree. */
import {
  ada,
  bob,
  bootstrap1,
  ed25519,
  eve,
  rm1,
  rm2,
  root1,
  root2,
  root3,
  rsa,
} from '../../support/signed-keys.ts';
import { repository } from '../../support/signed-repository.ts';
import { digest } from '../../support/signed-texts.ts';
import { stepVectors, treeVectors } from '../../support/vector-table.ts';

const ADA = 'ada@example.org';
const base = repository().key(ada).key(bob).delegate('foo', [ADA], ada).version('foo.1.0', [ada]);
const SERVED = 'serve foo.1.0';
const SIG = 'packages/foo/foo.1.0/signature';

treeVectors('first reading', [
  ['a signer in capitals', base.edit(SIG, (text) => text.replace('["ada@', '["ADA@')), SERVED],
  [
    'a key entry in capitals',
    base.edit(`keys/dev/${ADA}`, (text) => text.replace('signature: [["ada@', 'signature: [["ADA@')),
    SERVED,
  ],
  ['a delegate twice', base.delegate('foo', [ADA, ADA], ada), SERVED],
  [
    'a folder of another name',
    base.version('foo.2', [ada]).put('packages/foo/bar.1/opam', 'x').remove('packages/foo/foo.2'),
    SERVED,
  ],
  ['a folder without a version', base.put('packages/foo/foo/opam', 'x'), SERVED],
  ['a file in the name', base.put('packages/foo/README', 'x'), SERVED],
  ['a file in packages', base.put('packages/README', 'x'), SERVED],
  ['the flat layout', base.put('packages/bar.1/opam', 'x'), SERVED],
  ['a signature alone', base.remove('packages/foo/foo.1.0/opam'), 'hold foo.1.0 P8'],
  ['a delegation without versions', base.delegate('bar', [ADA], ada), SERVED],
  ['a folder named delegation', base.put('packages/bar/delegation/x', 'y'), SERVED],
  [
    'a folder named signature',
    base.put('packages/bar/bar.1/signature/x', 'y').version('bar.1', []),
    `${SERVED}; hold bar.1`,
  ],
  ['a version with a dot and a plus', base.version('foo.1.0+a~b.c', [ada]), `${SERVED}; serve foo.1.0+a~b.c`],
  ['equal versions', base.version('foo.1.00', [ada]), `${SERVED}; serve foo.1.00`],
  [
    '65 entries',
    base.edit(SIG, (text) => text.replace('signature: [', `signature: [${'["a" "b" "c"] '.repeat(64)}`)),
    'hold foo.1.0 P1|FORM',
  ],
  [
    '64 entries',
    base.edit(SIG, (text) => text.replace('signature: [', `signature: [${'["a" "b" "c"] '.repeat(63)}`)),
    SERVED,
  ],
  [
    'an entry of two strings',
    base.edit(SIG, (text) => text.replace('signature: [', 'signature: [["a" "b"] ')),
    'hold foo.1.0 P1|FORM',
  ],
  [
    'an rsa developer',
    base
      .key(rsa('r'))
      .delegate('foo', ['r'], rsa('r'))
      .version('foo.1.0', [rsa('r')]),
    SERVED,
  ],
  [
    'rsa named ed25519',
    base
      .key(rsa('r'))
      .delegate('foo', ['r'], rsa('r'))
      .version('foo.1.0', [rsa('r')])
      .edit(SIG, (text) => text.replace('RSASSA-PSS', 'ed25519')),
    'hold foo.1.0',
  ],
  [
    'a developer with the key of an RM is no RM',
    base.key(rm1.as('m')).key(ada, rm1.as('m')),
    'serve foo.1.0 signed|verified-key',
  ],
  [
    'two RMs as developers are no quorum',
    base
      .key(rm1.as('m'))
      .key(rm2.as('n'))
      .version('foo.1.0', [rm1.as('m'), rm2.as('n')]),
    'hold foo.1.0',
  ],
  ['git demanded', base, 'refuse P10', { requireGit: true }],
  ['no repo file', base.remove('repo'), SERVED],
  [
    'an md5 file among strong',
    base
      .sign(
        SIG,
        `name: "foo" version: "1.0" package-files: ["opam" {${digest(base.files.get('packages/foo/foo.1.0/opam') ?? '')}} "x" {${digest('x', ['md5'])}}]\n`,
        ada,
      )
      .put('packages/foo/foo.1.0/x', 'x'),
    'hold foo.1.0 P8',
  ],
]);

const unsigned = base.version('bar.1', []);
const moved = base.delegate('foo', [ADA, eve.id], ada, rm1, rm2).key(eve, rm1);
stepVectors('steps', [
  ['blocking removes nothing', unsigned, unsigned.delegate('bar', [], rm1), `${SERVED}; hold bar.1 P5`],
  [
    'blocking and adding at once',
    base,
    base.delegate('bar', [], rm1).version('bar.1', [rm1, rm2]),
    'refuse L4|P5',
  ],
  ['a new delegate signs at once', base, moved.version('foo.2', [eve]), `${SERVED}; serve foo.2`],
  [
    'a new delegate changes at once',
    base,
    moved.version('foo.1.0', [eve], { opam: 'opam-version: "2.0"\n' }),
    SERVED,
  ],
  [
    'a former delegate changes at once',
    base,
    base
      .key(bob, rm1)
      .delegate('foo', ['bob@example.org'], rm1, rm2)
      .version('foo.1.0', [ada], { opam: 'opam-version: "2.0"\n' }),
    'refuse L7',
  ],
  [
    'bootstrap changes its own',
    base.version('old.1', [bootstrap1]),
    base.version('old.1', [bootstrap1], { opam: 'opam-version: "2.0"\n' }),
    'refuse L7',
  ],
  [
    'bootstrap stands',
    base.version('old.1', [bootstrap1]),
    base.version('old.1', [bootstrap1]),
    `${SERVED}; serve old.1`,
  ],
  [
    'bootstrap on another spelling',
    base.version('old.1', [bootstrap1]),
    base.version('old.1', [bootstrap1]).edit('packages/old/old.1/signature', (text) => `# x\n${text}`),
    `${SERVED}; serve|hold old.1`,
  ],
  [
    'an expired key',
    base.root({ roots: [root1, root2, [root3, '2026-01-01T00:00:00Z']], rootQuorum: 2 }),
    base,
    'refuse P3 keys/root',
  ],
  [
    'a fold pair stands',
    base.key(eve).key(eve.as('EVE@example.org')),
    base.key(eve).key(eve.as('EVE@example.org')),
    SERVED,
  ],
  [
    'of a fold pair one goes',
    base.key(eve).key(eve.as('EVE@example.org')),
    base.key(eve),
    'refuse L1 keys/dev/EVE@example.org',
  ],
  [
    'a key of a fold pair changes',
    base.key(eve).key(eve.as('EVE@example.org')),
    base.key(eve).key(ed25519('EVE@example.org', 'x')),
    'refuse L5 keys/dev/EVE@example.org',
  ],
]);

stepVectors('anchors beside an old tree', [
  ['those of the old tree', base, base, SERVED, { anchors: [root1, root2] }],
  ['of another key', base, base, 'refuse P4 keys/root', { anchors: [root3] }],
  [
    'new ones after an expiry',
    base.root({ roots: [[root1, '2026-03-01T00:00:00Z'], root2] }),
    base.root({ date: '2026-05-01T00:00:00Z', roots: [root2, root3], by: [root2, root3] }),
    SERVED,
    { anchors: [root3] },
  ],
  [
    'new ones, an older root',
    base,
    base.root({ date: '2025-05-01T00:00:00Z', roots: [root2, root3], by: [root2, root3] }),
    'refuse P3 keys/root',
    { anchors: [root3] },
  ],
]);
