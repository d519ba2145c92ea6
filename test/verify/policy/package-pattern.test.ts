/** What people may write to name packages, what it means, and that all spellings of it are one pattern. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PackageId, parsePackageId } from '../../../src/opam/package-id.ts';
import { compareVersions } from '../../../src/opam/version.ts';
import {
  LONGEST_PATTERN,
  type PackagePattern,
  parsePackagePattern,
  patternLookup,
} from '../../../src/verify/policy/package-pattern.ts';
import { nastyVersion } from '../../support/opam-versions.ts';

function id(text: string): PackageId {
  const parsed = parsePackageId(text);
  if (parsed === undefined) throw new Error(`${text} is no package`);
  return parsed;
}

function pattern(text: string): PackagePattern {
  const parsed = parsePackagePattern(text);
  if (parsed === undefined) throw new Error(`${text} is no pattern`);
  return parsed;
}

describe('a pattern', () => {
  it.each([
    ['foo', 'foo'],
    [' foo\n', 'foo'],
    ['"foo"', 'foo'],
    ['0install', '0install'],
    ['conf-g++', 'conf-g++'],
    ['*', '*'],
    ['foo*', 'foo*'],
    ['*-async', '*-async'],
    ['foo***-**x', 'foo*-*x'],
    ['"foo-*"', 'foo-*'],
    ['foo.1.2', 'foo{= "1.2"}'],
    ['foo*.1.2', 'foo*{= "1.2"}'],
    ['foo=1.2', 'foo{= "1.2"}'],
    ['foo = 1.2', 'foo{= "1.2"}'],
    ['foo{="1.2"}', 'foo{= "1.2"}'],
    ['foo>=1.2', 'foo{>= "1.2"}'],
    ['foo>1.2', 'foo{> "1.2"}'],
    ['foo<=1.2', 'foo{<= "1.2"}'],
    ['foo<2', 'foo{< "2"}'],
    ['foo!=1.2', 'foo{!= "1.2"}'],
    ['foo*>=1.2', 'foo*{>= "1.2"}'],
    ['foo{>= "1.2" & < "2"}', 'foo{>= "1.2" & < "2"}'],
    ['foo {>="1.2"&<"2"}', 'foo{>= "1.2" & < "2"}'],
    ['"foo" { (>= "1.2") & (< "2") }', 'foo{>= "1.2" & < "2"}'],
    ['"foo"{\n  >= "1.2" (* since *)\n  & < "2"\n}', 'foo{>= "1.2" & < "2"}'],
    ['foo{= "1" | = "2" & != "3"}', 'foo{= "1" | = "2" & != "3"}'],
    ['foo{(= "1" | = "2") & != "3"}', 'foo{(= "1" | = "2") & != "3"}'],
  ])('%j is %s', (text, canonical) => {
    expect(pattern(text).text).toBe(canonical);
    expect(pattern(canonical).text).toBe(canonical);
  });

  it.each([
    [''],
    ['  '],
    ['12'],
    ['foo bar'],
    ['foo/bar'],
    ['fo?'],
    ['[fo]o'],
    ['.1.2'],
    ['foo.'],
    ['foo.*'],
    ['foo.1.*'],
    ['foo.1 2'],
    ['-foo*'],
    ['_*'],
    ['foo>='],
    ['>=1.2'],
    ['foo==1.2'],
    ['foo~1.2'],
    ['foo>="1.2"'],
    ['foo>=1.2&<2'],
    ['foo{}'],
    ['foo{>= "1.2"'],
    ['foo{>= "1.2"}}'],
    ['foo{>= "1.2"} {< "2"}'],
    ['foo{>= "1.2" < "2"}'],
    ['foo{>= "1.2"} bar'],
    ['foo{>= 1.2}'],
    ['foo{"1.2"}'],
    ['foo{!(= "1.2")}'],
    ['foo{>= version}'],
    ['foo{with-test}'],
    ['foo{= "1.2 "}'],
    ['foo{= ""}'],
    ['foo.1{= "1"}'],
    ['"foo'],
    ['"foo""bar"'],
    ['"foo.1.2"'],
    ['föö'],
    [`foo{${'('.repeat(600)}`],
  ])('%j is none', (text) => {
    expect(parsePackagePattern(text)).toBeUndefined();
  });

  it.each([
    ['foo', ['foo.1', 'foo.dev'], ['foo-bar.1', 'Foo.1', 'fo.1']],
    ['foo*', ['foo.1', 'foo-bar.1'], ['afoo.1']],
    ['*-async', ['cohttp-async.1', 'a-async.1'], ['async.1', 'a-async-b.1']],
    ['a*a', ['aa.1', 'aba.1'], ['a.1', 'ab.1']],
    ['a*bc*c', ['abcc.1', 'axbcbcxc.1'], ['abc.1']],
    ['foo.1.2', ['foo.1.2', 'foo.1.02'], ['foo.1.2.0', 'foo.1.2-1', 'foo.1', 'bar.1.2']],
    ['foo{>= "1.2" & < "2"}', ['foo.1.2', 'foo.1.10', 'foo.2~rc1'], ['foo.2', 'foo.1.2~rc1']],
    ['foo{< "1" | > "2"}', ['foo.0.9', 'foo.2.1'], ['foo.1', 'foo.2']],
    ['foo!=1.2', ['foo.1'], ['foo.1.2', 'foo.1.02', 'bar.1']],
    ['foo-*>=1.2', ['foo-a.1.2'], ['foo.1.2', 'foo-a.1.1']],
  ])('%s matches what it says', (text, yes, no) => {
    const { matches } = pattern(text);
    expect(yes.filter((candidate) => !matches(id(candidate)))).toEqual([]);
    expect(no.filter((candidate) => matches(id(candidate)))).toEqual([]);
  });

  it('says which package it is about when it is one', () => {
    expect(pattern('foo>=1').name).toBe('foo');
    expect(pattern('foo*').name).toBeUndefined();
  });

  it('has a length, in its own spelling and in the canonical one', () => {
    expect(parsePackagePattern('a'.repeat(LONGEST_PATTERN))).toBeDefined();
    expect(parsePackagePattern('a'.repeat(LONGEST_PATTERN + 1))).toBeUndefined();
    const tight = `a{${Array.from({ length: 160 }, () => '="1"').join('|')}}`;
    expect(tight.length).toBeLessThan(LONGEST_PATTERN);
    expect(parsePackagePattern(tight)).toBeUndefined();
  });
});

/** Tries every split, as the definition of a glob says. */
function naiveGlob(glob: string, name: string): boolean {
  if (glob === '') return name === '';
  if (glob[0] !== '*') return glob[0] === name[0] && naiveGlob(glob.slice(1), name.slice(1));
  return Array.from({ length: name.length + 1 }, (_, skipped) => skipped).some((skipped) =>
    naiveGlob(glob.slice(1), name.slice(skipped)),
  );
}

const letters = (alphabet: string, most: number) =>
  fc.array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: most }).map((all) => all.join(''));

interface Comparison {
  readonly text: string;
  readonly holds: (version: string) => boolean;
}

const OPERATORS: readonly (readonly [string, (order: number) => boolean])[] = [
  ['=', (order) => order === 0],
  ['!=', (order) => order !== 0],
  ['<', (order) => order < 0],
  ['<=', (order) => order <= 0],
  ['>', (order) => order > 0],
  ['>=', (order) => order >= 0],
];

const comparison: fc.Arbitrary<Comparison> = fc
  .tuple(fc.constantFrom(...OPERATORS), nastyVersion, fc.constantFrom('', ' ', '\n'))
  .map(([[operator, holds], version, blank]) => ({
    text: `${operator}${blank}"${version}"`,
    holds: (candidate) => holds(compareVersions(candidate, version)),
  }));

/** Everything in parentheses of its own, more of them than are needed. */
const { formula } = fc.letrec<{ formula: Comparison }>((tie) => ({
  formula: fc.oneof(
    { maxDepth: 3 },
    comparison,
    fc.tuple(fc.boolean(), fc.array(tie('formula'), { minLength: 2, maxLength: 3 })).map(([both, parts]) => ({
      text: parts.map(({ text }) => `(${text})`).join(both ? '&' : ' | '),
      holds: (version: string) =>
        both ? parts.every(({ holds }) => holds(version)) : parts.some(({ holds }) => holds(version)),
    })),
  ),
}));

describe('for all patterns', () => {
  it('a glob matches as trying every split does', () => {
    fc.assert(
      fc.property(letters('ab*', 7), letters('ab', 9), (glob, name) => {
        expect(pattern(glob).matches(id(`${name}.1`))).toBe(naiveGlob(glob, name));
      }),
      { numRuns: 1000 },
    );
  });

  it('a formula means what it says, and its canonical text means the same and stays', () => {
    fc.assert(
      fc.property(formula, fc.array(nastyVersion, { minLength: 1 }), ({ text, holds }, versions) => {
        const written = parsePackagePattern(`foo { ${text} }`);
        fc.pre(written !== undefined);
        const read = pattern(written.text);
        expect(read.text).toBe(written.text);
        for (const version of versions) {
          expect(written.matches(id(`foo.${version}`))).toBe(holds(version));
          expect(read.matches(id(`foo.${version}`))).toBe(holds(version));
        }
      }),
    );
  });

  it('never throws, whatever the text', () => {
    const token = fc.constantFrom(
      'foo',
      '*',
      '.',
      '{',
      '}',
      '(',
      ')',
      '"1"',
      '"',
      '>=',
      '=',
      '!',
      '&',
      '|',
      ' ',
      '#',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(token).map((all) => all.join('')),
        ),
        (text) => {
          const parsed = parsePackagePattern(text);
          if (parsed !== undefined) expect(pattern(parsed.text).text).toBe(parsed.text);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('a lookup among patterns', () => {
  it('finds one exactly where one matches, those that name the package first', () => {
    const any = fc.constantFrom('aa', 'ab', 'a*', '*b', '*', 'aa<2', 'aa.3', 'ab>=2', 'b*.1').map(pattern);
    fc.assert(
      fc.property(
        fc.array(any),
        fc.constantFrom('aa', 'ab', 'bb'),
        fc.constantFrom('1', '2', '3'),
        (all, name, version) => {
          const candidate = id(`${name}.${version}`);
          const fitting = all.filter((one) => one.matches(candidate));
          const found = patternLookup(all, (one) => one)(candidate);
          expect(found).toBe(fitting.find((one) => one.name !== undefined) ?? fitting[0]);
        },
      ),
    );
  });

  it('asks no pattern that names another package', () => {
    let asked = 0;
    const counting = Array.from({ length: 1000 }, (_, index): PackagePattern => {
      const real = pattern(`p${index}`);
      return {
        ...real,
        matches: (candidate) => {
          asked += 1;
          return real.matches(candidate);
        },
      };
    });
    const find = patternLookup(counting, (one) => one);
    for (let index = 0; index < 2000; index++) find(id(`p${index}.1`));
    expect(asked).toBe(1000);
  });
});
