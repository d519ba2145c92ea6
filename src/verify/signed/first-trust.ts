/** Who is trusted at first (point 4). */
import { SeraiError } from '../../errors.ts';
import type { SignedFile, ValidFile } from './form.ts';
import { type Problem, problem } from './problem.ts';
import { countDistinct, isExpired, signersAmong } from './role-keys.ts';
import { rootSelfProblem } from './root-chain.ts';
import type { RootFile } from './root-file.ts';

/** Fingerprints of root keys (`sha256=…`), and how many of them have to sign. */
export interface Anchors {
  readonly fingerprints: readonly string[];
  readonly quorum: number;
}

export type Trust =
  | ({ readonly kind: 'anchors' } & Anchors)
  /** Without `accepted` nothing is trusted yet: the verdict shows the fingerprints, for the user to accept. */
  | { readonly kind: 'first-use'; readonly accepted?: Anchors }
  | { readonly kind: 'none' };

const FINGERPRINT = /^sha256=[0-9a-f]{64}$/;

/** The anchors that a trust rests on, in one order; undefined where it rests on none. Throws `config-invalid`. */
export function anchorsOf(trust: Trust): Anchors | undefined {
  const given = trust.kind === 'anchors' ? trust : trust.kind === 'first-use' ? trust.accepted : undefined;
  if (given === undefined) return undefined;
  const fingerprints = [...new Set(given.fingerprints)].sort();
  const malformed = fingerprints.find((fingerprint) => !FINGERPRINT.test(fingerprint));
  if (malformed !== undefined) {
    throw new SeraiError(
      'config-invalid',
      `the trust anchor ${malformed} is not sha256= and 64 lower-case hex digits`,
    );
  }
  if (!Number.isInteger(given.quorum) || given.quorum < 1 || given.quorum > fingerprints.length) {
    const range = `1 to ${fingerprints.length}, the number of distinct trust anchors`;
    throw new SeraiError(
      'config-invalid',
      `the quorum ${given.quorum} of trust anchors is not within ${range}`,
    );
  }
  return { fingerprints, quorum: given.quorum };
}

export function sameAnchors(a: Anchors | undefined, b: Anchors | undefined): boolean {
  return a?.quorum === b?.quorum && a?.fingerprints.join() === b?.fingerprints.join();
}

/** The first `keys/root`, or why it is not to be trusted. */
export function firstRoot(
  file: SignedFile<RootFile> | undefined,
  trust: Trust,
  now: number,
): ValidFile<RootFile> | Problem {
  if (file === undefined) return problem('FORM', 'there is no keys/root');
  if (!file.valid) return problem(file.rule, file.reason);
  return rootSelfProblem(file, now) ?? trustProblem(file, trust, now) ?? file;
}

function trustProblem(file: ValidFile<RootFile>, trust: Trust, now: number): Problem | undefined {
  const anchors = anchorsOf(trust);
  if (anchors !== undefined) return anchorsProblem(file, anchors, now);
  if (trust.kind === 'none') return undefined;
  const keys = file.content.rootKeys.map((key) => `${key.id} ${key.key.fingerprint}`);
  return problem('P4', `nobody has accepted these root keys yet: ${keys.join(', ')}`);
}

/** Anchors are met by root keys that this very file lists, that have not expired, and that signed it. */
function anchorsProblem(
  { content, signed }: ValidFile<RootFile>,
  anchors: Anchors,
  now: number,
): Problem | undefined {
  const anchored = content.rootKeys.filter((key) => anchors.fingerprints.includes(key.key.fingerprint));
  const signers = signersAmong(signed, anchored).filter((key) => !isExpired(key, now));
  const count = countDistinct(signers);
  if (count >= anchors.quorum) return undefined;
  const message = `keys/root is signed by ${count} of the trust anchors, and ${anchors.quorum} are needed`;
  return problem('P4', message, anchors.fingerprints);
}
