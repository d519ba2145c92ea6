/** Counts findings by year and class, and sets the counts as a table. */
import { CHANGE_CLASSES, type ChangeClass } from '../../verify/guard/classes.ts';
import type { AuditFinding } from './audit.ts';

export class AuditSummary {
  readonly #years = new Map<number, Map<ChangeClass, number>>();
  #total = 0;

  /** All findings so far. */
  get total(): number {
    return this.#total;
  }

  /** With findings, in order. */
  get years(): readonly number[] {
    return [...this.#years.keys()].sort((a, b) => a - b);
  }

  add({ date, class: found }: AuditFinding): void {
    const year = new Date(date).getUTCFullYear();
    const counts = this.#years.get(year) ?? new Map<ChangeClass, number>();
    counts.set(found, (counts.get(found) ?? 0) + 1);
    this.#years.set(year, counts);
    this.#total += 1;
  }

  /** Of one year, or of all. */
  count(name: ChangeClass, year?: number): number {
    if (year !== undefined) return this.#years.get(year)?.get(name) ?? 0;
    return this.years.reduce((sum, each) => sum + this.count(name, each), 0);
  }

  /** A line for each class, the gravest first; a column for each year; `-` for none. */
  table(): string {
    const columns = this.years;
    const rows = CHANGE_CLASSES.map((name) => [
      name,
      ...columns.map((year) => show(this.count(name, year))),
      show(this.count(name)),
    ]);
    const totals = columns.map((year) =>
      show(CHANGE_CLASSES.reduce((sum, name) => sum + this.count(name, year), 0)),
    );
    return align([['', ...columns.map(String), 'total'], ...rows, ['total', ...totals, show(this.#total)]]);
  }
}

function show(count: number): string {
  return count === 0 ? '-' : String(count);
}

/** The first column to the left, numbers to the right. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}
