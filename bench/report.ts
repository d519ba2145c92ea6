/** Figures side by side with their rivals, as ratios against goals. */
import { z } from 'zod';

/** One side's medians. */
const figureSchema = z.object({
  /** In the row's unit. */
  value: z.number(),
  /** CPU-seconds of the measured process and its children, user and system together, for one round. */
  cpu: z.number().optional(),
  /** Bytes resident at the peak. */
  memory: z.number().optional(),
});

const goalSchema = z.object({
  /** What the goal is about: ours divided by theirs, or our figure alone. */
  of: z.enum(['ratio', 'value']),
  is: z.enum(['≤', '≥']),
  than: z.number(),
});

export const rowSchema = z.object({
  work: z.string(),
  /** Whose figure ours is, when it is not serai's. */
  subject: z.string().optional(),
  rival: z.string().optional(),
  unit: z.string(),
  ours: figureSchema,
  theirs: figureSchema.optional(),
  /** Rounds that the medians are of. */
  rounds: z.int().min(1),
  /** Without one the row is for information. */
  goal: goalSchema.optional(),
  note: z.string().optional(),
});

export type Figure = z.infer<typeof figureSchema>;
export type Goal = z.infer<typeof goalSchema>;
export type Row = z.infer<typeof rowSchema>;

export function atMost(than: number, of: Goal['of'] = 'ratio'): Goal {
  return { of, is: '≤', than };
}

export function atLeast(than: number, of: Goal['of'] = 'ratio'): Goal {
  return { of, is: '≥', than };
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The median of each of the figures' parts; a part that one figure lacks is left out. */
export function medianFigure(figures: readonly Figure[]): Figure {
  const cpu = figures.flatMap((figure) => figure.cpu ?? []);
  const memory = figures.flatMap((figure) => figure.memory ?? []);
  return {
    value: median(figures.map(({ value }) => value)),
    ...(cpu.length < figures.length ? {} : { cpu: median(cpu) }),
    ...(memory.length < figures.length ? {} : { memory: median(memory) }),
  };
}

/**
 * Measures the sides in turn, round after round, every other round backwards: what else happens on the machine, and
 * what one side leaves warm for the next, then falls on all of them. One figure for each side, the median of the rounds.
 */
export async function interleave<Side extends string>(
  rounds: number,
  sides: Readonly<Record<Side, (round: number) => Promise<Figure>>>,
): Promise<Readonly<Record<Side, Figure>>> {
  const names = Object.keys(sides) as Side[];
  const measured = new Map<Side, Figure[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed())
      measured.get(name)?.push(await sides[name](round));
  const medians = {} as Record<Side, Figure>;
  for (const name of names) medians[name] = medianFigure(measured.get(name) ?? []);
  return medians;
}

/** Ours divided by theirs; undefined without a rival. */
export function ratioOf({ ours, theirs }: Row): number | undefined {
  return theirs === undefined ? undefined : ours.value / theirs.value;
}

/**
 * The same of the CPU-seconds, which suffer less from what else the machine does; undefined where the two sides did not
 * do the same amount of work.
 */
export function cpuRatioOf({ unit, ours, theirs }: Row): number | undefined {
  if (unit !== 'ms' || ours.cpu === undefined || theirs?.cpu === undefined || theirs.cpu === 0)
    return undefined;
  return ours.cpu / theirs.cpu;
}

/** Undefined for a row without a goal. */
export function holds(row: Row): boolean | undefined {
  const { goal, ours } = row;
  if (goal === undefined) return undefined;
  const measured = goal.of === 'ratio' ? (ratioOf(row) ?? Number.NaN) : ours.value;
  return goal.is === '≤' ? measured <= goal.than : measured >= goal.than;
}

/** Three significant digits, or all of those before the point. */
export function number(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

export function mebibytes(bytes: number): number {
  return bytes / 2 ** 20;
}

/** What the goal says, and whether it holds. */
export function judgement(row: Row): string {
  const { goal } = row;
  if (goal === undefined) return 'for information';
  const what = goal.of === 'ratio' ? 'goal' : 'limit';
  return `${what} ${goal.is} ${goal.than}: ${holds(row) === true ? 'holds' : 'MISSED'}`;
}

export function describe(row: Row): string {
  const { work, subject = 'serai', rival, unit, ours, theirs } = row;
  const ratio = ratioOf(row);
  return [
    `${work}: ${subject}: ${describeFigure(ours, unit)}`,
    ...(theirs === undefined ? [] : [`${rival}: ${describeFigure(theirs, unit)}`]),
    `${ratio === undefined ? '' : `ratio ${number(ratio)}${ofCpu(row)}, `}${judgement(row)}`,
  ].join('; ');
}

/** The ratio of the CPU-seconds in brackets, where there is one. */
export function ofCpu(row: Row): string {
  const ratio = cpuRatioOf(row);
  return ratio === undefined ? '' : ` (CPU ${number(ratio)})`;
}

/** A figure with its unit, and what it cost in brackets. */
export function describeFigure({ value, cpu, memory }: Figure, unit: string): string {
  const costs = [
    ...(cpu === undefined ? [] : [`${number(cpu)} CPU-s`]),
    // What ended at once was never looked at.
    ...(memory === undefined || memory === 0 ? [] : [`${number(mebibytes(memory))} MiB`]),
  ];
  return `${number(value)} ${unit}`.trim() + (costs.length === 0 ? '' : ` (${costs.join(', ')})`);
}
