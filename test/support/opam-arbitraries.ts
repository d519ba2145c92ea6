/** Random opam trees for fast-check. Every tree here is one that some source text means. */
import fc from 'fast-check';
import type { Atom, EnvironmentOperator, RelationOperator, Value } from '../../src/opam/syntax.ts';

const AT = { at: 0 } as const;
const RELATIONS: readonly RelationOperator[] = ['=', '!=', '<', '<=', '>', '>=', '~'];
const ENVIRONMENTS: readonly EnvironmentOperator[] = ['+=', '=+', '=+=', ':=', '=:'];

/** Bytes that mean something somewhere in the language, and a few that mean nothing. */
const NASTY_BYTE = fc.constantFrom(...'"\\\n\r\t\b ()[]{}&|!?=<>~:+*#_-a1\0\x7f\x80\xc3\xa9\xff');

export const opamText: fc.Arbitrary<string> = fc.oneof(
  fc.array(NASTY_BYTE, { maxLength: 8 }).map((bytes) => bytes.join('')),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);

const word = fc.stringMatching(/^[A-Za-z0-9_-]{0,2}[A-Za-z][A-Za-z0-9_-]{0,2}$/);
const part = fc.oneof(word, fc.constant('_'));

export const opamIdent: fc.Arbitrary<string> = fc
  .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), fc.option(word, { nil: undefined }))
  .map(([parts, last]) => parts.join('+') + (last === undefined ? '' : `:${last}`))
  .filter((name) => !['_', 'true', 'false'].includes(name));

export const opamInt: fc.Arbitrary<string> = fc
  .bigInt(-(2n ** 62n), 2n ** 62n - 1n)
  .map((number) => number.toString());

const anyAtom: fc.Arbitrary<Atom> = fc.oneof(
  opamText.map((text) => ({ kind: 'string' as const, ...AT, text })),
  opamIdent.map((name) => ({ kind: 'ident' as const, ...AT, name })),
  opamInt.map((digits) => ({ kind: 'int' as const, ...AT, digits })),
  fc.boolean().map((value) => ({ kind: 'bool' as const, ...AT, value })),
);

/** Few different atoms, so that two random trees are often almost the same. */
const plainAtom: fc.Arbitrary<Atom> = fc.constantFrom<Atom>(
  { kind: 'ident', ...AT, name: 'a' },
  { kind: 'ident', ...AT, name: 'b' },
  { kind: 'string', ...AT, text: 's' },
);

function valueOver(atom: fc.Arbitrary<Atom>): fc.Arbitrary<Value> {
  return fc.letrec<{ value: Value }>((tie) => {
    const value = tie('value');
    const few = fc.array(value, { maxLength: 3 });
    const chain = fc.array(value, { minLength: 2, maxLength: 3 });
    return {
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        atom,
        fc
          .tuple(fc.constantFrom(...RELATIONS), atom)
          .map(([operator, right]) => ({ kind: 'prefix-relation' as const, ...AT, operator, right })),
        fc.tuple(fc.constantFrom(...RELATIONS), atom, atom).map(([operator, left, right]) => ({
          kind: 'relation' as const,
          ...AT,
          operator,
          left,
          right,
        })),
        fc.tuple(fc.constantFrom(...ENVIRONMENTS), atom, atom).map(([operator, left, right]) => ({
          kind: 'environment' as const,
          ...AT,
          operator,
          left,
          right,
        })),
        few.map((items) => ({ kind: 'list' as const, ...AT, items })),
        few.map((items) => ({ kind: 'group' as const, ...AT, items })),
        fc.tuple(value, few).map(([inner, options]) => ({
          kind: 'option' as const,
          ...AT,
          value: inner,
          options,
        })),
        fc
          .tuple(fc.constantFrom('and' as const, 'or' as const), chain)
          .map(([kind, operands]) => ({ kind, ...AT, operands })),
        fc
          .tuple(fc.constantFrom('not' as const, 'defined' as const), value)
          .map(([kind, operand]) => ({ kind, ...AT, operand })),
      ),
    };
  }).value;
}

/** Any tree, parentheses wherever. */
export const opamValue: fc.Arbitrary<Value> = valueOver(anyAtom);

/** Trees over three atoms whose texts hold no parentheses. */
export const plainOpamValue: fc.Arbitrary<Value> = valueOver(plainAtom);
