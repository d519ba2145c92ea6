/** SIGNED-FORMAT.md, point 5. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { satisfies, versionFormula } from '../../src/opam/formula.ts';
import { compareVersions } from '../../src/opam/version.ts';
import { parseValue } from '../support/opam-shapes.ts';
import { nastyVersion } from '../support/opam-versions.ts';

function holds(version: string, source: string): boolean {
  const formula = versionFormula(parseValue(source));
  if (formula === undefined) throw new Error(`${source} is no formula`);
  return satisfies(version, formula);
}

describe('a version satisfies', () => {
  it.each([
    ['= "1.0"', ['1.0', '1.00', '01.0'], ['1', '1.0~', '1.1']],
    ['!= "1.0"', ['1', '1.0~', '1.1'], ['1.0', '1.00']],
    ['< "1.0"', ['0.9', '1.0~rc', '1'], ['1.0', '1.00', '1.1']],
    ['<= "1.0"', ['0.9', '1.0~rc', '1.0', '1.00'], ['1.0-1', '1.1']],
    ['> "1.0"', ['1.0-1', '1.1', '1.0a'], ['1.0', '1.00', '1.0~rc']],
    ['>= "1.0"', ['1.0', '1.00', '2'], ['1.0~rc', '0.9']],
    ['(= "1")', ['1'], ['2']],
    ['((>= "1"))', ['1', '2'], ['0']],
    ['>= "1" & < "2"', ['1', '1.9', '2~'], ['0', '2', '3']],
    ['< "1" | >= "2"', ['0', '2'], ['1', '1.9']],
    ['= "1" | = "2" & = "3"', ['1'], ['2', '3']],
    ['(= "1" | = "2") & != "1"', ['2'], ['1', '3']],
    ['>= "1" & < "9" & != "2" & != "3"', ['1', '4'], ['2', '3', '0', '9']],
    ['= "1" | = "2" | = "3"', ['1', '2', '3'], ['4']],
    ['= """1"""', ['1'], ['2']],
    ['= ""', ['0'], ['1', 'a']],
  ])('%s', (source, inside, outside) => {
    for (const version of inside) expect([version, holds(version, source)]).toEqual([version, true]);
    for (const version of outside) expect([version, holds(version, source)]).toEqual([version, false]);
  });

  it('a comparison exactly when the order says so', () => {
    fc.assert(
      fc.property(nastyVersion, nastyVersion, (a, b) => {
        const order = compareVersions(a, b);
        expect(['=', '!=', '<', '<=', '>', '>='].map((operator) => holds(a, `${operator} "${b}"`))).toEqual([
          order === 0,
          order !== 0,
          order < 0,
          order <= 0,
          order > 0,
          order >= 0,
        ]);
      }),
    );
  });
});

describe('no formula', () => {
  it.each([
    '"1.0"',
    '1',
    'true',
    'build',
    '= 1',
    '= version',
    '= true',
    '~ "1"',
    '!(= "1")',
    '!>= "1"',
    '?a',
    'a = "1"',
    '"1" = "2"',
    'a += "1"',
    '[= "1"]',
    '[]',
    '()',
    '(= "1" = "2")',
    '= "1" {build}',
    '= "1" & build',
    'build & = "1"',
    '= "1" | "2"',
    '= "1" | (!(= "2"))',
    '(= "1" | = "2") & ()',
  ])('%s', (source) => {
    expect(versionFormula(parseValue(source))).toBeUndefined();
  });
});
