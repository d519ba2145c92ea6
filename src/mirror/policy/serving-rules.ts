/** All that decides what a repository serves of its accepted tree, gathered: configuration, persons, advisories, pins. */
import type { Config, RepositoryConfig } from '../../config.ts';
import { SeraiError } from '../../errors.ts';
import { showChecksum } from '../../hashes.ts';
import type { PackageId, PackageName } from '../../opam/package-id.ts';
import type { Catalogue, Decision } from '../../store/catalogue.ts';
import { advisoryIndex } from '../../verify/policy/advisories.ts';
import type { ChangePolicy, Vouching } from '../../verify/policy/changes.ts';
import { changePolicyOf, keepRemovedOf } from '../../verify/policy/changes.ts';
import {
  type PackagePattern,
  parsePackagePattern,
  patternLookup,
} from '../../verify/policy/package-pattern.ts';
import { type Denial, prepareServing, type ServingPolicy } from '../../verify/policy/serving.ts';
import type { HashAction } from '../../verify/policy/source-policy.ts';
import { digestOf } from '../digest.ts';
import { loadAdvisories } from '../fetch/advisories.ts';

export interface ServingRules {
  readonly decide: ReturnType<typeof prepareServing>;
  readonly changes: ChangePolicy;
  /** Milliseconds; Infinity for ever. */
  readonly keepRemoved: number;
  /** Whether first-seen times matter. */
  readonly needsAges: boolean;
  readonly pins: ServingPolicy['pins'];
  /** Whether a person released this form of a version from the hold of its change. */
  readonly released: (version: string, form: string) => boolean;
  /** The releases alone: with others the upstream's tree has to be looked at again. */
  readonly releases: string;
  /** Changes when any of this does. */
  readonly digest: string;
}

export interface RulesSource {
  readonly config: Config;
  readonly catalogue: Catalogue;
}

export async function servingRules(
  repository: string,
  { config, catalogue }: RulesSource,
): Promise<ServingRules> {
  const settings = config.repository[repository];
  if (settings === undefined)
    throw new SeraiError('usage', `there is no repository ${repository} in the configuration`);
  const decisions = await decisionsAbout(repository, catalogue);
  const releases = decisions.filter(({ kind }) => kind === 'release');
  const releasedForms = new Set(releases.map(({ subject, form }) => `${subject} ${form}`));
  const pins = await catalogue.pins(repository);
  const { advisories, digest: advisoriesDigest } = await loadAdvisories(catalogue, config);
  const vouching = vouchingOf(settings);
  const changes = changePolicyOf(vouching, definedOnly(settings.policy));
  const policy: ServingPolicy = {
    denials: [...configuredDenials(settings), ...personalDenials(decisions)],
    allowed: allowedBy(settings),
    minAge: settings.min_age,
    minAgeExempt: patterns(settings.min_age_exempt),
    minAgeBaseline: settings.min_age_baseline,
    advisories: advisoryIndex(advisories),
    advisoryAction: settings.advisories,
    weakHashes: weakAction(settings),
    missingHashes: settings.missing_hashes,
    malformed: changes['checksum-malformed'],
    released: new Set(releases.filter(({ form }) => form === '').map(({ subject }) => subject)),
    releasedForms: new Set(releases.filter(({ form }) => form !== '').map(({ subject }) => subject)),
    pins: new Map(pins.map(({ key, checksums }) => [key, checksums])),
    cacheUrl: settings.rewrite_sources ? cacheUrl(config.public_url, repository) : undefined,
  };
  return {
    decide: prepareServing(policy),
    changes,
    keepRemoved: keepRemovedOf(vouching, settings.keep_removed),
    needsAges: settings.min_age !== undefined,
    pins: policy.pins,
    released: (version, form) => releasedForms.has(`${version} ${form}`),
    releases: releasesDigest(decisions),
    digest: digestOf([
      servingKeys(settings),
      policy.cacheUrl,
      decisions.map(({ at: _, ...decision }) => decision),
      advisoriesDigest,
      pins.map(({ key, checksums }) => [key, checksums.map(showChecksum)]),
    ]),
  };
}

/** Which sources are to be strengthened. */
export function pinnedBy(settings: RepositoryConfig): { readonly weak: boolean; readonly missing: boolean } {
  return {
    weak: weakAction(settings) === 'strengthen',
    missing: settings.missing_hashes === 'strengthen',
  };
}

function weakAction(settings: RepositoryConfig): HashAction {
  return settings.weak_hashes ?? DEFAULT_WEAK[vouchingOf(settings)];
}

/** Names the releases among the decisions: with others the upstream's tree has to be looked at again. */
export function releasesDigest(decisions: readonly Decision[]): string {
  const releases = decisions.filter(({ kind }) => kind === 'release');
  return digestOf(releases.map(({ subject, form }) => [subject, form]));
}

/** What a repository is not to serve of any snapshot, whatever else is said of it. */
export interface DenialRules {
  /** By one of the denials, or because there is a list of what is allowed and it is not on it. */
  readonly denies: (id: PackageId) => boolean;
  /** Names that alone can be denied; undefined when any may be. */
  readonly names: readonly PackageName[] | undefined;
}

/** Throws `store-corrupt` for a denial that cannot be read. */
export function denialRules(settings: RepositoryConfig, decisions: readonly Decision[]): DenialRules {
  const denials = [...configuredDenials(settings), ...personalDenials(decisions)];
  const allowed = allowedBy(settings);
  const denialOf = patternLookup(denials, ({ pattern }) => pattern);
  const allowanceOf = allowed && patternLookup(allowed, (pattern) => pattern);
  const names = denials.map(({ pattern }) => pattern.name);
  return {
    denies: (id) =>
      denialOf(id) !== undefined || (allowanceOf !== undefined && allowanceOf(id) === undefined),
    names:
      allowed === undefined && !names.includes(undefined)
        ? [...new Set(names.filter((name) => name !== undefined))]
        : undefined,
  };
}

/** What persons decided about the repository, or about all of them. */
export async function decisionsAbout(
  repository: string,
  catalogue: Pick<Catalogue, 'decisions'>,
): Promise<readonly Decision[]> {
  return (await catalogue.decisions()).filter(
    (decision) => decision.repository === undefined || decision.repository === repository,
  );
}

/** Signatures and other repositories' policies vouch for what they list; weak hashes are for `accept_weak` there. */
const DEFAULT_WEAK: Readonly<Record<Vouching, HashAction>> = {
  unsigned: 'strengthen',
  signed: 'allow',
  overlay: 'allow',
};

/** The settings that decide what is served of an accepted tree. */
function servingKeys(settings: RepositoryConfig): unknown {
  const { deny, allow, min_age, min_age_exempt, min_age_baseline, advisories } = settings;
  const { weak_hashes, missing_hashes, rewrite_sources, keep_removed, policy } = settings;
  return {
    ...{ deny, allow, min_age, min_age_exempt, min_age_baseline, advisories },
    ...{
      weak_hashes,
      missing_hashes,
      rewrite_sources,
      keep_removed,
      malformed: policy['checksum-malformed'],
    },
  };
}

function vouchingOf({ sources, dialect }: RepositoryConfig): Vouching {
  return sources === undefined ? dialect : 'overlay';
}

function definedOnly(set: RepositoryConfig['policy']): Partial<ChangePolicy> {
  return Object.fromEntries(Object.entries(set).filter(([, action]) => action !== undefined));
}

function allowedBy({ allow }: RepositoryConfig): PackagePattern[] | undefined {
  return allow === undefined ? undefined : patterns(allow);
}

function configuredDenials({ deny }: RepositoryConfig): Denial[] {
  return patterns(deny).map((pattern) => ({ pattern, reason: 'by the configuration' }));
}

function personalDenials(decisions: readonly Decision[]): Denial[] {
  return decisions.flatMap(({ kind, subject, reason }) => {
    if (kind !== 'denial') return [];
    const pattern = parsePackagePattern(subject);
    if (pattern !== undefined) return [{ pattern, reason }];
    // Passing over it would serve what a person has denied.
    throw new SeraiError('store-corrupt', `the catalogue holds a denial that cannot be read: ${subject}`);
  });
}

/** The configuration's schema has parsed each of them already. */
function patterns(texts: readonly string[]): PackagePattern[] {
  return texts.flatMap((text) => parsePackagePattern(text) ?? []);
}

function cacheUrl(publicUrl: string | undefined, repository: string): string | undefined {
  return publicUrl === undefined ? undefined : `${publicUrl.replace(/\/+$/, '')}/${repository}/cache`;
}
