import type { Rule, Violation } from '../dialect.ts';

/** What is wrong with one file or tag, before it is known where and in which step it stands. */
export interface Problem {
  readonly rule: Rule;
  readonly message: string;
  /** Ids of the keys that signed, or should have. */
  readonly keys: readonly string[];
}

export function problem(rule: Rule, message: string, keys: readonly string[] = []): Problem {
  return { rule, message, keys };
}

export function isProblem(found: object): found is Problem {
  return 'rule' in found && 'message' in found;
}

export function violation(found: Problem, path: string, commit?: string): Violation {
  return { ...found, path, ...(commit === undefined ? {} : { commit }) };
}
