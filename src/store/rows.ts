/**
 * What SQLite gives back, parsed: nothing that was read is believed to have its type. Each function takes a
 * row and a column and throws `store-corrupt` when the value is not what serai writes there.
 */
import { SeraiError } from '../errors.ts';
import { type Checksum, isHashKind, isHexOf, parseSha256, type Sha256 } from '../hashes.ts';

export type Row = Readonly<Record<string, unknown>>;

function corrupt(column: string, expected: string): SeraiError {
  return new SeraiError(
    'store-corrupt',
    `the catalogue holds a "${column}" that is not ${expected}: the file was damaged or changed by hand; ` +
      'stop serai and put back a backup, together with its blobs',
  );
}

export function textIn(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw corrupt(column, 'a text');
  return value;
}

export function optionalTextIn(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : textIn(row, column);
}

export function integerIn(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw corrupt(column, 'a whole number');
  return value;
}

export function optionalIntegerIn(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : integerIn(row, column);
}

/** SQLite has no booleans. */
export function flagIn(row: Row, column: string): boolean {
  const value = row[column];
  if (value !== 0 && value !== 1) throw corrupt(column, '0 or 1');
  return value === 1;
}

export function choiceIn<Choice extends string>(
  row: Row,
  column: string,
  choices: readonly Choice[],
): Choice {
  const value = choices.find((choice) => choice === row[column]);
  if (value === undefined) throw corrupt(column, `one of ${choices.join(', ')}`);
  return value;
}

export function sha256In(row: Row, column: string): Sha256 {
  const id = parseSha256(textIn(row, column));
  if (id === undefined) throw corrupt(column, 'a SHA-256');
  return id;
}

export function optionalSha256In(row: Row, column: string): Sha256 | undefined {
  return row[column] === null ? undefined : sha256In(row, column);
}

/** `md5=… sha256=…`, as `showChecksums` writes it. */
export function checksumsIn(row: Row, column: string): readonly Checksum[] {
  return textIn(row, column)
    .split(' ')
    .map((part) => {
      const separator = part.indexOf('=');
      const kind = part.slice(0, separator);
      const hex = part.slice(separator + 1);
      if (!isHashKind(kind) || !isHexOf(kind, hex)) throw corrupt(column, 'a list of checksums');
      return { kind, hex };
    });
}

/** A JSON array of texts. */
export function textListIn(row: Row, column: string): readonly string[] {
  const texts: string[] = [];
  for (const item of arrayIn(row, column)) {
    if (typeof item !== 'string') throw corrupt(column, 'a list of texts');
    texts.push(item);
  }
  return texts;
}

/** A JSON array of whole numbers. */
export function integersIn(row: Row, column: string): readonly number[] {
  const numbers: number[] = [];
  for (const item of arrayIn(row, column)) {
    if (typeof item !== 'number' || !Number.isSafeInteger(item))
      throw corrupt(column, 'a list of whole numbers');
    numbers.push(item);
  }
  return numbers;
}

function arrayIn(row: Row, column: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(textIn(row, column));
  } catch {
    throw corrupt(column, 'JSON');
  }
  if (!Array.isArray(value)) throw corrupt(column, 'a list');
  return value;
}
