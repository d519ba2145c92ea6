/** The verdict on one version at a reading: level, files, and why it is not served (points 5 to 8). */
import type { Rule, TrustLevel, VersionVerdict } from '../dialect.ts';
import { TRUST_LEVELS } from '../dialect.ts';
import type { Authorities } from './authorities.ts';
import type { SignedFile } from './form.ts';
import type { VersionPlace } from './places.ts';
import { versionAuthority } from './version-authority.ts';
import { contradiction, differingFile, type VersionBytes, weakPart } from './version-content.ts';
import { sourcesOfSignature, type VersionSignature } from './version-signature.ts';

export type Threshold = 'any' | Exclude<TrustLevel, 'none'>;

export interface VersionPolicy {
  readonly threshold: Threshold;
  readonly acceptWeak: boolean;
  readonly depth: number;
}

export interface SignedVersion {
  readonly place: VersionPlace;
  readonly file: SignedFile<VersionSignature>;
  readonly files: VersionBytes;
  readonly bootstrapCounts: boolean;
}

interface Withheld {
  readonly rule: Rule;
  readonly reason: string;
}

/** A version that has a signature file. */
export function signedVerdict(
  version: SignedVersion,
  authorities: Authorities,
  policy: VersionPolicy,
): VersionVerdict {
  const { place, file, files, bootstrapCounts } = version;
  if (!file.valid) {
    const reason = `the signature file is invalid: ${file.reason}`;
    return { ...unproven(place), withheld: { rule: file.rule, reason } };
  }
  const question = {
    signed: file.signed,
    subject: place.subject.key,
    version: place.version,
    bootstrapCounts,
  };
  const { level, signers, chain, missing } = versionAuthority(question, authorities);
  const signature = file.content;
  const withheld =
    missing ??
    wrongContent(signature, files) ??
    belowThreshold(level, policy) ??
    doubtful(version, signature, policy);
  const judged = { ...unproven(place), level, signers, sources: sourcesOfSignature(signature), chain };
  if (withheld !== undefined) return { ...judged, withheld };
  const served = [place.signature, ...signature.files.keys()].map((path) => place.folder + path);
  return { ...judged, files: served };
}

/** A version without a signature file: served in an undelegated name at the threshold `any` only (point 7). */
export function unsignedVerdict(
  place: VersionPlace,
  files: Iterable<string>,
  authorities: Authorities,
  { threshold }: VersionPolicy,
): VersionVerdict {
  const delegation = authorities.delegation(place.subject.key);
  const nothing = unproven(place);
  if (delegation?.blocked) {
    const reason = 'the name is blocked: its delegation names nobody';
    return { ...nothing, withheld: { rule: 'P5', reason } };
  }
  if (delegation !== undefined) {
    return {
      ...nothing,
      withheld: { rule: 'P5', reason: 'the name is delegated, and the version is not signed' },
    };
  }
  if (threshold !== 'any') {
    return {
      ...nothing,
      withheld: { rule: 'P7', reason: `it is not signed, and the threshold is ${threshold}` },
    };
  }
  const paths = [...files];
  if (!paths.includes(place.main)) {
    return { ...nothing, withheld: { rule: 'P8', reason: `there is no file ${place.main}` } };
  }
  return { ...nothing, files: paths.map((path) => place.folder + path) };
}

function wrongContent(signature: VersionSignature, files: VersionBytes): Withheld | undefined {
  const reason = differingFile(signature, files);
  return reason === undefined ? undefined : { rule: 'P8', reason };
}

function belowThreshold(level: TrustLevel, { threshold }: VersionPolicy): Withheld | undefined {
  // `any` adds versions without a signature file; with one, the least is `signed`.
  const least = threshold === 'any' ? 'signed' : threshold;
  if (TRUST_LEVELS.indexOf(level) >= TRUST_LEVELS.indexOf(least)) return undefined;
  return { rule: 'P7', reason: `its level is ${level}, and the threshold is ${threshold}` };
}

function doubtful({ place, files }: SignedVersion, signature: VersionSignature, policy: VersionPolicy) {
  const weak = weakPart(signature);
  if (weak !== undefined && (weak.unproven || !policy.acceptWeak)) {
    return { rule: 'P8', reason: `${weak.name} is signed without a sha256 or sha512` } satisfies Withheld;
  }
  const reason = contradiction(signature, files, place, policy.depth);
  return reason === undefined ? undefined : ({ rule: 'P8', reason } satisfies Withheld);
}

function unproven(place: VersionPlace): VersionVerdict {
  return { version: place.label, level: 'none', signers: [], files: [], sources: [], chain: [] };
}
