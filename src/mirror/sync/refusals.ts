/** An update that was looked at and is not taken: how it is told. */
import { type ErrorCode, SeraiError } from '../../errors.ts';
import type { Violation } from '../../verify/dialect.ts';

/** Violations that an error tells of; the first are enough to see what is wrong. */
const SHOWN_VIOLATIONS = 20;

/** What the upstream sent was looked at, and is not taken. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'limit-exceeded',
  'archive-format',
  'tree-refused',
  'git-refused',
  'snapshot-refused',
  'repository-empty',
]);

export function isRefusal(code: ErrorCode): boolean {
  return REFUSALS.has(code);
}

/** The error for an update that breaks rules of its dialect. */
export function refusal(repository: string, violations: readonly Violation[]): SeraiError {
  const lines = violations.slice(0, SHOWN_VIOLATIONS).map(({ rule, path, commit, message, keys }) => {
    const where = commit === undefined ? path : `${path} at ${commit}`;
    return `${rule} ${where}: ${message}${keys.length === 0 ? '' : ` (keys: ${keys.join(', ')})`}`;
  });
  if (violations.length > lines.length) lines.push(`and ${violations.length - lines.length} more`);
  const first = `repository ${repository}: the update is refused; what was published stays`;
  return new SeraiError('snapshot-refused', [first, ...lines].join('\n  '));
}
