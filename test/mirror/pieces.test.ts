import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { listingLine, listingOf } from '../../src/mirror/index/file-facts.ts';
import { divide, pieceKey } from '../../src/mirror/index/pieces.ts';
import { sha256Of } from '../../src/mirror/index/snapshot-id.ts';
import { compareBytewise } from '../../src/opam/tree.ts';

function pathsOf(names: readonly string[]): string[] {
  return names.flatMap((name) => [`packages/${name}/${name}.1/opam`, `packages/${name}/${name}.2/opam`]);
}

function sorted(paths: Iterable<string>): string[] {
  return [...paths].sort(compareBytewise);
}

const NAMES = Array.from({ length: 200 }, (_, index) => `package-${index}`);

function asText(pieces: readonly (readonly string[])[]): string[] {
  return pieces.map((piece) => piece.join('\n'));
}

describe('a tree is divided', () => {
  const pieces = divide(sorted(pathsOf(NAMES)));

  test('into runs that are the tree again when put together', () => {
    expect(pieces.flat()).toEqual(sorted(pathsOf(NAMES)));
    expect(pieces.length).toBeGreaterThan(NAMES.length / 10);
  });

  test('without cutting through a package', () => {
    for (const name of NAMES) {
      const holding = pieces.filter((piece) => piece.some((path) => path.startsWith(`packages/${name}/`)));
      expect(holding).toHaveLength(1);
    }
  });

  test('alike wherever it is done: borders are a matter of names', () => {
    // Written down once: another division would make every mirror compress and store all anew.
    expect(pieces.length).toBe(42);
    expect(pieces[1]?.[0]).toBe('packages/package-1/package-1.1/opam');
  });
});

test('what stands beside packages/ has pieces of its own', () => {
  const paths = [
    'compilers/4.0/4.0/4.0.comp',
    'keys/dev/ada',
    'keys/dev/bob',
    'packages/a/a.1/opam',
    'version',
  ];
  const areas = divide(paths).map((piece) => new Set(piece.map((path) => path.split('/')[0])));
  expect(areas.every((area) => area.size === 1)).toBe(true);
});

test('a new version touches no border', () => {
  const before = divide(sorted(pathsOf(NAMES)));
  const after = divide(sorted([...pathsOf(NAMES), 'packages/package-7/package-7.3/opam']));
  expect(after.length).toBe(before.length);
  const known = new Set(asText(before));
  expect(asText(after).filter((piece) => !known.has(piece))).toHaveLength(1);
});

test('property: a name that comes or goes touches a few pieces beside it', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,12}$/), (name) => {
      const before = new Set(asText(divide(sorted(pathsOf(NAMES)))));
      const after = asText(divide(sorted(pathsOf([...NAMES, name]))));
      expect(after.filter((piece) => !before.has(piece)).length).toBeLessThanOrEqual(4);
    }),
  );
});

test('property: nothing is lost, whatever the paths', () => {
  const path = fc.stringMatching(/^(packages|compilers|keys|version)(\/[a-c]{1,2}){0,3}$/);
  fc.assert(
    fc.property(fc.uniqueArray(path), (paths) => {
      const pieces = divide(sorted(paths));
      expect(pieces.flat()).toEqual(sorted(paths));
      expect(pieces.every((piece) => piece.length > 0)).toBe(true);
    }),
  );
});

test('a key is the SHA-256 of what sha256sum prints', () => {
  const file = { path: 'packages/a/a.1/opam', sha256: sha256Of(Buffer.from('content\n')) };
  expect(listingLine(file)).toBe(
    '434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53  packages/a/a.1/opam\n',
  );
  expect(pieceKey(listingOf([file]))).toBe(sha256Of(Buffer.from(listingLine(file))));
  expect(pieceKey(listingOf([file]))).not.toBe(
    pieceKey(listingOf([{ ...file, path: 'packages/a/a.2/opam' }])),
  );
});
