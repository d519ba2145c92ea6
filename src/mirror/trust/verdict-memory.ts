/** Verdicts kept from one verification to the next, and across restarts, by all that they depend on. */
import type { StoredVerdict } from '../../store/catalogue.ts';
import type { VerdictCache, VersionVerdict } from '../../verify/dialect.ts';
import { printVerdict, readVerdict } from './stored-verdict.ts';

/** Whom delegation files name, by what `VerdictCache` calls the files. */
export type StoredDelegates = readonly (readonly [delegation: string, delegates: readonly string[]])[];

interface Touched {
  readonly key: string;
  readonly verdict: VersionVerdict;
}

export class VerdictMemory implements VerdictCache {
  readonly #byKey = new Map<string, VersionVerdict>();
  /** As they are stored, until they are asked for. */
  readonly #unread = new Map<string, StoredVerdict>();
  /** Under which key each version's verdict is stored. */
  readonly #stored = new Map<string, string>();
  /** Asked for or made by the verification under way. */
  #touched = new Map<string, Touched>();
  readonly #delegates: Map<string, readonly string[]>;
  #touchedDelegates = new Map<string, readonly string[]>();
  /** Verdicts made anew by the verification under way, for tests and logs. */
  made = 0;

  constructor(stored: Iterable<StoredVerdict>, delegates: StoredDelegates = []) {
    for (const one of stored) {
      this.#unread.set(one.key, one);
      this.#stored.set(one.version, one.key);
    }
    this.#delegates = new Map(delegates);
  }

  get(key: string): VersionVerdict | undefined {
    const verdict = this.#byKey.get(key) ?? this.#read(key);
    if (verdict !== undefined) this.#touched.set(verdict.version, { key, verdict });
    return verdict;
  }

  set(key: string, verdict: VersionVerdict): void {
    this.made += 1;
    this.#byKey.set(key, verdict);
    this.#touched.set(verdict.version, { key, verdict });
  }

  delegates(delegation: string): readonly string[] | undefined {
    const known = this.#delegates.get(delegation);
    if (known !== undefined) this.#touchedDelegates.set(delegation, known);
    return known;
  }

  keepDelegates(delegation: string, delegates: readonly string[]): void {
    this.#delegates.set(delegation, delegates);
    this.#touchedDelegates.set(delegation, delegates);
  }

  /** What is to be stored with an accepted verdict. */
  changes(): { readonly replaced: readonly StoredVerdict[]; readonly dropped: readonly string[] } {
    const replaced: StoredVerdict[] = [];
    for (const [version, { key, verdict }] of this.#touched)
      if (this.#stored.get(version) !== key) replaced.push({ version, key, verdict: printVerdict(verdict) });
    const dropped = [...this.#stored.keys()].filter((version) => !this.#touched.has(version));
    return { replaced, dropped };
  }

  /** Those that the verification under way asked for. */
  get storedDelegates(): StoredDelegates {
    return [...this.#touchedDelegates];
  }

  /** After the changes were stored: forgets the verdicts that no version has any more. */
  settle(): void {
    this.#byKey.clear();
    this.#unread.clear();
    this.#stored.clear();
    this.#delegates.clear();
    for (const [version, { key, verdict }] of this.#touched) {
      this.#byKey.set(key, verdict);
      this.#stored.set(version, key);
    }
    for (const [delegation, delegates] of this.#touchedDelegates) this.#delegates.set(delegation, delegates);
    this.begin();
  }

  /** Before a verification: what an earlier one touched and nobody stored does not count. */
  begin(): void {
    this.#touched = new Map();
    this.#touchedDelegates = new Map();
    this.made = 0;
  }

  #read(key: string): VersionVerdict | undefined {
    const stored = this.#unread.get(key);
    if (stored === undefined) return undefined;
    this.#unread.delete(key);
    const verdict = readVerdict(stored.verdict);
    if (verdict?.version === stored.version) {
      this.#byKey.set(key, verdict);
      return verdict;
    }
    // One that cannot be read costs its making anew, so it is no error.
    this.#stored.delete(stored.version);
    return undefined;
  }
}
