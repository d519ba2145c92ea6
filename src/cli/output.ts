/** How commands talk: results to standard output, everything else to standard error. */
import { SeraiError } from '../errors.ts';

/** 0 done, 1 refused or failed, 2 wrong usage or configuration. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof SeraiError && (error.code === 'usage' || error.code === 'config-invalid') ? 2 : 1;
}

/** The error for a person: what happened, with its code, and causes that add something. */
export function describeError(error: unknown): string {
  if (!(error instanceof SeraiError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = [`serai: ${error.message} [${error.code}]`];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (!error.message.includes(cause.message)) lines.push(`  because: ${cause.message.split('\n', 1)[0]}`);
  }
  return lines.join('\n');
}

/** One line that cannot move a terminal's cursor: what upstreams wrote is shown through this. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
