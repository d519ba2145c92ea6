/**
 * Whether and how a version of the accepted tree is served at this moment (issue 4, points 4 to 7). Pure: what is
 * known of the version, what the operator wants and the time go in.
 */
import { type PackageId, showPackageId } from '../../opam/package-id.ts';
import type { SourceEdit } from '../../opam/source-edits.ts';
import { excerpt } from '../../opam/syntax.ts';
import type { Advisory, AdvisoryIndex } from './advisories.ts';
import type { ChangeAction } from './changes.ts';
import { type DeclaredSource, showSource } from './declared-source.ts';
import type { PolicyHold, PolicyRule, PolicyWarning } from './holds.ts';
import { type PackagePattern, patternLookup } from './package-pattern.ts';
import { decideSources, type SourcePolicy } from './source-policy.ts';

export interface AcceptedVersion {
  readonly id: PackageId;
  readonly sources: readonly DeclaredSource[];
  /** Undefined counts as seen this moment (HOSTILE 7). */
  readonly firstSeen?: { readonly at: number; readonly baseline: boolean };
}

export interface Denial {
  readonly pattern: PackagePattern;
  readonly reason: string;
}

export interface ServingPolicy extends SourcePolicy {
  /** Of the configuration and of persons; they win over everything else. */
  readonly denials: readonly Denial[];
  /** When there is a list, nothing else is served. */
  readonly allowed: readonly PackagePattern[] | undefined;
  /** Milliseconds since a version was first seen, before it is served. */
  readonly minAge: number | undefined;
  readonly minAgeExempt: readonly PackagePattern[];
  /** Whether versions of the first tree wait too. */
  readonly minAgeBaseline: 'accept' | 'wait';
  readonly advisories: AdvisoryIndex;
  /** With `ignore` a fix does not shorten `minAge` either. */
  readonly advisoryAction: 'ignore' | 'warn' | 'hold';
  /** For a version whose checksum field is malformed, whether or not that is a change. */
  readonly malformed: ChangeAction;
  /** `name.version` of those that a person released from `min-age`, `advisory`, `weak-hashes`, `missing-hashes`. */
  readonly released: ReadonlySet<string>;
  /**
   * `name.version` of those of which a person released the form that a change gave them: with a malformed checksum too,
   * since otherwise the release would take the version away.
   */
  readonly releasedForms?: ReadonlySet<string>;
}

export interface ServingDecision {
  /** Present when it is not served; then there are neither warnings nor edits. */
  readonly hold?: PolicyHold;
  readonly warnings: readonly PolicyWarning[];
  /** How its files are changed; empty for most. */
  readonly edits: readonly SourceEdit[];
  /** The first moment at which time alone may change this decision; milliseconds since the epoch. */
  readonly changesAt?: number;
}

/** What one rule says: nothing, a warning, or a hold. */
interface Finding {
  readonly hold?: PolicyHold;
  readonly warnings?: readonly PolicyWarning[];
  readonly changesAt?: number;
}

/** One rule of the policy, at the moment `now`; undefined when it says nothing. */
type Check = (version: AcceptedVersion, now: number) => Finding | undefined;

const AS_IT_IS: ServingDecision = { warnings: [], edits: [] };
/** Advisories that a reason spells out. */
const NAMED_ADVISORIES = 3;

/**
 * The policy made ready for many versions: patterns are sorted by package once. The function answers at `now`,
 * in milliseconds since the epoch. The first of these that holds is the one that is told: `denied`,
 * `not-allowed`, `checksum-malformed`, `min-age`, `advisory`, `weak-hashes` and `missing-hashes`,
 * `outside-source`.
 */
export function prepareServing(
  policy: ServingPolicy,
): (version: AcceptedVersion, now: number) => ServingDecision {
  const checks = [
    denialCheck(policy),
    allowCheck(policy),
    malformedCheck(policy),
    minAgeCheck(policy),
    advisoryCheck(policy),
  ].filter((check) => check !== undefined);
  return (version, now) => {
    const warnings: PolicyWarning[] = [];
    for (const check of checks) {
      const finding = check(version, now);
      if (finding?.hold !== undefined) return { ...AS_IT_IS, ...finding, warnings: [] };
      if (finding?.warnings !== undefined) warnings.push(...finding.warnings);
    }
    const sources = decideSources(version.sources, isReleased(version, policy), policy);
    if (sources.hold !== undefined) return sources;
    warnings.push(...sources.warnings);
    return warnings.length === 0 && sources.edits.length === 0
      ? AS_IT_IS
      : { warnings, edits: sources.edits };
  };
}

function hold(rule: PolicyRule, reason: string): Finding {
  return { hold: { rule, reason } };
}

function warning(rule: PolicyRule, reason: string): Finding {
  return { warnings: [{ rule, reason }] };
}

/** Most repositories have no release at all, and then no text is made for each version. */
function isReleased({ id }: AcceptedVersion, { released }: ServingPolicy): boolean {
  return released.size > 0 && released.has(showPackageId(id));
}

function denialCheck({ denials }: ServingPolicy): Check | undefined {
  if (denials.length === 0) return undefined;
  const denialOf = patternLookup(denials, ({ pattern }) => pattern);
  return ({ id }) => {
    const denial = denialOf(id);
    if (denial === undefined) return undefined;
    const { pattern, reason } = denial;
    return hold('denied', `${pattern.text} is denied${reason === '' ? '' : `: ${reason}`}`);
  };
}

function allowCheck({ allowed }: ServingPolicy): Check | undefined {
  if (allowed === undefined) return undefined;
  const allowanceOf = patternLookup(allowed, (pattern) => pattern);
  return ({ id }) =>
    allowanceOf(id) === undefined
      ? hold('not-allowed', `only what the list allow names is served, and ${showPackageId(id)} is not on it`)
      : undefined;
}

function malformedCheck(policy: ServingPolicy): Check | undefined {
  const { malformed, releasedForms } = policy;
  if (malformed === 'allow') return undefined;
  return (version) => {
    const source = version.sources.find((candidate) => candidate.malformed.length > 0);
    if (source === undefined) return undefined;
    const reason = `${showSource(source)} has a checksum that is none, ${excerpt(source.malformed[0] ?? '')}, so that clients compare nothing`;
    if (malformed === 'warn') return warning('checksum-malformed', reason);
    return releasedForms?.has(showPackageId(version.id)) === true
      ? warning('checksum-malformed', `${reason}; a person released it`)
      : hold('checksum-malformed', reason);
  };
}

function minAgeCheck(policy: ServingPolicy): Check | undefined {
  const { minAge } = policy;
  if (minAge === undefined) return undefined;
  const exemptionOf = patternLookup(policy.minAgeExempt, (pattern) => pattern);
  return (version, now) => {
    const { id, firstSeen } = version;
    if (firstSeen?.baseline === true && policy.minAgeBaseline === 'accept') return undefined;
    const changesAt = (firstSeen?.at ?? now) + minAge;
    if (now >= changesAt || exemptionOf(id) !== undefined || isReleased(version, policy)) return undefined;
    if (policy.advisoryAction !== 'ignore' && policy.advisories.fixing(id) !== undefined) return undefined;
    return { ...hold('min-age', minAgeReason(firstSeen?.at, changesAt)), changesAt };
  };
}

function minAgeReason(at: number | undefined, changesAt: number): string {
  const seen = at === undefined ? 'when it was first seen is not known' : `it was first seen ${showTime(at)}`;
  return `${seen}, and min_age keeps it back until ${showTime(changesAt)}`;
}

/** To the second, in UTC. */
function showTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? 'later' : date.toISOString().replace(/\.\d+Z$/, 'Z');
}

function advisoryCheck(policy: ServingPolicy): Check | undefined {
  const { advisoryAction, advisories } = policy;
  if (advisoryAction === 'ignore') return undefined;
  return (version) => {
    const affecting = advisories.affecting(version.id);
    if (affecting.length === 0) return undefined;
    const named = affecting.slice(0, NAMED_ADVISORIES).map(showAdvisory).join('; ');
    const others = affecting.length - NAMED_ADVISORIES;
    const reason = others > 0 ? `${named}; and ${others} more` : named;
    if (advisoryAction === 'warn') return warning('advisory', reason);
    return isReleased(version, policy)
      ? warning('advisory', `${reason}; a person released it`)
      : hold('advisory', reason);
  };
}

function showAdvisory({ id, aliases, summary }: Advisory): string {
  const names = aliases.length === 0 ? id : `${id} (${aliases.join(', ')})`;
  return summary === '' ? names : `${names}: ${summary}`;
}
