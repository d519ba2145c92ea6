/** All that decides what a repository serves of its accepted tree, gathered: configuration, persons, advisories, pins. */
import { createHash } from 'node:crypto';
import type { Config, RepositoryConfig } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { showChecksum } from '../hashes.ts';
import type { Catalogue, Decision } from '../store/catalogue.ts';
import { advisoryIndex } from '../verify/policy/advisories.ts';
import type { ChangePolicy, Vouching } from '../verify/policy/changes.ts';
import { changePolicyOf, keepRemovedOf } from '../verify/policy/changes.ts';
import { type PackagePattern, parsePackagePattern } from '../verify/policy/package-pattern.ts';
import { type Denial, prepareServing, type ServingPolicy } from '../verify/policy/serving.ts';
import type { HashAction } from '../verify/policy/source-policy.ts';
import { loadAdvisories } from './advisories.ts';

export interface ServingRules {
  readonly decide: ReturnType<typeof prepareServing>;
  readonly changes: ChangePolicy;
  /** Milliseconds; Infinity for ever. */
  readonly keepRemoved: number;
  /** Whether first-seen times matter. */
  readonly needsAges: boolean;
  /** Which sources are to be strengthened. */
  readonly pinned: { readonly weak: boolean; readonly missing: boolean };
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
  const decisions = (await catalogue.decisions()).filter(
    (decision) => decision.repository === undefined || decision.repository === repository,
  );
  const releases = decisions.filter(({ kind }) => kind === 'release');
  const pins = await catalogue.pins(repository);
  const { advisories, digest: advisoriesDigest } = await loadAdvisories(catalogue, config);
  const vouching = vouchingOf(settings);
  const changes = changePolicyOf(vouching, definedOnly(settings.policy));
  const weakHashes = settings.weak_hashes ?? DEFAULT_WEAK[vouching];
  const policy: ServingPolicy = {
    denials: [...configuredDenials(settings), ...personalDenials(decisions)],
    allowed: settings.allow?.flatMap((text) => parsePackagePattern(text) ?? []),
    minAge: settings.min_age,
    minAgeExempt: patterns(settings.min_age_exempt),
    minAgeBaseline: settings.min_age_baseline,
    advisories: advisoryIndex(advisories),
    advisoryAction: settings.advisories,
    weakHashes,
    missingHashes: settings.missing_hashes,
    malformed: changes['checksum-malformed'],
    released: new Set(releases.filter(({ form }) => form === '').map(({ subject }) => subject)),
    pins: new Map(pins.map(({ key, checksums }) => [key, checksums])),
    cacheUrl: settings.rewrite_sources ? cacheUrl(config.public_url, repository) : undefined,
  };
  return {
    decide: prepareServing(policy),
    changes,
    keepRemoved: keepRemovedOf(vouching, settings.keep_removed),
    needsAges: settings.min_age !== undefined,
    pinned: { weak: weakHashes === 'strengthen', missing: settings.missing_hashes === 'strengthen' },
    released: (version, form) =>
      releases.some((release) => release.subject === version && release.form === form),
    releases: digestOf(releases.map(({ subject, form }) => [subject, form])),
    digest: digestOf([
      servingKeys(settings),
      settings.rewrite_sources ? config.public_url : undefined,
      decisions.map(({ at: _, ...decision }) => decision),
      advisoriesDigest,
      pins.map(({ key, checksums }) => [key, checksums.map(showChecksum)]),
    ]),
  };
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

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
