/** Judges one change of a published version, from what its files say before and after. */
import type { ChangeSide } from '../history.ts';
import { canonicalItems, itemsOf } from './canonical.ts';
import type { Reason } from './classes.ts';
import { type ChangedPart, changedParts } from './facts.ts';
import { classOfField, classOfFile } from './file-classes.ts';
import { showSource, sourceReasons } from './source-changes.ts';
import { isReadable, isSourceKey, sourcesOfForm, type VersionForm, type VersionSources } from './sources.ts';

/** A file of a version that changed, but for what `opam` and `url` say. */
export interface FileChange {
  /** Relative to the version's folder. */
  readonly file: string;
  readonly before?: ChangeSide;
  readonly after?: ChangeSide;
}

/** What `opam` and `url` of a standing version say. */
export interface FormChange {
  readonly before: VersionForm;
  readonly after: VersionForm;
  /** Of a version that clients could not read before, what its sources were when they could. */
  readonly last: VersionSources | undefined;
}

/**
 * Every reason that the change of a standing version gives, at least one; `form` only where `opam` or `url`
 * changed.
 */
export function* changeReasons(
  form: FormChange | undefined,
  others: readonly FileChange[],
): Generator<Reason> {
  let any = false;
  for (const reasons of [fileReasons(others), form === undefined ? [] : formReasons(form)]) {
    for (const reason of reasons) {
      any = true;
      yield reason;
    }
  }
  if (!any) yield { class: 'description-changed', before: 'layout or comments', after: 'layout or comments' };
}

/**
 * A version that becomes unreadable has lost what its checksums protected, so that it is `checksum-dropped`
 * where it had any; one that becomes readable again is measured by what it was when it last was, so that no
 * alteration slips through behind a broken file.
 */
function* formReasons({ before, after, last }: FormChange): Generator<Reason> {
  if (!isReadable(after)) yield unreadableReason(before, after, last);
  else if (!isReadable(before)) {
    if (last !== undefined) yield* sourceReasons(last, sourcesOfForm(after));
    yield { class: 'build-changed', before: problemOf(before), after: problemOf(after) };
  } else {
    const parts = changedOpam(before, after);
    if (before.url !== after.url || parts.some(({ key }) => isSourceKey(key)))
      yield* sourceReasons(sourcesOfForm(before), sourcesOfForm(after));
    yield* partReasons(parts.filter(({ key }) => !isSourceKey(key)));
  }
}

function changedOpam(before: VersionForm, after: VersionForm): readonly ChangedPart[] {
  if (before.opam === after.opam || !before.opam.readable || !after.opam.readable) return [];
  return [...changedParts(before.opam, after.opam)];
}

function* fileReasons(others: readonly FileChange[]): Generator<Reason> {
  for (const { file, before, after } of others) {
    yield { class: classOfFile(file), before: showFile(file, before), after: showFile(file, after) };
  }
}

function showFile(file: string, side: ChangeSide | undefined): string {
  if (side === undefined) return `${file}: absent`;
  return `${file}: ${side.oid.slice(0, 12)}${side.mode === '100644' ? '' : ` mode ${side.mode}`}`;
}

function unreadableReason(before: VersionForm, after: VersionForm, last: VersionSources | undefined): Reason {
  const archive = (isReadable(before) ? sourcesOfForm(before) : last)?.archive;
  const protectedByHash = archive !== undefined && archive.checksums.length > 0;
  return {
    class: protectedByHash ? 'checksum-dropped' : 'build-changed',
    before: isReadable(before) ? showSource(archive) : problemOf(before),
    after: problemOf(after),
  };
}

function problemOf({ opam, url }: VersionForm): string {
  if (!opam.readable) return `opam cannot be read: ${opam.problem}`;
  return url === undefined || url.readable ? 'it can be read' : `url cannot be read: ${url.problem}`;
}

function* partReasons(parts: readonly ChangedPart[]): Generator<Reason> {
  for (const { key, before, after } of parts) {
    const was = canonicalOf(before);
    const is = canonicalOf(after);
    if (was === is) continue;
    yield {
      // A section's key is no field's name: it is judged as one that is not known.
      class: classOfField(key),
      before: was || `${key}: absent`,
      after: is || `${key}: absent`,
    };
  }
}

function canonicalOf(text: string): string {
  return text === '' ? '' : canonicalItems(itemsOf(text)).trimEnd();
}
