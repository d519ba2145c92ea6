/** Developer keys and delegations on the first reading (points 2, 5 and 14). */
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
  rsa,
} from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { type TreeVector, treeVectors } from '../../support/vector-table.ts';

const ADA = 'ada@example.org';
const BOB = 'bob@example.org';
const SERVED = 'serve foo.1.0';
const HELD = 'hold foo.1.0 P5|P7|SIG';
const PATH = 'packages/foo/delegation';

const keys = repository().key(ada).key(bob).key(eve);
/** Delegates as they are written, who signs the delegation; ada signs foo.1.0. */
const delegated = (delegates: readonly string[], ...by: Parameters<SignedRepository['delegate']>[2][]) =>
  keys.delegate('foo', delegates, ...by).version('foo.1.0', [ada]);

/** `name: "foo"` and these delegates, of any form, signed by ada; she signs foo.1.0. */
const form = (title: string, delegates: string, expected: string): TreeVector => [
  `delegates: ${title}`,
  keys.sign(PATH, `name: "foo"\n${delegates}\n`, ada).version('foo.1.0', [ada]),
  expected,
];
/** Whether ada, with this constraint, may sign the version. */
const constraint = (text: string, version: string, may: boolean): TreeVector => [
  `${version} {${text}}`,
  keys.delegate('foo', [`${ADA} {${text}}`], ada).version(`foo.${version}`, [ada]),
  may ? `serve foo.${version}` : `hold foo.${version} P5|P7|SIG`,
];
const badConstraint = (text: string): TreeVector => [
  `{${text}} is no constraint`,
  keys.sign(PATH, `name: "foo"\ndelegates: ["${ADA}" {${text}}]\n`, ada).version('foo.1.0', [ada]),
  'hold foo.1.0 P5|FORM',
];

treeVectors('constraints', [
  constraint('= "1.0"', '1.0', true),
  constraint('= "1.0"', '1.0.0', false),
  constraint('!= "1.0"', '1.0', false),
  constraint('!= "1.0"', '1.1', true),
  constraint('< "1.0"', '1.0~beta', true),
  constraint('< "1.0"', '1.0', false),
  constraint('<= "1.0"', '1.0', true),
  constraint('<= "1.9"', '1.10', false),
  constraint('> "1.9"', '1.10', true),
  constraint('>= "1.0"', '1.0', true),
  constraint('>= "1.0"', '1.0~rc1', false),
  constraint('= "1.0"', '1.00', true),
  constraint('>= "1" & < "2"', '1.5', true),
  constraint('>= "1" & < "2"', '2', false),
  constraint('< "1" | > "2"', '3', true),
  constraint('< "1" | > "2"', '1.5', false),
  constraint('>= "1" & (< "2" | = "3")', '3', true),
  constraint('< "1" | >= "2" & < "3"', '0.5', true),
  constraint('< "1" | >= "2" & < "3"', '3', false),
  constraint('(< "1" | >= "2") & < "3"', '3', false),
  constraint('((= "1.0"))', '1.0', true),
  badConstraint(''),
  badConstraint('~ "1"'),
  badConstraint('!(= "1")'),
  badConstraint('"1.0"'),
  badConstraint('= version'),
  badConstraint('version = "1.0"'),
  badConstraint('= "1.0" "2"'),
  badConstraint('= "1.0" & os'),
  badConstraint('= 1'),
  badConstraint('>= "1.0"} {< "2"'),
  badConstraint('?a'),
  badConstraint('true'),
]);

treeVectors('form of delegations', [
  form('one', `delegates: ["${ADA}"]`, SERVED),
  form('a string alone', `delegates: "${ADA}"`, 'hold foo.1.0 FORM|P5'),
  form('an ident', 'delegates: [ada]', 'hold foo.1.0 FORM|P5'),
  form('in a list', `delegates: [["${ADA}"]]`, 'hold foo.1.0 FORM|P5'),
  form('in parentheses', `delegates: [("${ADA}")]`, SERVED),
  form('an alternative for each entry', `delegates: ["${ADA}" {> "2"} "${ADA}" {< "2"}]`, SERVED),
  form('in capitals', `delegates: ["ADA@Example.ORG"]`, SERVED),
  form('no such id', `delegates: ["${ADA}" "no id"]`, 'hold foo.1.0 FORM|P2|P5'),
  form('absent', '', 'hold foo.1.0 P5'),
  form('[]', 'delegates: []', 'hold foo.1.0 P5'),
  form('[[]]', 'delegates: [[]]', 'hold foo.1.0 P5'),
  form('with x-', `delegates: ["${ADA}"]\nx-y: z`, SERVED),
  form('with another field', `delegates: ["${ADA}"]\nversion: "1.0"`, 'hold foo.1.0 FORM|P5'),
  form('twice', `delegates: ["${ADA}"]\ndelegates: []`, 'hold foo.1.0 FORM|P5'),
  [
    'another name',
    keys.sign(PATH, `name: "Foo"\ndelegates: ["${ADA}"]`, ada).version('foo.1.0', [ada]),
    'hold foo.1.0 FORM|P5',
  ],
  [
    'no name',
    keys.sign(PATH, `delegates: ["${ADA}"]`, ada).version('foo.1.0', [ada]),
    'hold foo.1.0 FORM|P5',
  ],
  [
    'name is an ident',
    keys.sign(PATH, `name: foo delegates: ["${ADA}"]`, ada).version('foo.1.0', [ada]),
    'hold foo.1.0 FORM|P5',
  ],
  ['empty file', keys.put(PATH, '').version('foo.1.0', [ada]), 'hold foo.1.0 FORM|P5'],
  ['invalid, but an RM quorum', keys.put(PATH, '').version('foo.1.0', [rm1, rm2]), SERVED],
  ['invalid, one RM', keys.put(PATH, '').version('foo.1.0', [rm1]), 'hold foo.1.0'],
  ['invalid, bootstrap', keys.put(PATH, '').version('foo.1.0', [bootstrap1]), 'hold foo.1.0'],
  ['unsigned, an RM quorum', delegated([ADA]).version('foo.1.0', [rm1, rm3]), SERVED],
  [
    'blocked, an RM quorum',
    keys.delegate('foo', [], rm1).version('foo.1.0', [rm1, rm2, rm3]),
    'hold foo.1.0 P5',
  ],
  [
    '65 signature entries',
    keys
      .put(PATH, `name: "foo"\ndelegates: ["${ADA}"]\nsignature: [${'["a" "b" "c"]'.repeat(65)}]`)
      .version('foo.1.0', [ada]),
    'hold foo.1.0 FORM|P1|P5',
  ],
]);

treeVectors('who signs a delegation', [
  ['a delegate', delegated([ADA], ada), SERVED],
  ['a constrained one', delegated([`${ADA} {= "1.0"}`], ada), SERVED],
  ['nobody', delegated([ADA]), HELD],
  ['another developer', delegated([ADA], bob), HELD],
  ['the bootstrap key', delegated([ADA], bootstrap1), HELD],
  ['a root key', delegated([ADA], root1), HELD],
  ['an RM alone, key not RM-signed', delegated([ADA], rm1), HELD],
  ['an RM alone, RM-signed key', delegated([ADA], rm1).key(ada, rm1), SERVED],
  ['an RM alone, key signed by another RM', delegated([ADA], rm1).key(ada, rm2), SERVED],
  ['bob, who vouches for ada', delegated([ADA, BOB], bob).key(ada, bob), SERVED],
  ['bob, who does not', delegated([ADA, BOB], bob), HELD],
  ['bob, but an RM vouches for ada', delegated([ADA, BOB], bob).key(ada, rm1), SERVED],
  ['bob, and eve vouches for ada', delegated([ADA, BOB], bob).key(ada, eve), HELD],
  ['both', delegated([ADA, BOB], ada, bob), SERVED],
  ['ada alone; bob is passed over', delegated([ADA, BOB], ada), SERVED],
  ['ada; bob has no key', delegated([ADA, 'nobody@example.org'], ada), SERVED],
  ['ada; her key is not signed by herself', delegated([ADA], ada).keyBy(ada, rm1), HELD],
  ['ada; her key is signed by nobody', delegated([ADA], ada).keyBy(ada), HELD],
  ['ada; no key', delegated([ADA], ada).remove(`keys/dev/${ADA}`), HELD],
  ['ada, constrained elsewhere', delegated([`${ADA} {= "2"}`, BOB], ada, bob), HELD],
  [
    'ada and RM; bob by the RM needs a voucher',
    delegated([ADA, BOB], ada, rm1).version('foo.1.0', [bob]),
    HELD,
  ],
  [
    'RM and bob vouched by ada',
    delegated([ADA, BOB], ada, rm1).key(bob, ada).version('foo.1.0', [bob]),
    SERVED,
  ],
  ['vouching does not chain', delegated([ADA, BOB, eve.id], eve).key(bob, eve).key(ada, bob), HELD],
  ['the voucher has no good key', delegated([ADA, BOB], bob).key(ada, bob).keyBy(bob), HELD],
]);

const upper = ada.as('ADA@example.org');
const other = ed25519('ADA@example.org', 'another');
const keyFile = (text: string) => delegated([ADA], ada).sign(`keys/dev/${ADA}`, text, ada);
const line = `["${ADA}" "ed25519" "${ada.key}"]`;

treeVectors('developer keys', [
  [
    'rsa',
    keys
      .key(rsa('r'))
      .delegate('foo', ['r'], rsa('r'))
      .version('foo.1.0', [rsa('r')]),
    SERVED,
  ],
  [
    'rsa of 1024',
    keys
      .key(rsa('s', 1024))
      .delegate('foo', ['s'], rsa('s', 1024))
      .version('foo.1.0', [rsa('s', 1024)]),
    HELD,
  ],
  ['two keys in a file', keyFile(`keys: [${line} ["b" "ed25519" "${bob.key}"]]`), HELD],
  ['the same twice in a file', keyFile(`keys: [${line} ${line}]`), HELD],
  ['none in a file', keyFile('keys: []'), HELD],
  ['id in capitals in the file', keyFile(`keys: [["ADA@example.org" "ed25519" "${ada.key}"]]`), HELD],
  ['not in a list of lists', keyFile(`keys: ${line}`), HELD],
  ['with opam-version', keyFile(`opam-version: "2.0" keys: [${line}]`), HELD],
  ['with x-', keyFile(`x-a: "b" keys: [${line}]`), SERVED],
  ['upper-case hex', keyFile(`keys: [["${ADA}" "ed25519" "${ada.key.toUpperCase()}"]]`), HELD],
  ['folding together: neither counts', delegated([ADA], ada).key(other), HELD],
  ['folding together: not the same key either', delegated([ADA], ada).key(upper), HELD],
  ['folding, one of them invalid', delegated([ADA], ada).put('keys/dev/ADA@example.org', ''), HELD],
  [
    'in capitals alone',
    keys.remove(`keys/dev/${ADA}`).key(upper).delegate('foo', [ADA], upper).version('foo.1.0', [ada]),
    SERVED,
  ],
  [
    'id of a role: the role wins',
    repository()
      .key(ed25519('rm-1', 'x'))
      .delegate('foo', ['rm-1'], ed25519('rm-1', 'x'))
      .version('foo.1.0', [ed25519('rm-1', 'x')]),
    HELD,
  ],
  [
    'id of a role, folding',
    repository()
      .key(ed25519('RM-1', 'x'))
      .delegate('foo', ['RM-1'], ed25519('RM-1', 'x'))
      .version('foo.1.0', [ed25519('RM-1', 'x')]),
    HELD,
  ],
  [
    'the key of an RM, another id',
    repository()
      .key(rm1.as('m'))
      .delegate('foo', ['m'], rm1.as('m'))
      .version('foo.1.0', [rm1.as('m')]),
    SERVED,
  ],
  ['a folder below keys/dev', delegated([ADA], ada).put('keys/dev/a/b', 'x'), SERVED],
  ['another file in keys', delegated([ADA], ada).put('keys/other', 'x'), SERVED],
  ['an invalid key of nobody', delegated([ADA], ada).put('keys/dev/zoe', '('), SERVED],
  ['a key of an odd id', delegated([ADA], ada).put('keys/dev/~zoe', '('), SERVED],
]);

const twice = repository({ maintainers: [rm1, rm1.as('rm-x'), rm2], maintainerQuorum: 2 });
treeVectors('RM quorums', [
  ['two', repository().version('foo.1.0', [rm1, rm2]), SERVED],
  ['one', repository().version('foo.1.0', [rm1]), 'hold foo.1.0'],
  ['one, twice', repository().version('foo.1.0', [rm1, rm1]), 'hold foo.1.0'],
  ['one key, two ids', twice.version('foo.1.0', [rm1, rm1.as('rm-x')]), 'hold foo.1.0'],
  ['two keys', twice.version('foo.1.0', [rm1.as('rm-x'), rm2]), SERVED],
  [
    'absent: two of three',
    repository({ maintainerQuorum: undefined }).version('foo.1.0', [rm1, rm2]),
    SERVED,
  ],
  ['of one', repository({ maintainers: [rm1] }).version('foo.1.0', [rm1]), SERVED],
  ['without RMs', repository({ maintainers: [] }).version('foo.1.0', [rm1]), 'hold foo.1.0'],
  [
    'raised',
    repository().version('foo.1.0', [rm1, rm2]),
    'hold foo.1.0',
    { raisedQuorums: { repositoryMaintainer: 3 } },
  ],
  [
    'not lowered',
    repository().version('foo.1.0', [rm1]),
    'hold foo.1.0',
    { raisedQuorums: { repositoryMaintainer: 1 } },
  ],
  ['root keys are none', repository().version('foo.1.0', [root1, root2]), 'hold foo.1.0'],
]);
