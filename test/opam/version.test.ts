import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../src/opam/version.ts';
import { hasOpam, makeOpamFolder, removeOpamFolder, sortedByOpam } from '../support/opam-command.ts';
import { nastyVersion, versionText } from '../support/opam-versions.ts';
import { hasRealData, realJson } from '../support/real-data.ts';

function signOf(a: string, b: string): number {
  return Math.sign(compareVersions(a, b));
}

describe('each stands before the next', () => {
  it.each([
    [
      '~ before the end, the end before letters, letters before all else',
      ['1~~', '1~~a', '1~', '1', '1A', '1a', '1+', '1.', '1_'],
    ],
    ['letters by their code', ['A', 'B', 'Z', 'a', 'b', 'z']],
    ['numbers as numbers', ['0', '1', '2', '9', '10', '11', '100']],
    ['numbers of any length', ['1', `1${'0'.repeat(400)}`, `1${'0'.repeat(399)}1`, `2${'0'.repeat(400)}`]],
    ['numbers before what is no digit', ['1', '1.0', '1.0.0', '1.0.1', '1.1']],
    ['pre-releases', ['1.0~alpha', '1.0~beta', '1.0~beta2', '1.0~beta.1', '1.0~rc1', '1.0']],
    ['up to the last -, then behind it', ['1.0', '1.0-1', '1.0-2', '1.0-10', '1.0-a', '1.0.0', '1.0.0-0a']],
    ['only the last - divides', ['1-1', '1-2', '1-1-1', '1-1-2', '1-2-1']],
    ['~ behind a -', ['1.0-1~a', '1.0-1', '1.0-1a']],
    ['a lone ~ is before nothing', ['~', '', 'a']],
  ])('%s', (_, ordered) => {
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries()) expect([a, b, signOf(a, b)]).toEqual([a, b, Math.sign(i - j)]);
    }
  });
});

describe('two different versions that clients cannot tell apart', () => {
  it.each([
    ['5.5.0+introcaml', '5.5.0+introcaml0'],
    ['1.0', '1.00'],
    ['1.0', '01.0'],
    ['1', '1-'],
    ['1', '1-0'],
    ['1.', '1.0'],
    ['1~', '1~0'],
    ['a', 'a0'],
    ['', '0'],
    ['', '-'],
    ['1-a', '1-a000'],
  ])('%s and %s', (a, b) => {
    expect(signOf(a, b)).toBe(0);
    expect(signOf(b, a)).toBe(0);
  });
});

describe('a total preorder', () => {
  it('every version equals itself', () => {
    fc.assert(fc.property(versionText, (a) => compareVersions(a, a) === 0));
  });

  it('both directions agree', () => {
    fc.assert(
      fc.property(versionText, versionText, (a, b) => {
        expect(signOf(a, b) + signOf(b, a)).toBe(0);
      }),
      { numRuns: 5000 },
    );
  });

  it('before and equal carry over', () => {
    fc.assert(
      fc.property(versionText, versionText, versionText, (a, b, c) => {
        const [first, second, third] = [a, b, c].sort(compareVersions) as [string, string, string];
        expect(signOf(first, second)).toBeLessThanOrEqual(0);
        expect(signOf(second, third)).toBeLessThanOrEqual(0);
        const both = [signOf(first, second), signOf(second, third)];
        expect(signOf(first, third)).toBe(Math.min(...both));
      }),
      { numRuns: 5000 },
    );
  });

  it('in time linear in the versions', () => {
    const long = '1.0~a-'.repeat(200_000);
    expect(signOf(`${long}1`, `${long}2`)).toBe(-1);
    expect(signOf(`1${'0'.repeat(1_000_000)}`, `1${'0'.repeat(1_000_000)}1`)).toBe(-1);
  });
});

interface VersionPair {
  readonly pkg: string;
  readonly a: string;
  readonly b: string;
  readonly cmp: number;
}

describe.skipIf(!hasRealData('version-pairs.json'))(
  'pairs of the real repository, as opam orders them',
  () => {
    it('all agree', () => {
      const pairs = realJson('version-pairs.json') as readonly VersionPair[];
      expect(pairs.length).toBeGreaterThan(40);
      for (const { pkg, a, b, cmp } of pairs) {
        expect([pkg, a, signOf(a, b), b]).toEqual([pkg, a, cmp, b]);
        expect([pkg, b, signOf(b, a) + 0, a]).toEqual([pkg, b, 0 - cmp, a]);
      }
    });
  },
);

describe.skipIf(!hasOpam())('beside the real opam', () => {
  it('random versions stand in the same order, and the same ones are equal', () => {
    const folder = makeOpamFolder();
    try {
      fc.assert(
        fc.property(fc.uniqueArray(nastyVersion, { minLength: 300, maxLength: 500 }), (versions) => {
          const sorted = sortedByOpam(folder, versions);
          expect(sorted.length).toBeGreaterThan(200);
          for (const [i, version] of sorted.slice(1).entries()) {
            const before = sorted[i] ?? '';
            expect([before, version, signOf(before, version)]).toEqual([before, version, -1]);
          }
          // opam shows one version of each class: every version given must be equal to one that it shows.
          const lone = versions.filter((version) => !sorted.some((shown) => signOf(shown, version) === 0));
          expect(lone).toEqual([]);
        }),
        { numRuns: 5, endOnFailure: true },
      );
    } finally {
      removeOpamFolder(folder);
    }
  });
});
