/** Verdicts kept from one verification to the next, and across restarts, by all that they depend on. */
import { z } from 'zod';
import type { StoredVerdict } from '../../store/catalogue.ts';
import { TRUST_LEVELS, type VerdictCache, type VersionVerdict } from '../../verify/dialect.ts';
import { isRule } from '../../verify/rules.ts';

const verdictSchema = z.strictObject({
  version: z.string(),
  level: z.enum(TRUST_LEVELS),
  signers: z.array(z.string()),
  files: z.array(z.string()),
  sources: z.array(z.strictObject({ source: z.string(), size: z.int(), checksums: z.array(z.string()) })),
  withheld: z.strictObject({ rule: z.string().refine(isRule), reason: z.string() }).exactOptional(),
  chain: z.array(z.string()),
});

export class VerdictMemory implements VerdictCache {
  readonly #byKey = new Map<string, VersionVerdict>();
  /** Under which key each version's verdict is stored. */
  readonly #stored = new Map<string, string>();
  /** Asked for or made by the verification under way. */
  #touched = new Map<string, { key: string; verdict: VersionVerdict }>();
  /** Verdicts made anew by the verification under way, for tests and logs. */
  made = 0;

  constructor(stored: readonly StoredVerdict[]) {
    for (const { version, key, verdict } of stored) {
      const parsed = readVerdict(verdict);
      // One that cannot be read costs its making anew, so it is no error.
      if (parsed === undefined) continue;
      this.#byKey.set(key, parsed);
      this.#stored.set(version, key);
    }
  }

  get(key: string): VersionVerdict | undefined {
    const verdict = this.#byKey.get(key);
    if (verdict !== undefined) this.#touched.set(verdict.version, { key, verdict });
    return verdict;
  }

  set(key: string, verdict: VersionVerdict): void {
    this.made += 1;
    this.#byKey.set(key, verdict);
    this.#touched.set(verdict.version, { key, verdict });
  }

  /** What is to be stored with an accepted verdict. */
  changes(): { readonly replaced: readonly StoredVerdict[]; readonly dropped: readonly string[] } {
    const replaced: StoredVerdict[] = [];
    for (const [version, { key, verdict }] of this.#touched)
      if (this.#stored.get(version) !== key)
        replaced.push({ version, key, verdict: JSON.stringify(verdict) });
    const dropped = [...this.#stored.keys()].filter((version) => !this.#touched.has(version));
    return { replaced, dropped };
  }

  /** After the changes were stored: forgets the verdicts that no version has any more. */
  settle(): void {
    this.#byKey.clear();
    this.#stored.clear();
    for (const [version, { key, verdict }] of this.#touched) {
      this.#byKey.set(key, verdict);
      this.#stored.set(version, key);
    }
    this.begin();
  }

  /** Before a verification: what an earlier one touched and nobody stored does not count. */
  begin(): void {
    this.#touched = new Map();
    this.made = 0;
  }
}

/** Undefined when the text is not what was stored. */
export function readVerdict(text: string): VersionVerdict | undefined {
  try {
    const { withheld, ...rest } = verdictSchema.parse(JSON.parse(text));
    if (withheld === undefined) return rest;
    return isRule(withheld.rule)
      ? { ...rest, withheld: { rule: withheld.rule, reason: withheld.reason } }
      : undefined;
  } catch {
    return undefined;
  }
}
