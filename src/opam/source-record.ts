/** The field in which a served opam file keeps where its sources were before the mirror named itself. */
import { printField } from './printer.ts';
import type { Source } from './sources.ts';
import { itemEnd, type Scope } from './splices.ts';
import type { Value } from './syntax.ts';

/**
 * A list of lists of strings: `archive` or `extra-source NAME`, what `src` was (empty where there was none),
 * and the mirrors.
 */
export const SOURCE_RECORD = 'x-serai-sources';

/** The record of these sources as they were, without a newline. */
export function printSourceRecord(originals: readonly Source[]): string {
  const items = originals.map((source) =>
    listOf(
      [subjectOf(source.name), source.src, ...source.mirrors].map((text) => ({
        kind: 'string',
        at: 0,
        text,
      })),
    ),
  );
  return printField({ kind: 'field', at: 0, name: SOURCE_RECORD, value: listOf(items) }).trimEnd();
}

/**
 * True when the file ends with a record of just these sources as {@link printSourceRecord} would write one, and
 * nothing else has its name.
 */
export function holdsSourceRecord(file: Scope, sources: readonly Source[]): boolean {
  const index = file.items.findIndex((item) => item.name === SOURCE_RECORD);
  const item = file.items[index];
  if (item?.kind !== 'field' || index !== file.items.length - 1 || item.value.kind !== 'list') return false;
  const { items } = item.value;
  const recorded: Source[] = [];
  for (const [position, source] of sources.entries()) {
    const entry = items[position];
    if (entry?.kind !== 'list') return false;
    const texts = entry.items.map((text) => (text.kind === 'string' ? text.text : undefined));
    const [subject, src, ...mirrors] = texts.filter((text) => text !== undefined);
    if (subject !== subjectOf(source.name) || src === undefined) return false;
    recorded.push({ ...source, src, mirrors });
  }
  return file.source.slice(item.at, itemEnd(file, index)) === printSourceRecord(recorded);
}

function subjectOf(name: string | undefined): string {
  return name === undefined ? 'archive' : `extra-source ${name}`;
}

function listOf(items: readonly Value[]): Value {
  return { kind: 'list', at: 0, items };
}
