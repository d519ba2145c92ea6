/**
 * Signatures verified ahead, on other threads, before versions are judged. Only time depends on it: whatever is
 * not prepared is verified when it is asked for.
 */
import type { Authorities } from './authorities.ts';
import type { SignedFile } from './form.ts';
import type { FoldedId } from './key-ids.ts';
import type { PublicKey } from './keys.ts';
import type { VersionPlace } from './places.ts';
import type { SignedText } from './signed-text.ts';

interface SignedUnderSubject {
  readonly place: VersionPlace;
  readonly file: SignedFile<unknown>;
}

export class Proofs {
  readonly #authorities: Authorities;
  readonly #roleKeys: ReadonlyMap<FoldedId, PublicKey>;
  readonly #prepared = new Set<string>();

  constructor(authorities: Authorities) {
    const { maintainerKeys, bootstrapKeys } = authorities.root;
    this.#authorities = authorities;
    this.#roleKeys = new Map(
      [...maintainerKeys, ...bootstrapKeys].map(({ folded, key }) => [folded, key] as const),
    );
  }

  /** The versions' signatures, and those of their delegations and of the delegates' keys. */
  async prepare(versions: readonly SignedUnderSubject[]): Promise<void> {
    const proofs: Promise<void>[] = [];
    for (const { place, file } of versions) {
      const delegates = this.#delegates(place.subject.key, proofs);
      if (file.valid) this.#prepareText(file.signed, delegates, proofs);
    }
    await Promise.all(proofs);
  }

  #delegates(subject: string, proofs: Promise<void>[]): ReadonlySet<FoldedId> {
    const file = this.#authorities.delegationFiles.get(subject);
    if (file?.valid !== true) return NOBODY;
    const delegates = new Set(file.content.delegates.map((delegate) => delegate.folded));
    if (this.#prepared.has(subject)) return delegates;
    this.#prepared.add(subject);
    // Where a maintainer signed, the delegates' own signatures are seldom asked for.
    const byMaintainer = file.signed.entries.some(({ folded }) => this.#roleKeys.has(folded));
    this.#prepareText(file.signed, byMaintainer ? NOBODY : delegates, proofs);
    for (const folded of delegates) this.#prepareKey(folded, proofs);
    return delegates;
  }

  #prepareKey(folded: FoldedId, proofs: Promise<void>[]): void {
    if (this.#prepared.has(`key ${folded}`)) return;
    this.#prepared.add(`key ${folded}`);
    const claimed = this.#authorities.claimedKey(folded);
    if (claimed !== undefined) this.#prepareText(claimed.signed, new Set([folded]), proofs);
  }

  /** What roles have signed, and those of `developers` that are named. */
  #prepareText(signed: SignedText, developers: ReadonlySet<FoldedId>, proofs: Promise<void>[]): void {
    for (const { folded } of signed.entries) {
      const developer = developers.has(folded) ? this.#authorities.claimedKey(folded)?.key : undefined;
      const key = this.#roleKeys.get(folded) ?? developer;
      if (key !== undefined) proofs.push(signed.prepare(folded, key));
    }
  }
}

const NOBODY: ReadonlySet<FoldedId> = new Set();
