/** The shape of OSV's documents as far as opam needs it, with a bound on everything in them. */
import { z } from 'zod';
import { type PackageName, parsePackageName, parsePackageVersion } from '../../opam/package-id.ts';
import { EVENT_KINDS, type Range, type RangeEvent } from './affected-versions.ts';

/** What one document says of one package of opam. */
export interface AffectedPackage {
  readonly name: PackageName;
  readonly ranges: readonly Range[];
  readonly versions: readonly string[];
}

/** Characters of a name or a version, and of what people read. */
const LONGEST_NAME = 256;
const LONGEST_TEXT = 1_000_000;
/** Entries of each list; those of the largest advisories of any ecosystem have some thousands. */
const MOST_ENTRIES = 20_000;

const name = z.string().min(1).max(LONGEST_NAME);
const prose = z.string().max(LONGEST_TEXT).nullish();

function list<Entry extends z.ZodType>(entry: Entry) {
  return z.array(entry).max(MOST_ENTRIES).nullish();
}

export const documentSchema = z.object({
  id: name,
  aliases: list(name),
  summary: prose,
  details: prose,
  withdrawn: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}T/, 'expected a date')
    .nullish(),
  affected: list(z.unknown()),
});

/** Looked at before anything else, so that what other ecosystems write into their entries does not matter. */
const ecosystemSchema = z.object({ package: z.object({ ecosystem: z.string().max(LONGEST_NAME) }) });

const affectedSchema = z.object({
  package: z.object({ name }),
  ranges: list(z.object({ type: name, events: list(z.unknown()) })),
  versions: list(name),
});

const eventSchema = z.record(z.string(), z.unknown());

/** True of an entry of `affected` that is about opam's packages. */
export function isOpamEntry(entry: unknown): boolean {
  const { data } = ecosystemSchema.safeParse(entry);
  return data !== undefined && /^opam(:|$)/i.test(data.package.ecosystem);
}

/** An entry of `affected` that is about opam; a text says what is wrong with it. */
export function readAffected(entry: unknown): AffectedPackage | string {
  const { data, error } = affectedSchema.safeParse(entry);
  if (error !== undefined) return firstIssue(error);
  const packageName = parsePackageName(data.package.name);
  if (packageName === undefined) return `${JSON.stringify(data.package.name)} is no package name`;
  const ranges: Range[] = [];
  for (const { type, events } of data.ranges ?? []) {
    // GIT ranges are about commits, which opam's versions are not.
    if (type !== 'ECOSYSTEM' && type !== 'SEMVER') continue;
    const range = readRange(events ?? []);
    if (typeof range === 'string') return `${packageName}: ${range}`;
    ranges.push(range);
  }
  const versions = data.versions ?? [];
  const odd = versions.find((version) => parsePackageVersion(version) === undefined);
  if (odd !== undefined) return `${packageName}: ${JSON.stringify(odd)} is no version`;
  if (ranges.length === 0 && versions.length === 0) return `${packageName}: no versions are named`;
  return { name: packageName, ranges, versions };
}

function readRange(events: readonly unknown[]): Range | string {
  const range: RangeEvent[] = [];
  for (const [index, candidate] of events.entries()) {
    const event = readEvent(candidate);
    if (event === undefined)
      return `event ${index + 1} of a range is none: expected one of ${EVENT_KINDS.join(', ')} with a version`;
    range.push(event);
  }
  return range.some(({ kind }) => kind === 'introduced')
    ? range
    : 'a range without "introduced" names no version';
}

/** Exactly one kind for each event, as the schema demands; other keys are extensions. */
function readEvent(candidate: unknown): RangeEvent | undefined {
  const { data } = eventSchema.safeParse(candidate);
  const kinds = EVENT_KINDS.filter((kind) => data?.[kind] !== undefined);
  const [kind] = kinds;
  const version = kind === undefined ? undefined : data?.[kind];
  if (kind === undefined || kinds.length > 1 || typeof version !== 'string') return undefined;
  if (version.length > LONGEST_NAME) return undefined;
  const fits = parsePackageVersion(version) !== undefined || (kind === 'limit' && version === '*');
  return fits ? { kind, version } : undefined;
}

/** `aliases.2: expected string`; the first of what is wrong. */
export function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return error.message;
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}
