/** `node part-process.ts PART PROGRAM FOLDER [quick]`: one part in a process of its own, so that none finds another's heap. */
import { PARTS } from '../parts.ts';
import { Bench, Skipped } from './bench.ts';
import type { Outcome } from './messages.ts';

const [name = '', program = '', temporary = '', pace] = process.argv.slice(2);
const bench = new Bench({ temporary, program, quick: pace === 'quick' });

// Whatever happens, nothing that was started stays.
process.on('exit', () => bench.kill());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void bench.close().finally(() => process.exit(1));
  });

// The process that would have taken the figures is gone.
process.on('disconnect', () => void bench.close().finally(() => process.exit(1)));

async function measure(): Promise<Outcome> {
  const part = PARTS[name];
  if (part === undefined) return { kind: 'failed', reason: `there is no part ${name}` };
  try {
    const rows = await (await part.load()).default(bench);
    return { kind: 'measured', rows: [...rows], versions: bench.versions };
  } catch (error) {
    if (error instanceof Skipped) return { kind: 'skipped', reason: error.message };
    return {
      kind: 'failed',
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

const outcome = await measure();
await bench.close();
process.removeAllListeners('disconnect');
process.send?.(outcome, () => process.exit());
