/** The results as docs/benchmarks.json, and as docs/benchmarks.md for people. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { describeFigure, judgement, number, ofCpu, type Row, ratioOf, rowSchema } from '../report.ts';
import { type Machine, machineSchema } from './machine.ts';

const DOCS = new URL('../../docs/', import.meta.url);
const JSON_FILE = new URL('benchmarks.json', DOCS);
const MARKDOWN_FILE = new URL('benchmarks.md', DOCS);

const partSchema = z.object({
  part: z.string(),
  /** When it was measured: ISO 8601. */
  date: z.string(),
  machine: machineSchema,
  versions: z.record(z.string(), z.string()),
  rows: z.array(rowSchema),
});

const documentSchema = z.object({ parts: z.array(partSchema) });

export type PartResult = z.infer<typeof partSchema>;

/** Puts the results in place of earlier ones of the same parts, in the given order of all parts. */
export function writeDocuments(results: readonly PartResult[], order: readonly string[]): void {
  const parts = new Map<string, PartResult>();
  if (existsSync(JSON_FILE)) {
    const { parts: before } = documentSchema.parse(JSON.parse(readFileSync(JSON_FILE, 'utf8')));
    for (const result of before) parts.set(result.part, result);
  }
  for (const result of results) parts.set(result.part, result);
  const sorted = order.flatMap((name) => parts.get(name) ?? []);
  mkdirSync(DOCS, { recursive: true });
  writeFileSync(JSON_FILE, `${JSON.stringify({ parts: sorted }, undefined, 2)}\n`);
  writeFileSync(MARKDOWN_FILE, markdown(sorted));
}

export function markdown(results: readonly PartResult[]): string {
  const lines = [
    '# Benchmarks',
    '',
    'Measured by `npm run bench`, which writes this page: each work beside its rival in the same run, taking turns,',
    "medians of several rounds. The ratio is the figure divided by the rival's, in brackets that of the CPU-seconds.",
    'CPU-seconds are of one round, of the process and its children; memory is what was resident at the peak. Rows',
    'without a goal are for information.',
    '',
  ];
  let told = '';
  for (const { part, date, machine, versions, rows } of results) {
    lines.push(`## ${part}`, '');
    const where = whereAndWith(machine, versions);
    lines.push(
      `${date.slice(0, 10)}${where === told ? '' : `, ${where}`}; load before the run ${machine.load}.`,
      '',
    );
    told = where;
    lines.push(
      '| work | measured | figure | rival | its figure | ratio | goal |',
      '|---|---|---|---|---|---|---|',
    );
    for (const row of rows) lines.push(tableRow(row));
    lines.push('');
    const notes = new Set(rows.flatMap(({ note }) => note ?? []));
    for (const note of notes) lines.push(`- ${note}.`);
    if (notes.size > 0) lines.push('');
  }
  return lines.join('\n');
}

function whereAndWith({ cpu, cores, memory, system }: Machine, versions: PartResult['versions']): string {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cores} cores of ${cpu}, ${memory} GiB, ${system}; ${programs.join(', ')}`;
}

function tableRow(row: Row): string {
  const { work, subject = 'serai', rival, unit, ours, theirs } = row;
  const ratio = ratioOf(row);
  const cells = [
    `${work} (median of ${row.rounds})`,
    subject,
    describeFigure(ours, unit),
    rival ?? '',
    theirs === undefined ? '' : describeFigure(theirs, unit),
    ratio === undefined ? '' : `${number(ratio)}${ofCpu(row)}`,
    judgement(row),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
