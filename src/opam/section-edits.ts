/** What an edit does inside one `url` or `extra-source` section, or in a whole `url` file. */
import { SeraiError } from '../errors.ts';
import { type Checksum, showChecksum } from '../hashes.ts';
import { printString } from './printer.ts';
import { ARCHIVE_FIELDS, parseChecksum, plainStrings, SRC_FIELDS, srcFieldOf } from './sources.ts';
import { itemEnd, itemRemoval, type Scope, type Splice, textsBefore } from './splices.ts';
import { excerpt } from './syntax.ts';

export interface SectionEdit {
  readonly splices: readonly Splice[];
  /** Fields that are not there, to be put at the end. */
  readonly fields: readonly string[];
}

/**
 * The address in place of the one that a client reads, and no other address beside it. A field named for a
 * version control system becomes `src`, since it could not name an archive; the rest are called as they were.
 */
export function srcEdit(scope: Scope, src: string): SectionEdit {
  const splices: Splice[] = [];
  const kept = indexOfField(scope, srcFieldOf(scope.items));
  for (const [index, item] of scope.items.entries()) {
    const addresses = item.kind === 'field' && (SRC_FIELDS.includes(item.name) || item.name === 'mirrors');
    if (addresses && index !== kept) splices.push(itemRemoval(scope, index));
  }
  const field = scope.items[kept];
  if (field?.kind !== 'field') return { splices, fields: [`src: ${printString(src)}`] };
  if (!ARCHIVE_FIELDS.includes(field.name))
    splices.push({ start: field.at, end: field.at + field.name.length, text: 'src' });
  const { value } = field;
  if (value.kind !== 'string' || value.text !== src)
    splices.push({ start: value.at, end: itemEnd(scope, kept), text: printString(src) });
  return { splices, fields: [] };
}

/** The checksums that are not there yet, before those that are. `subject` is for messages. */
export function checksumsEdit(scope: Scope, checksums: readonly Checksum[], subject: string): SectionEdit {
  const index = indexOfField(scope, 'checksum');
  const field = scope.items[index];
  const value = field?.kind === 'field' ? field.value : undefined;
  const there = plainStrings(value);
  if (there === undefined)
    throw refusedEdit(subject, 'has something else than strings in its checksum field');
  const texts = missingChecksums(there, checksums, subject).map((checksum) => printString(checksum));
  if (texts.length === 0) return { splices: [], fields: [] };
  if (value === undefined) return { splices: [], fields: [`checksum: [${texts.join(' ')}]`] };
  if (value.kind !== 'list') {
    const end = itemEnd(scope, index);
    const opened = { start: value.at, end: value.at, text: `[${texts.join(' ')} ` };
    return { splices: [opened, { start: end, end, text: ']' }], fields: [] };
  }
  const [first] = value.items;
  const inside = value.at + 1;
  const splice =
    first === undefined
      ? { start: inside, end: inside, text: texts.join(' ') }
      : textsBefore(scope.source, first.at, texts);
  return { splices: [splice], fields: [] };
}

/** An edit that no caller may ask for. */
export function refusedEdit(subject: string, reason: string): SeraiError {
  return new SeraiError('internal', `cannot edit the sources: ${subject} ${reason}`);
}

/** As they are written in the file. */
function missingChecksums(
  there: readonly string[],
  checksums: readonly Checksum[],
  subject: string,
): readonly string[] {
  const known = there.map((text) => parseChecksum(text)).filter((checksum) => checksum !== undefined);
  const missing: string[] = [];
  for (const given of checksums) {
    const text = showChecksum(given);
    const checksum = parseChecksum(text);
    if (checksum === undefined) throw refusedEdit(subject, `is given ${excerpt(text)}, which is no checksum`);
    const same = known.filter(({ kind }) => kind === checksum.kind);
    const other = same.find(({ hex }) => hex !== checksum.hex);
    if (other !== undefined)
      throw refusedEdit(subject, `has ${showChecksum(other)}, which contradicts ${showChecksum(checksum)}`);
    if (same.length > 0) continue;
    known.push(checksum);
    missing.push(showChecksum(checksum));
  }
  return missing;
}

function indexOfField(scope: Scope, name: string): number {
  return scope.items.findIndex((item) => item.kind === 'field' && item.name === name);
}
