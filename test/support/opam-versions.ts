/** Random versions that are hard to order. */
import fc from 'fast-check';

const PIECES = ['~', '-', '+', '.', 'a', 'Z', '0', '00', '1', '10', '_'];

/** Texts of the order's own alphabet; not all of them are versions that opam would take. */
export const versionText: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 7 })
  .map((pieces) => pieces.join(''));

/** Versions of packages: they begin with a letter or a digit. */
export const nastyVersion: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom('a', 'Z', '0', '00', '1', '10'), versionText)
  .map(([first, rest]) => first + rest);
