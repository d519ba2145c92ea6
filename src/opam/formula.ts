/** Version formulas: `>= "1.0" & < "2"`, as delegations and denials use them. */
import type { Value } from './syntax.ts';
import { compareVersions } from './version.ts';

export type VersionOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type VersionFormula =
  | { readonly kind: 'compare'; readonly operator: VersionOperator; readonly version: string }
  | { readonly kind: 'and'; readonly operands: readonly VersionFormula[] }
  | { readonly kind: 'or'; readonly operands: readonly VersionFormula[] };

/**
 * The formula that a value means: comparisons with a string, `&`, `|`, parentheses. Undefined for anything
 * else (SIGNED-FORMAT.md, point 5): no identifiers, no `!`, no bare versions.
 */
export function versionFormula(value: Value): VersionFormula | undefined {
  switch (value.kind) {
    case 'prefix-relation':
      if (value.operator === '~' || value.right.kind !== 'string') return undefined;
      return { kind: 'compare', operator: value.operator, version: value.right.text };
    case 'group': {
      const [only] = value.items;
      return value.items.length === 1 && only !== undefined ? versionFormula(only) : undefined;
    }
    case 'and':
    case 'or': {
      const operands: VersionFormula[] = [];
      for (const operand of value.operands) {
        const formula = versionFormula(operand);
        if (formula === undefined) return undefined;
        operands.push(formula);
      }
      return { kind: value.kind, operands };
    }
    default:
      return undefined;
  }
}

/** True when the version satisfies the formula, in opam's order. */
export function satisfies(version: string, formula: VersionFormula): boolean {
  if (formula.kind === 'and') return formula.operands.every((operand) => satisfies(version, operand));
  if (formula.kind === 'or') return formula.operands.some((operand) => satisfies(version, operand));
  const order = compareVersions(version, formula.version);
  switch (formula.operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}
