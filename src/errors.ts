/**
 * The closed set of error codes. A code is what programs, logs and status pages tell errors apart by;
 * the message tells a person what happened, to what, and what to do.
 *
 * Verification violations and policy holds are not errors: see src/verify/.
 */
export const ERROR_CODES = [
  // The user's side: exit code 2.
  'usage',
  'config-invalid',
  // The opam language.
  'opam-syntax',
  // The upstream cannot be had.
  'upstream-unreachable',
  'upstream-status',
  'upstream-missing',
  'upstream-timeout',
  'upstream-truncated',
  'upstream-protocol',
  'address-refused',
  'redirect-refused',
  // The upstream sent something that is refused.
  'limit-exceeded',
  'archive-format',
  'tree-refused',
  'git-failed',
  'git-refused',
  'checksum-mismatch',
  'snapshot-refused',
  'repository-empty',
  // Asked for something that is not there.
  'not-found',
  // Our own ground.
  'store-corrupt',
  'store-failed',
  'aborted',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export class SeraiError extends Error {
  readonly code: ErrorCode;
  /** What it is about, where programs have to know: a git object's id. */
  readonly subject: string | undefined;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; subject?: string }) {
    super(message, options);
    this.name = 'SeraiError';
    this.code = code;
    this.subject = options?.subject;
  }
}

/** The error as a SeraiError: itself, or wrapped as `code` with the original as its cause. */
export function asSeraiError(error: unknown, code: ErrorCode, what: string): SeraiError {
  if (error instanceof SeraiError) return error;
  return new SeraiError(code, `${what}: ${reasonOf(error)}`, { cause: error });
}

/** What an unknown thrown value says of itself, in one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message.split('\n', 1)[0] ?? error.name;
  return String(error);
}
