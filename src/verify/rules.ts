/** The names of rules in verdicts (SIGNED-FORMAT.md, "Names of rules in verdicts"). */
import type { Rule } from './dialect.ts';

const RULE = /^(?:L[1-7]|T[1-3]|V1|P(?:[1-9]|1[0-4])|FORM|SIG|TREE)$/;

export function isRule(text: string): text is Rule {
  return RULE.test(text);
}
