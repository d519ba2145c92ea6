import type { Rule } from '../dialect.ts';

/** A signed file is not of its form. Never leaves the reading of one file: it becomes an InvalidFile. */
export class FormError extends Error {
  readonly rule: Rule;

  constructor(rule: Rule, message: string) {
    super(message);
    this.name = 'FormError';
    this.rule = rule;
  }
}
