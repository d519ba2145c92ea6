/** Names of verdicts by all that they depend on, so that a kept one is right wherever its name comes up again. */
import { hash } from 'node:crypto';
import type { Authorities } from './authorities.ts';
import type { VersionFiles } from './file-index.ts';
import type { VersionPlace } from './places.ts';
import type { SignedText } from './signed-text.ts';
import type { VersionPolicy } from './version-verdict.ts';

/** Raised whenever a verdict's shape or meaning changes, so that kept ones of before are not found. */
const GENERATION = 1;

export class VerdictKeys {
  readonly #authorities: Authorities;
  /** What all versions depend on: keys/root, the quorums, the policy. */
  readonly #common: string;
  readonly #subjects = new Map<string, string>();

  constructor(authorities: Authorities, policy: VersionPolicy) {
    this.#authorities = authorities;
    const { root, rootFile } = authorities;
    this.#common = [
      GENERATION,
      rootFile.signed.identity,
      root.maintainerQuorum,
      policy.threshold,
      policy.acceptWeak,
      policy.depth,
    ].join();
  }

  keyOf(place: VersionPlace, files: VersionFiles, bootstrapCounts: boolean): string {
    const listed = [...files].map(([file, id]) => `${file} ${id}`).sort();
    const parts = [
      this.#common,
      this.#subject(place.subject.key),
      place.folder,
      `${bootstrapCounts}`,
      ...listed,
    ];
    return hash('sha256', parts.join('\n'), 'base64');
  }

  /** The delegation with the key files of all whom it names: signers and vouchers are among them. */
  #subject(subject: string): string {
    let known = this.#subjects.get(subject);
    if (known === undefined) {
      known = this.#delegationIdentity(subject);
      this.#subjects.set(subject, known);
    }
    return known;
  }

  #delegationIdentity(subject: string): string {
    const { delegationFiles, keyFiles } = this.#authorities;
    const file = delegationFiles.get(subject);
    if (file === undefined) return 'undelegated';
    if (!file.valid) return `invalid ${file.reason}`;
    const parts = [signedIdentity(file)];
    for (const { folded } of file.content.delegates) {
      for (const known of keyFiles.folding(folded)) {
        parts.push(known.path, known.file.valid ? signedIdentity(known.file) : known.file.reason);
      }
    }
    return hash('sha256', parts.join('\n'), 'base64');
  }
}

/** The text with its signatures: a signature added or dropped can change what a file is worth. */
function signedIdentity({ signed }: { readonly signed: SignedText }): string {
  const entries = signed.entries.map(({ id, algorithm, signature }) =>
    JSON.stringify([id, algorithm, signature]),
  );
  return `${signed.identity} ${entries.join()}`;
}
