/**
 * Signatures checked ahead, many at a time, before versions are judged. Only time depends on it: whatever is not
 * prepared is verified when it is asked for.
 */
import { SeraiError } from '../../errors.ts';
import type { Authorities } from './authorities.ts';
import type { Claim, ClaimChecker } from './claims.ts';
import type { SignedFile } from './form.ts';
import type { FoldedId } from './key-ids.ts';
import type { PublicKey } from './keys.ts';
import type { VersionPlace } from './places.ts';
import type { SignedText } from './signed-text.ts';

interface SignedUnderSubject {
  readonly place: VersionPlace;
  readonly file: SignedFile<unknown>;
}

/** A question, with where its claims begin and end among all of a batch. */
interface Asked {
  readonly signed: SignedText;
  readonly folded: FoldedId;
  readonly key: PublicKey;
  readonly from: number;
  readonly to: number;
}

/** The questions of a batch of versions. */
class Questions {
  readonly claims: Claim[] = [];
  readonly #asked: Asked[] = [];

  add(signed: SignedText, folded: FoldedId, key: PublicKey): void {
    const from = this.claims.length;
    this.claims.push(...signed.claimsBy(folded, key));
    const to = this.claims.length;
    if (to > from) this.#asked.push({ signed, folded, key, from, to });
  }

  async answer(checker: ClaimChecker): Promise<void> {
    if (this.claims.length === 0) return;
    const holds = await checker.check(this.claims);
    if (holds.length !== this.claims.length)
      throw new SeraiError('internal', `${holds.length} of ${this.claims.length} signatures were checked`);
    for (const { signed, folded, key, from, to } of this.#asked)
      signed.settle(folded, key, holds.slice(from, to).includes(true));
  }
}

export class Proofs {
  readonly #authorities: Authorities;
  readonly #checker: ClaimChecker;
  readonly #roleKeys: ReadonlyMap<FoldedId, PublicKey>;
  readonly #prepared = new Set<string>();

  constructor(authorities: Authorities, checker: ClaimChecker) {
    const { maintainerKeys, bootstrapKeys } = authorities.root;
    this.#authorities = authorities;
    this.#checker = checker;
    this.#roleKeys = new Map(
      [...maintainerKeys, ...bootstrapKeys].map(({ folded, key }) => [folded, key] as const),
    );
  }

  /** The versions' signatures, and those of their delegations and of the delegates' keys. */
  async prepare(versions: readonly SignedUnderSubject[]): Promise<void> {
    const questions = new Questions();
    for (const { place, file } of versions) {
      const delegates = this.#delegates(place.subject.key, questions);
      if (file.valid) this.#prepareText(file.signed, delegates, questions);
    }
    await questions.answer(this.#checker);
  }

  #delegates(subject: string, questions: Questions): ReadonlySet<FoldedId> {
    const file = this.#authorities.delegationFiles.get(subject)?.read();
    if (file?.valid !== true) return NOBODY;
    const delegates = new Set(file.content.delegates.map((delegate) => delegate.folded));
    if (this.#prepared.has(subject)) return delegates;
    this.#prepared.add(subject);
    // Where a maintainer signed, the delegates' own signatures are seldom asked for.
    const byMaintainer = file.signed.entries.some(({ folded }) => this.#roleKeys.has(folded));
    this.#prepareText(file.signed, byMaintainer ? NOBODY : delegates, questions);
    for (const folded of delegates) this.#prepareKey(folded, questions);
    return delegates;
  }

  #prepareKey(folded: FoldedId, questions: Questions): void {
    if (this.#prepared.has(`key ${folded}`)) return;
    this.#prepared.add(`key ${folded}`);
    const claimed = this.#authorities.claimedKey(folded);
    if (claimed !== undefined) this.#prepareText(claimed.signed, new Set([folded]), questions);
  }

  /** What roles have signed, and those of `developers` that are named. */
  #prepareText(signed: SignedText, developers: ReadonlySet<FoldedId>, questions: Questions): void {
    for (const folded of new Set(signed.entries.map((entry) => entry.folded))) {
      const developer = developers.has(folded) ? this.#authorities.claimedKey(folded)?.key : undefined;
      const key = this.#roleKeys.get(folded) ?? developer;
      if (key !== undefined) questions.add(signed, folded, key);
    }
  }
}

const NOBODY: ReadonlySet<FoldedId> = new Set();
