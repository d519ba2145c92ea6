/** The closed set of classes that a change of a published version falls into (issue 4, point 2). */

/** The gravest first: of several reasons the first class that fits names the change. */
export const CHANGE_CLASSES = [
  /** The archive is another one: no hash kind in common, or one kind disagrees. */
  'archive-altered',
  /** A checksum that was there is gone, and no other of its kind stands in its place. */
  'checksum-dropped',
  /** A checksum that is none is new: an unknown kind, a wrong length, not hexadecimal. */
  'checksum-malformed',
  /** As `archive-altered`, of an extra-source that was there and still is. */
  'extra-source-altered',
  /** Removed, then back with another archive. */
  'version-reborn',
  /** A new version that clients cannot tell from a standing one of the same name. */
  'equal-version',
  'version-removed',
  /** Other commands, patches, environment or files: another build of the same archive. */
  'build-changed',
  /** The same hashes at other addresses. */
  'url-moved',
  'hashes-added',
  /** Where and with what the version can be installed. */
  'constraints-changed',
  /** What people read, layout, comments: all that fits nothing graver. */
  'description-changed',
] as const;

export type ChangeClass = (typeof CHANGE_CLASSES)[number];

/** One reason to put a change into a class; short texts of what was and what is, for people. */
export interface Reason {
  readonly class: ChangeClass;
  readonly before: string;
  readonly after: string;
}

const GRAVITY: ReadonlyMap<ChangeClass, number> = new Map(
  CHANGE_CLASSES.map((name, index) => [name, CHANGE_CLASSES.length - index]),
);

/** Positive when `a` is graver than `b`. */
export function compareGravity(a: ChangeClass, b: ChangeClass): number {
  return (GRAVITY.get(a) ?? 0) - (GRAVITY.get(b) ?? 0);
}

/** All reasons of the gravest class among them; none for none. */
export function gravestReasons(reasons: Iterable<Reason>): readonly Reason[] {
  let gravest: Reason[] = [];
  for (const reason of reasons) {
    const [known] = gravest;
    const order = known === undefined ? 1 : compareGravity(reason.class, known.class);
    if (order > 0) gravest = [reason];
    else if (order === 0) gravest.push(reason);
  }
  return gravest;
}
