/** Versions, patterns and policies that the tests of this folder write down in few words. */
import type { Checksum } from '../../../src/hashes.ts';
import { type PackageId, parsePackageId } from '../../../src/opam/package-id.ts';
import { parseChecksum } from '../../../src/opam/sources.ts';
import { advisoryIndex, parseAdvisories } from '../../../src/verify/policy/advisories.ts';
import type { DeclaredSource } from '../../../src/verify/policy/declared-source.ts';
import { type PackagePattern, parsePackagePattern } from '../../../src/verify/policy/package-pattern.ts';
import {
  type AcceptedVersion,
  prepareServing,
  type ServingDecision,
  type ServingPolicy,
} from '../../../src/verify/policy/serving.ts';

/** For one version under a policy of its own. */
export function decideServing(version: AcceptedVersion, policy: ServingPolicy, now: number): ServingDecision {
  return prepareServing(policy)(version, now);
}

export function id(text: string): PackageId {
  const parsed = parsePackageId(text);
  if (parsed === undefined) throw new Error(`${text} is no package`);
  return parsed;
}

export function pattern(text: string): PackagePattern {
  const parsed = parsePackagePattern(text);
  if (parsed === undefined) throw new Error(`${text} is no pattern`);
  return parsed;
}

export function checksum(text: string): Checksum {
  const parsed = parseChecksum(text);
  if (parsed === undefined) throw new Error(`${text} is no checksum`);
  return parsed;
}

export const MD5 = checksum(`md5=${'a1'.repeat(16)}`);
export const OTHER_MD5 = checksum(`md5=${'b1'.repeat(16)}`);
export const SHA256 = checksum(`sha256=${'a2'.repeat(32)}`);
export const SHA512 = checksum(`sha512=${'a5'.repeat(64)}`);

/** An archive with a sha256; each key in place of that. */
export function source(more: Partial<DeclaredSource> = {}): DeclaredSource {
  return {
    src: 'https://example.org/foo.tgz',
    kind: 'archive',
    checksums: [SHA256],
    malformed: [],
    inUrlFile: false,
    ...more,
  };
}

/** Seen long ago, with one archive. */
export function accepted(name: string, more: Partial<AcceptedVersion> = {}): AcceptedVersion {
  return { id: id(name), sources: [source()], firstSeen: { at: 0, baseline: false }, ...more };
}

/** Serves everything as it is. */
export const OPEN: ServingPolicy = {
  denials: [],
  allowed: undefined,
  minAge: undefined,
  minAgeExempt: [],
  minAgeBaseline: 'accept',
  advisories: advisoryIndex([]),
  advisoryAction: 'warn',
  weakHashes: 'allow',
  missingHashes: 'allow',
  malformed: 'allow',
  released: new Set(),
  pins: new Map(),
  cacheUrl: undefined,
};

/** OSEC-2026-01: foo before 2 is affected, 2 mends it. */
export const FOO_ADVISORY = advisoryIndex(
  parseAdvisories({
    id: 'OSEC-2026-01',
    aliases: ['CVE-2026-1'],
    summary: 'Reads too far',
    affected: [
      {
        package: { ecosystem: 'opam', name: 'foo' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '2' }] }],
      },
    ],
  }).advisories,
);
