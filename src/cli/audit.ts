/** `serai audit`: a whole history judged by the guard; findings one by one as JSON, or a table of them. */
import { DEFAULT_LIMITS } from '../limits.ts';
import { auditHistory } from '../mirror/audit/audit.ts';
import { findCommit, openAuditSource } from '../mirror/audit/audit-source.ts';
import { AuditSummary } from '../mirror/audit/audit-summary.ts';
import { Lines } from './lines.ts';
import { createProgress } from './progress.ts';

export interface AuditFlags {
  readonly from?: string | undefined;
  readonly json: boolean;
}

/** Resolves to the exit code; 1 when it was interrupted, or nobody reads the findings any more. */
export async function audit(path: string, flags: AuditFlags): Promise<0 | 1> {
  const lines = new Lines();
  try {
    return await auditSource(path, flags, lines);
  } catch (error) {
    if (lines.signal.aborted) return 1;
    throw error;
  }
}

async function auditSource(path: string, flags: AuditFlags, lines: Lines): Promise<0 | 1> {
  const limits = DEFAULT_LIMITS;
  const { signal } = lines;
  const source = await openAuditSource(path, { limits, signal });
  const bar = createProgress('steps', process.stderr);
  const summary = new AuditSummary();
  let steps = 0;
  try {
    const from = flags.from === undefined ? undefined : await findCommit(source, flags.from);
    const progress = (done: number, total: number): void => {
      steps = done;
      bar.update(done, total);
    };
    const { repository, tip: to } = source;
    for await (const finding of auditHistory({ repository, limits, from, to, signal, progress })) {
      summary.add(finding);
      if (flags.json) await lines.add(JSON.stringify(finding));
    }
    await lines.flush();
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
