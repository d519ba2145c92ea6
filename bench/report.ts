/** Figures side by side with their rivals, as ratios against goals. */

export interface Result {
  readonly work: string;
  readonly rival: string;
  /** Milliseconds. */
  readonly ours: number;
  readonly theirs: number;
  /** The ratio ours / theirs that should not be passed. */
  readonly goal: number;
}

/** Milliseconds that the work takes. */
export async function time(work: () => void | Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function describe({ work, rival, ours, theirs, goal }: Result): string {
  const ratio = ours / theirs;
  const verdict = ratio <= goal ? 'holds' : 'MISSED';
  return `${work}: ${ours.toFixed(0)} ms; ${rival}: ${theirs.toFixed(0)} ms; ratio ${ratio.toFixed(2)}, goal ≤ ${goal}: ${verdict}`;
}
