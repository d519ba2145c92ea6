/** The versions that a step touches: what of them has to be read, and what is wrong with them. */
import type { Violation } from '../dialect.ts';
import type { Authorities } from './authorities.ts';
import type { FileIndex } from './file-index.ts';
import { type FileRef, readGroups } from './file-reader.ts';
import { violation } from './problem.ts';
import type { RepositoryOptions } from './repository.ts';
import { type ParsedFiles, readSignedFiles, signatureKey } from './signed-files.ts';
import {
  equalVersionProblem,
  hasSignature,
  judgeTouched,
  type OwedProof,
  proofFiles,
  proofProblem,
  type TouchedSignatures,
  type TouchedVersion,
} from './version-rules.ts';

/** Something signed that is gone: refused, but for a tag `rm/<commit>` (T1 to T3). */
export interface Removal {
  readonly rule: 'T1' | 'T2' | 'T3';
  readonly path: string;
}

interface Judged {
  readonly violations: readonly Violation[];
  readonly removals: readonly Removal[];
}

interface Owing {
  readonly proof: OwedProof;
  readonly version: TouchedVersion;
  readonly signature: TouchedSignatures['after'];
  readonly refs: readonly FileRef[];
}

/** By the rules of versions; reads signature files in one batch, and the files they list in another. */
export async function judgeVersions(
  touched: readonly TouchedVersion[],
  authorities: Authorities,
  index: FileIndex,
  options: RepositoryOptions,
): Promise<Judged> {
  const parsed = await readSignatures(touched, options);
  const violations: Violation[] = [];
  const removals: Removal[] = [];
  const owing: Owing[] = [];
  for (const version of touched) {
    const signatures = signaturesOf(version, parsed);
    const judgement = judgeTouched(version, signatures, authorities);
    if (judgement.kind === 'removed') removals.push({ rule: 'T1', path: judgement.path });
    else if (judgement.kind === 'violation') violations.push(violation(judgement.problem, judgement.path));
    else if (judgement.kind === 'owed') {
      const refs = proofFiles(version, signatures.after);
      owing.push({ proof: judgement, version, signature: signatures.after, refs });
    }
    const equal = equalVersionProblem(version, index);
    if (equal !== undefined) violations.push(violation(equal, version.place.folder + version.place.main));
  }
  violations.push(...(await unproven(owing, authorities, options)));
  return { violations, removals };
}

async function readSignatures(
  touched: readonly TouchedVersion[],
  options: RepositoryOptions,
): Promise<ParsedFiles> {
  const refs = new Map<string, FileRef>();
  for (const version of touched) {
    if (!hasSignature(version)) continue;
    const { folder, signature } = version.place;
    const path = folder + signature;
    for (const id of [version.before.get(signature), version.after.get(signature)]) {
      if (id !== undefined) refs.set(signatureKey(folder, id), { path, id });
    }
  }
  return readSignedFiles(options.reader, [...refs.values()], options.limits.key_file, options.reading);
}

function signaturesOf({ place, before, after }: TouchedVersion, parsed: ParsedFiles): TouchedSignatures {
  const find = (id: string | undefined) =>
    id === undefined ? undefined : parsed.signatures.get(signatureKey(place.folder, id));
  return { before: find(before.get(place.signature)), after: find(after.get(place.signature)) };
}

/** L4 and L7, for versions whose new files have to be read. */
async function unproven(
  owing: readonly Owing[],
  authorities: Authorities,
  { reader, limits }: RepositoryOptions,
): Promise<readonly Violation[]> {
  const violations: Violation[] = [];
  const most = Math.max(limits.opam_file, limits.other_file);
  for await (const [{ proof, version, signature }, read] of readGroups(reader, owing, most)) {
    const { folder } = version.place;
    const files = new Map([...read].map(([path, bytes]) => [path.slice(folder.length), bytes] as const));
    const found = proofProblem(proof, version, signature, files, authorities);
    if (found !== undefined) violations.push(violation(found, proof.path));
  }
  return violations;
}
