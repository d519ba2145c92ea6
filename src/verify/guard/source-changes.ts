/** What it means that a version's sources change: the words about hashes and addresses, as a function. */
import type { ChangeClass, Reason } from './classes.ts';
import { claimedKind, type SourceView, type VersionSources } from './sources.ts';

const PROTECTS_LESS: ReadonlySet<ChangeClass> = new Set([
  'checksum-dropped',
  'checksum-malformed',
  'extra-source-altered',
]);

/** All reasons that lie in the sources, in no order. */
export function* sourceReasons(before: VersionSources, after: VersionSources): Generator<Reason> {
  if (before.archive !== undefined && after.archive !== undefined)
    yield* viewReasons(before.archive, after.archive, 'archive-altered', '');
  else yield* presenceReasons(before.archive, after.archive, 'archive: ');
  for (const [name, view] of before.extras) {
    const now = after.extras.get(name);
    const label = `extra-source ${name}: `;
    if (now === undefined) yield extraReason(name, view, undefined);
    else yield* viewReasons(view, now, 'extra-source-altered', label);
  }
  for (const [name, view] of after.extras)
    if (!before.extras.has(name)) yield extraReason(name, undefined, view);
}

/** An archive that comes or goes: its checksums are gone with it; one that comes is another build. */
function* presenceReasons(
  before: SourceView | undefined,
  after: SourceView | undefined,
  label: string,
): Generator<Reason> {
  if (before === after) return;
  const dropped = before !== undefined && before.checksums.length > 0;
  yield {
    class: dropped ? 'checksum-dropped' : 'build-changed',
    before: label + showSource(before),
    after: label + showSource(after),
  };
  if (after !== undefined && after.malformed.length > 0) yield malformedReason(undefined, after, label);
}

/** An extra-source that comes or goes puts other files into the build, as one of `files/` does. */
function extraReason(name: string, before: SourceView | undefined, after: SourceView | undefined): Reason {
  const label = `extra-source ${name}: `;
  if (after !== undefined && after.malformed.length > 0) return malformedReason(before, after, label);
  return { class: 'build-changed', before: label + showSource(before), after: label + showSource(after) };
}

function* viewReasons(
  before: SourceView,
  after: SourceView,
  altered: 'archive-altered' | 'extra-source-altered',
  label: string,
): Generator<Reason> {
  const hashes = { before: label + showChecksums(before), after: label + showChecksums(after) };
  const added = after.checksums.some((checksum) => !before.checksums.includes(checksum));
  if (isAnother(before, after)) yield { class: altered, ...hashes };
  else if (isDropped(before, after)) yield { class: 'checksum-dropped', ...hashes };
  else if (added) yield { class: 'hashes-added', ...hashes };
  if (after.malformed.some((text) => !before.malformed.includes(text)))
    yield malformedReason(before, after, label);
  if (before.rest !== after.rest) yield { class: 'build-changed', before: before.rest, after: after.rest };
  if (before.src !== after.src) yield moved(label, before.src, after.src);
  else if (before.mirrors !== after.mirrors) yield moved(`${label}mirrors: `, before.mirrors, after.mirrors);
}

/** Both declare hashes, and none is of the same kind, or one kind has a value that it did not have. */
function isAnother(before: SourceView, after: SourceView): boolean {
  if (before.checksums.length === 0 || after.checksums.length === 0) return false;
  const kinds = new Set(before.checksums.map(kindOf));
  const common = after.checksums.filter((checksum) => kinds.has(kindOf(checksum)));
  return common.length === 0 || common.some((checksum) => !before.checksums.includes(checksum));
}

/**
 * A checksum that was there is gone. Where a malformed one of its kind stands in its place, that is the
 * change's name, not this.
 */
function isDropped(before: SourceView, after: SourceView): boolean {
  const claimed = new Set(after.malformed.map(claimedKind));
  return before.checksums.some(
    (checksum) => !after.checksums.includes(checksum) && !claimed.has(kindOf(checksum)),
  );
}

/**
 * Of a version that is back: whether its archive is another, and where it is not, whether its hashes protect
 * less than they did. What else it says is new, and no change.
 */
export function* returnReasons(before: VersionSources, after: VersionSources): Generator<Reason> {
  if (isReborn(before.archive, after.archive)) {
    yield { class: 'version-reborn', before: showSource(before.archive), after: showSource(after.archive) };
    return;
  }
  for (const reason of sourceReasons(before, after)) if (PROTECTS_LESS.has(reason.class)) yield reason;
}

/**
 * Whether a version that is back has another archive than the one that went: the same only where a hash says
 * so and none says otherwise, and where it never had hashes, the same address.
 */
function isReborn(before: SourceView | undefined, after: SourceView | undefined): boolean {
  if (before === undefined || after === undefined) return before !== after;
  if (before.checksums.length === 0) return before.src !== after.src;
  const agrees = after.checksums.some((checksum) => before.checksums.includes(checksum));
  return !agrees || isAnother(before, after);
}

function malformedReason(before: SourceView | undefined, after: SourceView, label: string): Reason {
  const was = before === undefined ? 'none' : showChecksums(before);
  return { class: 'checksum-malformed', before: label + was, after: label + showChecksums(after) };
}

function moved(label: string, before: string, after: string): Reason {
  return { class: 'url-moved', before: label + (before || 'none'), after: label + (after || 'none') };
}

function kindOf(checksum: string): string {
  return checksum.slice(0, checksum.indexOf('='));
}

/** Its checksums, or its address where it has none; for people. */
export function showSource(view: SourceView | undefined): string {
  if (view === undefined) return 'none';
  const hashes = showChecksums(view);
  return hashes === 'none' ? `${view.src || 'no address'} without checksum` : hashes;
}

function showChecksums({ checksums, malformed }: SourceView): string {
  return [...checksums, ...malformed.map((text) => `${text} (malformed)`)].join(' ') || 'none';
}
