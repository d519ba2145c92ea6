/** Security advisories in OSV's format (https://ossf.github.io/osv-schema/), matched by opam's version order. */
import type { PackageId, PackageName } from '../../opam/package-id.ts';
import { affectedVersions, isFixedIn } from './affected-versions.ts';
import {
  type AffectedPackage,
  documentSchema,
  firstIssue,
  isOpamEntry,
  readAffected,
} from './osv-document.ts';

export interface Advisory {
  /** `OSEC-2026-01`. */
  readonly id: string;
  /** Other names, such as a CVE. */
  readonly aliases: readonly string[];
  /** One line; empty when it has none. */
  readonly summary: string;
  /** Package names that it is about, each once. */
  readonly names: readonly PackageName[];
  affects(id: PackageId): boolean;
  /** Whether it names this very version as one that mends the problem. */
  fixedBy(id: PackageId): boolean;
}

/** Advisories by package, so that matching a version looks only at those about its name. */
export interface AdvisoryIndex {
  /** Those that affect the version, in the order given. */
  affecting(id: PackageId): readonly Advisory[];
  /** The first that names it as a fix. */
  fixing(id: PackageId): Advisory | undefined;
}

export interface ParsedAdvisories {
  readonly advisories: readonly Advisory[];
  /** For people: what was left out, and why. At most {@link MOST_PROBLEMS} and a word about the rest. */
  readonly problems: readonly string[];
}

/** Documents in one array; opam's ecosystem has some dozens. */
export const MOST_DOCUMENTS = 50_000;
export const MOST_PROBLEMS = 100;
/** Characters of a text that is shown, and aliases. */
const SHOWN_TEXT = 200;
const SHOWN_ALIASES = 10;

const NONE: readonly Advisory[] = [];

/**
 * The advisories of one OSV document or an array of them that are about opam's packages and were not withdrawn.
 * Never throws: what cannot be read is a problem, and everything beside it still counts.
 */
export function parseAdvisories(json: unknown): ParsedAdvisories {
  const documents: readonly unknown[] = Array.isArray(json) ? json : [json];
  const advisories: Advisory[] = [];
  const problems: string[] = [];
  for (const [index, document] of documents.slice(0, MOST_DOCUMENTS).entries()) {
    const advisory = readDocument(document, `document ${index + 1}`, problems);
    if (advisory !== undefined) advisories.push(advisory);
  }
  if (documents.length > MOST_DOCUMENTS)
    problems.unshift(`only the first ${MOST_DOCUMENTS} of ${documents.length} documents were read`);
  const left = problems.length - MOST_PROBLEMS;
  if (left <= 0) return { advisories, problems };
  return { advisories, problems: [...problems.slice(0, MOST_PROBLEMS), `and ${left} more problems`] };
}

function readDocument(json: unknown, place: string, problems: string[]): Advisory | undefined {
  const { data, error } = documentSchema.safeParse(json);
  if (error !== undefined) {
    problems.push(oneLine(`${place} is no OSV document: ${firstIssue(error)}`));
    return undefined;
  }
  if (typeof data.withdrawn === 'string') return undefined;
  const affected: AffectedPackage[] = [];
  for (const entry of (data.affected ?? []).filter(isOpamEntry)) {
    const found = readAffected(entry);
    if (typeof found === 'string') problems.push(oneLine(`${data.id}: ${found}`));
    else affected.push(found);
  }
  if (affected.length === 0) return undefined;
  return {
    id: oneLine(data.id),
    aliases: (data.aliases ?? []).slice(0, SHOWN_ALIASES).map(oneLine),
    summary: oneLine(data.summary || data.details?.trimStart().split('\n', 1)[0] || ''),
    ...matching(affected),
  };
}

function matching(affected: readonly AffectedPackage[]): Pick<Advisory, 'names' | 'affects' | 'fixedBy'> {
  const byName = Map.groupBy(
    affected.map((entry) => ({ ...entry, holds: affectedVersions(entry.ranges, entry.versions) })),
    ({ name }) => name,
  );
  return {
    names: [...byName.keys()],
    affects: ({ name, version }) => byName.get(name)?.some(({ holds }) => holds(version)) ?? false,
    fixedBy: ({ name, version }) =>
      byName.get(name)?.some(({ ranges }) => isFixedIn(version, ranges)) ?? false,
  };
}

/** Fit for a terminal and a page: one line of bounded length, without control characters. */
function oneLine(text: string): string {
  const clean = text
    .slice(0, 2 * SHOWN_TEXT)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return clean.length > SHOWN_TEXT ? `${clean.slice(0, SHOWN_TEXT).toWellFormed()}…` : clean;
}

export function advisoryIndex(advisories: Iterable<Advisory>): AdvisoryIndex {
  const byName = new Map<PackageName, Advisory[]>();
  for (const advisory of advisories) {
    for (const name of new Set(advisory.names)) {
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [advisory]);
      else known.push(advisory);
    }
  }
  return {
    affecting: (id) => byName.get(id.name)?.filter((advisory) => advisory.affects(id)) ?? NONE,
    fixing: (id) => byName.get(id.name)?.find((advisory) => advisory.fixedBy(id)),
  };
}
