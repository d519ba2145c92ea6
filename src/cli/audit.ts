/** `serai audit`: a whole history judged by the guard; findings one by one as JSON, or a table of them. */
import { once } from 'node:events';
import { DEFAULT_LIMITS } from '../limits.ts';
import { auditHistory } from '../mirror/audit.ts';
import { findCommit, openAuditSource } from '../mirror/audit-source.ts';
import { AuditSummary } from '../mirror/audit-summary.ts';
import { createProgress } from './output.ts';

export interface AuditFlags {
  readonly from?: string | undefined;
  readonly json: boolean;
}

/** Characters of findings; there can be a hundred thousand of them. */
const PRINTED_AT_ONCE = 16_384;

/** Resolves to the exit code; 1 when it was interrupted, or nobody reads the findings any more. */
export async function audit(path: string, flags: AuditFlags): Promise<0 | 1> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGTERM', interrupt);
  process.once('SIGINT', interrupt);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Nobody reads any more, as in `serai audit --json DIR | head`: that is no news.
    if (error.code !== 'EPIPE') process.stderr.write(`serai: cannot write the findings: ${error.message}\n`);
    interrupt();
  });
  try {
    return await auditSource(path, flags, interrupted.signal);
  } catch (error) {
    if (interrupted.signal.aborted) return 1;
    throw error;
  } finally {
    process.removeListener('SIGTERM', interrupt);
    process.removeListener('SIGINT', interrupt);
  }
}

async function auditSource(path: string, flags: AuditFlags, signal: AbortSignal): Promise<0 | 1> {
  const limits = DEFAULT_LIMITS;
  const source = await openAuditSource(path, { limits, signal });
  const bar = createProgress('steps', process.stderr);
  const summary = new AuditSummary();
  let steps = 0;
  let lines = '';
  try {
    const from = flags.from === undefined ? undefined : await findCommit(source, flags.from);
    const progress = (done: number, total: number): void => {
      steps = done;
      bar.update(done, total);
    };
    const { repository, tip: to } = source;
    for await (const finding of auditHistory({ repository, limits, from, to, signal, progress })) {
      summary.add(finding);
      if (!flags.json) continue;
      lines += `${JSON.stringify(finding)}\n`;
      if (lines.length < PRINTED_AT_ONCE) continue;
      await print(lines, signal);
      lines = '';
    }
    await print(lines, signal);
  } finally {
    bar.stop();
    await source.close();
  }
  // With --json nothing but findings goes to standard output.
  const output = flags.json ? process.stderr : process.stdout;
  output.write(summary.total === 0 ? '' : `${summary.table()}\n`);
  output.write(`${summary.total} changes of published versions in ${steps} steps\n`);
  return signal.aborted ? 1 : 0;
}

/** Waits for whoever reads, so that nothing piles up. */
async function print(lines: string, signal: AbortSignal): Promise<void> {
  if (!process.stdout.write(lines)) await once(process.stdout, 'drain', { signal });
}
