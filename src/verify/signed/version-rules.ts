/** L1, L4, L7, T1 and V1: what a step may do to versions. */
import { compareVersions } from '../../opam/version.ts';
import type { Authorities } from './authorities.ts';
import { claimedSigners, differenceBetween } from './changed.ts';
import type { FileIndex, VersionFiles } from './file-index.ts';
import type { FileRef } from './file-reader.ts';
import type { SignedFile } from './form.ts';
import { type VersionPlace, versionPlace } from './places.ts';
import { type Problem, problem } from './problem.ts';
import { versionAuthority } from './version-authority.ts';
import { differingFile, type VersionBytes } from './version-content.ts';
import type { VersionSignature } from './version-signature.ts';

/** A version of which a step touches some file. */
export interface TouchedVersion {
  readonly place: VersionPlace;
  readonly before: VersionFiles;
  readonly after: VersionFiles;
}

/** Signature files as far as a touched version has them. */
export interface TouchedSignatures {
  readonly before: SignedFile<VersionSignature> | undefined;
  readonly after: SignedFile<VersionSignature> | undefined;
}

/** A version whose new signature has to hold over its new files, by the rule and for the reason given. */
export interface OwedProof {
  readonly rule: 'L4' | 'L7';
  /** What is new or changed. */
  readonly path: string;
}

export type VersionJudgement =
  | { readonly kind: 'fine' }
  | { readonly kind: 'violation'; readonly path: string; readonly problem: Problem }
  | { readonly kind: 'removed'; readonly path: string }
  | ({ readonly kind: 'owed' } & OwedProof);

const FINE: VersionJudgement = { kind: 'fine' };

/** True when the judgement needs the signature files. */
export function hasSignature({ place, before, after }: TouchedVersion): boolean {
  return before.has(place.signature) || after.has(place.signature);
}

/** What the step does to the version, before anything of it is proven. */
export function judgeTouched(
  version: TouchedVersion,
  signatures: TouchedSignatures,
  authorities: Authorities,
): VersionJudgement {
  const { place, before, after } = version;
  const path = place.folder + place.signature;
  const wasSigned = before.has(place.signature);
  if (after.size === 0) return wasSigned ? { kind: 'removed', path } : FINE;
  if (wasSigned && !after.has(place.signature)) {
    return { kind: 'violation', path, problem: problem('L1', 'the signature file alone was removed') };
  }
  if (!after.has(place.signature)) return judgeUnsigned(version, authorities);
  if (!wasSigned) return { kind: 'owed', rule: 'L4', path };
  const changed = changedPath(version, signatures, authorities);
  return changed === undefined ? FINE : { kind: 'owed', rule: 'L7', path: changed };
}

/** L4: only a name without a delegation may gain unsigned versions. */
function judgeUnsigned({ place, before }: TouchedVersion, authorities: Authorities): VersionJudgement {
  if (before.size > 0 || authorities.delegation(place.subject.key) === undefined) return FINE;
  const found = problem('L4', 'a new version of a delegated name is not signed');
  return { kind: 'violation', path: place.folder + place.main, problem: found };
}

/** L7: files that the signature does not list are no part of the version. */
function changedPath(
  { place, before, after }: TouchedVersion,
  signatures: TouchedSignatures,
  authorities: Authorities,
): string | undefined {
  const replaced = before.get(place.signature) !== after.get(place.signature);
  if (replaced && signatures.before !== undefined && signatures.after !== undefined) {
    const difference = differenceBetween(
      signatures.before,
      signatures.after,
      authorities.root.maintainerKeys,
    );
    if (difference !== 'none') return place.folder + place.signature;
  }
  const file = listedFiles(signatures.after).find((listed) => before.get(listed) !== after.get(listed));
  return file === undefined ? undefined : place.folder + file;
}

function listedFiles(signature: SignedFile<VersionSignature> | undefined): readonly string[] {
  return signature?.valid === true ? [...signature.content.files.keys()] : [];
}

/** The files that a proof needs, as far as they are there. */
export function proofFiles(
  { place, after }: TouchedVersion,
  signature: SignedFile<VersionSignature> | undefined,
): readonly FileRef[] {
  return listedFiles(signature).flatMap((file) => {
    const id = after.get(file);
    return id === undefined ? [] : [{ path: place.folder + file, id }];
  });
}

/** L4 and L7: valid under the new delegation, or an RM quorum's. Weak and contradicting ones are no violation. */
export function proofProblem(
  { rule }: OwedProof,
  { place }: TouchedVersion,
  signature: SignedFile<VersionSignature> | undefined,
  files: VersionBytes,
  authorities: Authorities,
): Problem | undefined {
  if (signature === undefined) return undefined;
  const what = rule === 'L4' ? 'the new signature' : 'the version changed, and its signature';
  if (!signature.valid) return problem(rule, `${what} is invalid: ${signature.reason}`);
  const keys = claimedSigners(signature);
  const { signed } = signature;
  const question = { signed, subject: place.subject.key, version: place.version, bootstrapCounts: false };
  const { missing } = versionAuthority(question, authorities);
  if (missing !== undefined) return problem(rule, `${what} does not count: ${missing.reason}`, keys);
  const differing = differingFile(signature.content, files);
  return differing === undefined ? undefined : problem(rule, `${what} does not fit: ${differing}`, keys);
}

/** V1: a new version that clients could not tell from another of its name. */
export function equalVersionProblem(
  { place, before, after }: TouchedVersion,
  index: FileIndex,
): Problem | undefined {
  if (before.size > 0 || after.size === 0) return undefined;
  for (const folder of index.foldersOf(place.subject.key)) {
    if (folder === place.folder) continue;
    const other = versionPlace(folder);
    if (compareVersions(place.version, other.version) === 0) {
      return problem('V1', `${place.label} compares equal to ${other.label}`);
    }
  }
  return undefined;
}
