/** Changes to the sources that an opam file names, leaving every other byte as it was. */
import type { Checksum } from '../hashes.ts';
import { type ParseOptions, parseOpamFile } from './parser.ts';
import { checksumsEdit, refusedEdit, type SectionEdit, srcEdit } from './section-edits.ts';
import { holdsSourceRecord, printSourceRecord, SOURCE_RECORD } from './source-record.ts';
import { type Source, sourceOf } from './sources.ts';
import { fieldsAtEnd, itemEnd, itemRemoval, type Scope, type Splice, spliced } from './splices.ts';
import { excerpt, sourceText } from './syntax.ts';

export interface SourceEdit {
  /** The extra-source's name; undefined for the `url` section. */
  readonly name?: string;
  /** Put before those that are there; of a kind that is there already, the same. */
  readonly checksums?: readonly Checksum[];
  /** In place of `src` and `mirrors`; what stood there goes into the field `x-serai-sources`. */
  readonly src?: string;
}

export interface SourceEditOptions extends ParseOptions {
  /** An opam file of format 2, or the `url` file that stands beside one of format 1.2. */
  readonly file: 'opam' | 'url';
}

type EditsByName = ReadonlyMap<string | undefined, SourceEdit>;

/**
 * The file with the edits, at most one for each source; the given bytes themselves when nothing changes. Of
 * duplicate sections and fields the first is edited, which is the one that opam takes; where `src` is edited,
 * the others that name an address are taken out. Strings of edits hold one byte a character.
 *
 * The same edits again change nothing. So a file in which every `src` is as wanted already keeps a record that
 * is written as ours is, whoever wrote it; any other that upstream wrote is taken out when a `src` is edited.
 *
 * Throws OpamSyntaxError when the file is none, and SeraiError `internal` for what no caller may ask: an edit
 * of a source that is not there, two of one source, a `src` in a `url` file or one that is not bytes, a
 * checksum that contradicts one that is there, checksums where the field holds something else than strings.
 */
export function editSources(
  bytes: Uint8Array,
  edits: readonly SourceEdit[],
  options: SourceEditOptions,
): Uint8Array {
  const source = sourceText(bytes);
  const file: Scope = { source, items: parseOpamFile(bytes, options).items, close: source.length };
  const byName = editsByName(edits);
  const text = options.file === 'url' ? editedUrlFile(file, byName) : editedOpamFile(file, byName);
  return text === source ? bytes : Buffer.from(text, 'latin1');
}

function editsByName(edits: readonly SourceEdit[]): EditsByName {
  const byName = new Map<string | undefined, SourceEdit>();
  for (const edit of edits) {
    const subject = subjectOf(edit.name);
    if (byName.has(edit.name)) throw refusedEdit(subject, 'is edited twice at once');
    if (edit.src !== undefined && !/^[\0-\xff]*$/.test(edit.src))
      throw refusedEdit(subject, 'is given a src with characters that are not bytes');
    byName.set(edit.name, edit);
  }
  return byName;
}

function editedUrlFile(file: Scope, edits: EditsByName): string {
  const splices: Splice[] = [];
  for (const { name, checksums, src } of edits.values()) {
    const subject = subjectOf(name);
    if (name !== undefined) throw refusedEdit(subject, 'cannot be in a url file');
    if (src !== undefined) throw refusedEdit(subject, 'is in a url file, where src stays as it is');
    for (const splice of splicesOf(file, checksumsOf(file, subject, checksums))) splices.push(splice);
  }
  return spliced(file.source, splices);
}

function editedOpamFile(file: Scope, edits: EditsByName): string {
  const splices: Splice[] = [];
  const found = new Set<string | undefined>();
  const originals: Source[] = [];
  let moved = false;
  for (const [index, item] of file.items.entries()) {
    if (item.kind !== 'section' || (item.name !== 'url' && item.name !== 'extra-source')) continue;
    const name = item.name === 'url' ? undefined : (item.label ?? '');
    const edit = edits.get(name);
    if (edit === undefined) continue;
    if (found.has(name)) {
      if (edit.src === undefined) continue;
      splices.push(itemRemoval(file, index));
      moved = true;
      continue;
    }
    found.add(name);
    const scope: Scope = { source: file.source, items: item.items, close: itemEnd(file, index) - 1 };
    const parts = checksumsOf(scope, subjectOf(name), edit.checksums);
    if (edit.src !== undefined) {
      const part = srcEdit(scope, edit.src);
      if (part.splices.length + part.fields.length > 0) moved = true;
      parts.unshift(part);
      originals.push({ ...sourceOf(item.items), ...(name === undefined ? {} : { name }) });
    }
    for (const splice of splicesOf(scope, parts)) splices.push(splice);
  }
  for (const name of edits.keys())
    if (!found.has(name)) throw refusedEdit(subjectOf(name), 'is not in the file');
  if (originals.length === 0) return spliced(file.source, splices);
  originals.sort((a, b) => Number(a.name !== undefined) - Number(b.name !== undefined));
  return moved || !holdsSourceRecord(file, originals)
    ? recorded(file, splices, originals)
    : spliced(file.source, splices);
}

/** The file with the splices, and with the record of what the sources were in place of any other. */
function recorded(file: Scope, splices: readonly Splice[], originals: readonly Source[]): string {
  const removals: Splice[] = [];
  for (const [index, item] of file.items.entries())
    if (item.name === SOURCE_RECORD) removals.push(itemRemoval(file, index));
  const text = spliced(file.source, [...splices, ...removals]);
  const end = fieldsAtEnd({ source: text, items: [], close: text.length }, [printSourceRecord(originals)]);
  return spliced(text, [end]);
}

function checksumsOf(
  scope: Scope,
  subject: string,
  checksums: readonly Checksum[] | undefined,
): SectionEdit[] {
  return checksums === undefined || checksums.length === 0 ? [] : [checksumsEdit(scope, checksums, subject)];
}

function splicesOf(scope: Scope, edits: readonly SectionEdit[]): readonly Splice[] {
  const fields = edits.flatMap((edit) => edit.fields);
  const splices = edits.flatMap((edit) => edit.splices);
  return fields.length === 0 ? splices : [...splices, fieldsAtEnd(scope, fields)];
}

/** What a message calls the source. */
function subjectOf(name: string | undefined): string {
  return name === undefined ? 'the url section' : `the extra-source ${excerpt(name)}`;
}
