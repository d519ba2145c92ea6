/** What only several steps show: removal and return, equal versions, folders that move, files that break. */
import { describe, expect, it } from 'vitest';
import { Guard } from '../../../src/verify/guard/guard.ts';
import {
  changesBetween,
  extra,
  type Files,
  guardTrees,
  judgeAll,
  judgeObserved,
  md5,
  named,
  sha256,
  source,
} from '../../support/guard-trees.ts';

/** `opam` files by `name.version`. */
function tree(versions: Readonly<Record<string, string>>): Files {
  return Object.fromEntries(
    Object.entries(versions).map(([id, text]) => [
      `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`,
      text,
    ]),
  );
}

const A = source([md5('a'), sha256('a')]);
const B = source([md5('b'), sha256('b')]);
const OTHER = { 'q.1': 'a: 1' };

type History = readonly [what: string, trees: readonly Files[], findings: readonly (readonly string[])[]];

const REMOVALS: readonly History[] = [
  ['a version that goes', [tree({ 'p.1': A }), {}], [['p.1 version-removed']]],
  [
    'all versions of a name',
    [tree({ 'p.1': A, 'p.2': A }), {}],
    [['p.1 version-removed', 'p.2 version-removed']],
  ],
  [
    'the opam file alone',
    [{ ...tree({ 'p.1': A }), 'packages/p/p.1/url': 'a: 1' }, { 'packages/p/p.1/url': 'a: 1' }],
    [['p.1 version-removed']],
  ],
  [
    'all but the opam file',
    [{ ...tree({ 'p.1': A }), 'packages/p/p.1/files/a': 'a' }, tree({ 'p.1': A })],
    [['p.1 build-changed']],
  ],
  ['back as it was', [tree({ 'p.1': A }), {}, tree({ 'p.1': A })], [['p.1 version-removed'], []]],
  [
    'back with other commands, the archive the same',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': `${A}build: [make]` })],
    [['p.1 version-removed'], []],
  ],
  [
    'back with another archive',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': B })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back many steps later',
    [tree({ 'p.1': A }), {}, tree(OTHER), {}, tree(OTHER), tree({ 'p.1': B })],
    [
      ['p.1 version-removed'],
      [],
      ['q.1 version-removed'],
      [],
      ['p.1 version-reborn', 'q.1 version-removed'].reverse(),
    ],
  ],
  [
    'back with one hash that disagrees',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': source([md5('a'), sha256('b')]) })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back with no kind in common',
    [tree({ 'p.1': source([md5('a')]) }), {}, tree({ 'p.1': source([sha256('a')]) })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back without any checksum',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': source([]) })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back without an archive',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': '' })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back broken',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': '[' })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back with an archive where it had none',
    [tree({ 'p.1': '' }), {}, tree({ 'p.1': A })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back from another address, no hashes',
    [tree({ 'p.1': source([], 'a') }), {}, tree({ 'p.1': source([], 'b') })],
    [['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'back with the first hashes',
    [tree({ 'p.1': source([], 'a') }), {}, tree({ 'p.1': source([md5('a')], 'a') })],
    [['p.1 version-removed'], []],
  ],
  [
    'back from another address, the same hashes',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': source([md5('a'), sha256('a')], 'b') })],
    [['p.1 version-removed'], []],
  ],
  [
    'back with a hash more',
    [tree({ 'p.1': source([md5('a')]) }), {}, tree({ 'p.1': A })],
    [['p.1 version-removed'], []],
  ],
  [
    'back with a hash less',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': source([md5('a')]) })],
    [['p.1 version-removed'], ['p.1 checksum-dropped']],
  ],
  [
    'back with a malformed one more',
    [tree({ 'p.1': source([md5('a')]) }), {}, tree({ 'p.1': source([md5('a'), 'md5=g']) })],
    [['p.1 version-removed'], ['p.1 checksum-malformed']],
  ],
  [
    'back with another extra-source',
    [tree({ 'p.1': extra('x', [md5('a')]) }), {}, tree({ 'p.1': extra('x', [md5('b')]) })],
    [['p.1 version-removed'], ['p.1 extra-source-altered']],
  ],
  [
    'away and back twice',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': B }), {}, tree({ 'p.1': A })],
    [['p.1 version-removed'], ['p.1 version-reborn'], ['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'measured by what it last was',
    [tree({ 'p.1': A }), tree({ 'p.1': B }), {}, tree({ 'p.1': B })],
    [['p.1 archive-altered'], ['p.1 version-removed'], []],
  ],
  [
    'new, gone and back',
    [{}, tree({ 'p.1': A }), {}, tree({ 'p.1': B })],
    [[], ['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'broken from the first, gone, and back',
    [tree({ 'p.1': '[' }), {}, tree({ 'p.1': A })],
    [['p.1 version-removed'], []],
  ],
];

const EQUALS: readonly History[] = [
  [
    'to a folder without opam',
    [{ 'packages/p/p.1.0/url': 'a: 1' }, { 'packages/p/p.1.0/url': 'a: 1', ...tree({ 'p.1.00': A }) }],
    [[]],
  ],
  ['a zero more', [tree({ 'p.1.0': A }), tree({ 'p.1.0': A, 'p.1.00': A })], [['p.1.00 equal-version']]],
  [
    'a zero behind letters',
    [tree({ 'p.5+a': A }), tree({ 'p.5+a': A, 'p.5+a0': B })],
    [['p.5+a0 equal-version']],
  ],
  ['two that come together', [{}, tree({ 'p.1.0': A, 'p.1.00': A })], [['p.1.00 equal-version']]],
  [
    'three',
    [tree({ 'p.01': A }), tree({ 'p.01': A, 'p.1': A, 'p.001': A })],
    [['p.001 equal-version', 'p.1 equal-version']],
  ],
  ['of another name', [tree({ 'p.1.0': A }), tree({ 'p.1.0': A, 'q.1.00': A })], [[]]],
  ['not equal', [tree({ 'p.1.0': A }), tree({ 'p.1.0': A, 'p.1.0.0': A })], [[]]],
  ['in the place of the other', [tree({ 'p.1.0': A }), tree({ 'p.1.00': A })], [['p.1.0 version-removed']]],
  [
    'in the place of the other, the other way',
    [tree({ 'p.1.00': A }), tree({ 'p.1.0': A })],
    [['p.1.00 version-removed']],
  ],
  [
    'when the other is long gone',
    [tree({ 'p.1.0': A }), {}, tree({ 'p.1.00': A })],
    [['p.1.0 version-removed'], []],
  ],
  [
    'taken for granted at the beginning',
    [tree({ 'p.1.0': A, 'p.1.00': A }), tree({ 'p.1.0': A, 'p.1.00': A })],
    [[]],
  ],
  [
    'back as another project is graver',
    [tree({ 'p.1.0': A, 'p.1.00': A }), tree({ 'p.1.0': A }), tree({ 'p.1.0': A, 'p.1.00': B })],
    [['p.1.00 version-removed'], ['p.1.00 version-reborn']],
  ],
  [
    'back as it was',
    [tree({ 'p.1.0': A, 'p.1.00': A }), tree({ 'p.1.0': A }), tree({ 'p.1.0': A, 'p.1.00': A })],
    [['p.1.00 version-removed'], ['p.1.00 equal-version']],
  ],
];

const PLACES: readonly History[] = [
  ['a name that is renamed', [tree({ 'p.1': A }), tree({ 'r.1': A })], [['p.1 version-removed']]],
  ['a version that is renamed', [tree({ 'p.1': A }), tree({ 'p.2': A })], [['p.1 version-removed']]],
  ['a folder of another name', [tree({ 'p.1': A }), { 'packages/x/p.1/opam': A }], [['p.1 version-removed']]],
  [
    'the flat layout of 1.0',
    [{ 'packages/p.1/opam': A }, { 'packages/p.1/opam': B }, tree({ 'p.1': A })],
    [[], []],
  ],
  [
    'compilers of 1.2',
    [{ 'compilers/4/4.0/4.0.comp': 'a: 1' }, { 'compilers/4/4.0/4.0.comp': 'a: 2' }, {}],
    [[], []],
  ],
  ['files of a name', [{ ...tree({ 'p.1': A }), 'packages/p/delegation': 'a' }, tree({ 'p.1': A })], [[]]],
  ['repo', [{ repo: 'a: 1' }, { repo: 'a: 2' }], [[]]],
  [
    'a folder without opam',
    [{ 'packages/p/p.1/url': 'a: 1' }, { 'packages/p/p.1/url': 'a: 2' }, {}],
    [[], []],
  ],
  [
    'opam comes after url',
    [
      { 'packages/p/p.1/url': `checksum: "${md5('a')}"` },
      { 'packages/p/p.1/url': `checksum: "${md5('a')}"`, ...tree({ 'p.1': '' }) },
      { 'packages/p/p.1/url': `checksum: "${md5('b')}"`, ...tree({ 'p.1': '' }) },
    ],
    [[], ['p.1 archive-altered']],
  ],
];

const BREAKS: readonly History[] = [
  [
    'gone, back broken, and mended as another',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': '[' }), tree({ 'p.1': B })],
    [['p.1 version-removed'], ['p.1 version-reborn'], ['p.1 archive-altered']],
  ],
  [
    'gone, back broken, and mended as it was',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': '[' }), tree({ 'p.1': A })],
    [['p.1 version-removed'], ['p.1 version-reborn'], ['p.1 build-changed']],
  ],
  [
    'gone, back broken, gone, and back as another',
    [tree({ 'p.1': A }), {}, tree({ 'p.1': '[' }), {}, tree({ 'p.1': B })],
    [['p.1 version-removed'], ['p.1 version-reborn'], ['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'broken and mended',
    [tree({ 'p.1': A }), tree({ 'p.1': '[' }), tree({ 'p.1': A })],
    [['p.1 checksum-dropped'], ['p.1 build-changed']],
  ],
  [
    'altered behind a broken file',
    [tree({ 'p.1': A }), tree({ 'p.1': '[' }), tree({ 'p.1': B })],
    [['p.1 checksum-dropped'], ['p.1 archive-altered']],
  ],
  [
    'altered behind two broken files',
    [tree({ 'p.1': A }), tree({ 'p.1': '[' }), tree({ 'p.1': ']' }), tree({ 'p.1': B })],
    [['p.1 checksum-dropped'], ['p.1 checksum-dropped'], ['p.1 archive-altered']],
  ],
  [
    'mended, and altered later',
    [tree({ 'p.1': A }), tree({ 'p.1': '[' }), tree({ 'p.1': B }), tree({ 'p.1': A })],
    [['p.1 checksum-dropped'], ['p.1 archive-altered'], ['p.1 archive-altered']],
  ],
  [
    'broken, gone, and back as another',
    [tree({ 'p.1': A }), tree({ 'p.1': '[' }), {}, tree({ 'p.1': B })],
    [['p.1 checksum-dropped'], ['p.1 version-removed'], ['p.1 version-reborn']],
  ],
  [
    'broken, gone, and back as it was',
    [tree({ 'p.1': A }), tree({ 'p.1': '[' }), {}, tree({ 'p.1': A })],
    [['p.1 checksum-dropped'], ['p.1 version-removed'], []],
  ],
];

describe.each([
  ['removal and return', REMOVALS],
  ['equal versions', EQUALS],
  ['places', PLACES],
  ['broken files', BREAKS],
])('%s', (_, histories) => {
  it.each(histories)('%s', (_what, [first = {}, ...trees], expected) => {
    const steps = guardTrees(first, ...trees).map((findings) => [...named(findings)].sort());
    expect(steps).toEqual(expected.map((findings) => [...findings].sort()));
  });
});

describe('the guard', () => {
  it('asks only for the files that judging needs', () => {
    const guard = new Guard();
    const versions = tree({ 'p.1': A, 'p.2': A, 'q.1': A });
    guard.begin(changesBetween({}, versions));
    const after = {
      ...versions,
      ...tree({ 'p.1': B, 'p.3': A, 'p.02': 'x-a: 1' }),
      'packages/q/q.1/files/a': 'a',
    };
    const observed = guard.observe(changesBetween(versions, after));
    expect(observed.map(({ id, needs }) => [id.name, id.version, needs])).toEqual([
      ['p', '1', [A, B]],
      ['q', '1', []],
      ['p', '02', []],
    ]);
  });

  it('may observe steps ahead of judging them', () => {
    const trees = [tree({ 'p.1': A }), {}, tree({ 'p.1': B }), {}, tree({ 'p.1': B }), tree({ 'p.1': A })];
    const steps = trees.slice(1).map((after, index) => changesBetween(trees[index] ?? {}, after));
    const ahead = new Guard();
    ahead.begin(changesBetween({}, trees[0] ?? {}));
    const observed = steps.map((changes) => ahead.observe(changes));
    const one = new Guard();
    one.begin(changesBetween({}, trees[0] ?? {}));
    const expected = steps.map((changes) => judgeAll(one, changes));
    expect(observed.map((changes) => judgeObserved(ahead, changes))).toEqual(expected);
    expect(expected.map(named)).toEqual([
      ['p.1 version-removed'],
      ['p.1 version-reborn'],
      ['p.1 version-removed'],
      [],
      ['p.1 archive-altered'],
    ]);
  });

  it('begins with a tree in pieces', () => {
    const files = { ...tree({ 'p.1': '' }), 'packages/p/p.1/url': `checksum: "${md5('a')}"` };
    const guard = new Guard();
    for (const change of changesBetween({}, files)) guard.begin([change]);
    const after = { ...files, 'packages/p/p.1/url': `checksum: "${md5('b')}"` };
    expect(named(judgeAll(guard, changesBetween(files, after)))).toEqual(['p.1 archive-altered']);
  });
});
