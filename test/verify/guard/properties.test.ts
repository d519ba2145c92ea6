/** What holds for any file: layout is never grave, order never matters, the same steps give the same findings. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printOpamFile, printValue } from '../../../src/opam/printer.ts';
import type { Field, Item } from '../../../src/opam/syntax.ts';
import { compareVersions } from '../../../src/opam/version.ts';
import { compareGravity } from '../../../src/verify/guard/classes.ts';
import { readFacts } from '../../../src/verify/guard/facts.ts';
import { Guard } from '../../../src/verify/guard/guard.ts';
import { orderKey } from '../../../src/verify/guard/order-key.ts';
import {
  changesBetween,
  extra,
  type Files,
  guardTrees,
  judgeAll,
  md5,
  named,
  p1,
  sha256,
  sha512,
  source,
} from '../../support/guard-trees.ts';
import { opamIdent, opamValue } from '../../support/opam-arbitraries.ts';
import { parseFile } from '../../support/opam-shapes.ts';
import { nastyVersion, versionText } from '../../support/opam-versions.ts';

const FIELD_NAMES = [
  'build',
  'depends',
  'available',
  'synopsis',
  'patches',
  'x-a',
  'unknown',
  'url',
  'extra-files',
];

const anyField: fc.Arbitrary<Field> = fc
  .tuple(fc.oneof(fc.constantFrom(...FIELD_NAMES), opamIdent), opamValue)
  .map(([name, value]) => ({ kind: 'field', at: 0, name, value }));

/** Fields of different names, so that no order among duplicates is lost. */
const anyFields = fc.uniqueArray(anyField, { selector: ({ name }) => name, maxLength: 6 });

const hash = fc.constantFrom(md5('a'), md5('b'), sha256('a'), sha256('b'), 'md5=g', 'rubbish');
const hashes = fc.uniqueArray(hash, { maxLength: 3 });
const address = fc.constantFrom('https://a', 'https://b', 'git+https://a');
const anySources: fc.Arbitrary<readonly string[]> = fc
  .tuple(fc.option(fc.tuple(hashes, address)), fc.uniqueArray(fc.constantFrom('x', 'y/z')), hashes)
  .map(([archive, names, sums]) => [
    ...(archive === null ? [] : [source(...archive)]),
    ...names.map((name) => extra(name, sums)),
  ]);

/** The items of a file, each printed, in any order. */
const anyItems: fc.Arbitrary<readonly string[]> = fc
  .tuple(anyFields, anySources)
  .map(([fields, sources]) => [...fields.map((field) => printOpamFile({ items: [field] })), ...sources]);

/** The same items written otherwise: blanks, comments, line ends and parentheses wherever they mean nothing. */
const BLANK = fc.constantFrom(' ', '\n', '\t', '\r\n', ' # )]}" c\n', '(* (* ) *) " *)');

function spaced(items: readonly Item[], blanks: readonly string[]): string {
  let next = 0;
  const blank = (): string => blanks[next++ % blanks.length] ?? ' ';
  const write = (item: Item): string => {
    if (item.kind === 'field')
      return `${item.name}${blank()}:${blank()}(${blank()}${printValue(item.value)}${blank()})`;
    const label = item.label === undefined ? '' : `"${item.label}"`;
    return `${item.name}${blank()}${label}{${blank()}${item.items.map(plain).join(blank())}${blank()}}`;
  };
  // opam reads no parentheses in the fields of sources.
  const plain = (item: Item): string => printOpamFile({ items: [item] }).trim();
  return items.map((item) => `${blank()}\n${write(item)}`).join(blank());
}

describe('layout', () => {
  it('is never graver than description-changed', () => {
    fc.assert(
      fc.property(anyItems, fc.array(BLANK, { minLength: 1, maxLength: 9 }), (items, blanks) => {
        const before = items.join('');
        const after = spaced(parseFile(before).items, blanks);
        fc.pre(before !== after);
        expect(named(guardTrees(p1(before), p1(after))[0])).toEqual(['p.1 description-changed']);
      }),
    );
  });

  it('nor is the order of fields and sections', () => {
    const shuffled = anyItems.chain((items) =>
      fc.tuple(fc.constant(items), fc.shuffledSubarray([...items], { minLength: items.length })),
    );
    fc.assert(
      fc.property(shuffled, ([items, other]) => {
        fc.pre(items.join('') !== other.join(''));
        expect(named(guardTrees(p1(items.join('')), p1(other.join('')))[0])).toEqual([
          'p.1 description-changed',
        ]);
      }),
    );
  });
});

describe('judging', () => {
  const twoForms = fc.tuple(anyItems, anyItems).map(([a, b]) => [a.join(''), b.join('')] as const);

  it('finds one class for each change, and the same in either order of fields', () => {
    fc.assert(
      fc.property(anyItems, anyItems, fc.boolean(), (a, b, reverse) => {
        fc.pre(a.join('') !== b.join(''));
        const [before, after] = reverse ? [a.toReversed(), b.toReversed()] : [a, b];
        const expected = guardTrees(p1(a.join('')), p1(b.join('')));
        expect(expected[0]).toHaveLength(1);
        // To the texts: nothing in a finding comes from an order.
        expect(guardTrees(p1(before.join('')), p1(after.join('')))).toEqual(expected);
      }),
    );
  });

  it('is deterministic, and indifferent to what stands beside', () => {
    fc.assert(
      fc.property(twoForms, fc.array(nastyVersion, { maxLength: 4 }), ([before, after], versions) => {
        const others = Object.fromEntries(
          versions.map((version) => [`packages/q/q.${version}/opam`, 'a: 1']),
        );
        const [alone] = guardTrees(p1(before), p1(after));
        const [beside] = guardTrees({ ...p1(before), ...others }, { ...p1(after), ...others });
        expect(beside).toEqual(alone);
      }),
    );
  });

  it('adds no reason that is less grave than what changed last', () => {
    fc.assert(
      fc.property(anySources, (sources) => {
        const before = sources.join('');
        const [[one] = []] = guardTrees(p1(before), p1(`${before}build: "b"`));
        const [[two] = []] = guardTrees(p1(before), p1(`${before}build: "b"\nsynopsis: "s"`));
        expect(compareGravity(one?.class ?? 'archive-altered', two?.class ?? 'archive-altered')).toBe(0);
      }),
    );
  });

  it('takes a step in any order of its changes', () => {
    const versions = fc.uniqueArray(nastyVersion, { maxLength: 5 });
    const files = (list: readonly string[]): Files =>
      Object.fromEntries(list.map((version) => [`packages/p/p.${version}/opam`, source([md5('a')])]));
    const step = fc
      .tuple(versions, versions)
      .map(([old, now]) => ({ old, now, changes: changesBetween(files(old), files(now)) }))
      .chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all.changes, { minLength: all.changes.length })),
      );
    fc.assert(
      fc.property(step, ([{ old, now, changes }, shuffled]) => {
        const [inOrder, other] = [changes, shuffled].map((each) => {
          const guard = new Guard();
          guard.begin(changesBetween({}, files(old)));
          return [...named(judgeAll(guard, each))].sort();
        });
        expect(other).toEqual(inOrder);
        const removed = old.filter((version) => !now.includes(version));
        // Of those that compare equal, all but one are reported, unless they stood before.
        const fresh = now.filter((version) => !old.includes(version)).sort();
        const equal = fresh.filter((version, index) =>
          now.some(
            (one) =>
              one !== version &&
              compareVersions(one, version) === 0 &&
              (old.includes(one) || fresh.indexOf(one) < index),
          ),
        );
        const expected = [
          ...removed.map((version) => `p.${version} version-removed`),
          ...equal.map((version) => `p.${version} equal-version`),
        ];
        expect(inOrder).toEqual(expected.sort());
      }),
    );
  });
});

describe('checksums', () => {
  it('fall into the class that the issue words for them, for every pair of sets', () => {
    const values = [undefined, 'a', 'b'];
    const sets = values.flatMap((x) => values.flatMap((y) => values.map((z) => [x, y, z] as const)));
    const write = (set: readonly (string | undefined)[]): string => {
      const show = [md5, sha256, sha512];
      return source(set.flatMap((value, kind) => (value === undefined ? [] : [show[kind]?.(value) ?? ''])));
    };
    for (const before of sets) {
      for (const after of sets) {
        const kinds = [0, 1, 2];
        const had = kinds.filter((kind) => before[kind] !== undefined);
        const has = kinds.filter((kind) => after[kind] !== undefined);
        const common = had.filter((kind) => has.includes(kind));
        const altered = common.some((kind) => before[kind] !== after[kind]);
        const another = had.length > 0 && has.length > 0 && (common.length === 0 || altered);
        let expected = ['p.1 hashes-added'];
        if (before === after) expected = [];
        else if (another) expected = ['p.1 archive-altered'];
        else if (common.length < had.length) expected = ['p.1 checksum-dropped'];
        expect(named(guardTrees(p1(write(before)), p1(write(after)))[0])).toEqual(expected);
      }
    }
  });
});

describe('the order key', () => {
  it('is the same exactly where opam calls versions equal', () => {
    fc.assert(
      fc.property(versionText, versionText, (a, b) => {
        expect(orderKey(a) === orderKey(b)).toBe(compareVersions(a, b) === 0);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['1.0', '1.00', true],
    ['1', '1-', true],
    ['1-0', '1', true],
    ['a', 'a0', true],
    ['1.', '1.0', true],
    ['1..1', '1.0.1', false],
    ['0a', 'a', false],
    ['1~', '1', false],
    ['1-2-3', '1-2', false],
    ['10', '1', false],
  ])('%s and %s: %s', (a, b, equal) => {
    expect(orderKey(a) === orderKey(b)).toBe(equal);
    expect(compareVersions(a, b) === 0).toBe(equal);
  });
});

describe('facts', () => {
  it('of hostile files are made, and compared, in linear work', () => {
    const fields = Array.from({ length: 20_000 }, (_, index) => `f${index}: 1\n`);
    const same = 'build: 1\n'.repeat(20_000);
    const versions = Array.from(
      { length: 20_000 },
      (_, index) => `packages/p/p.1.${'0'.repeat(index % 90)}${index}/opam`,
    );
    const steps = guardTrees(
      { ...p1(fields.join('')), ...Object.fromEntries(versions.map((path) => [path, 'a: 1'])) },
      p1(`${fields.toReversed().join('')}${same}`),
    );
    expect(steps[0]).toHaveLength(20_001);
  });

  it('never fail', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(readFacts(bytes).readable).toBeTypeOf('boolean');
      }),
    );
  });
});
