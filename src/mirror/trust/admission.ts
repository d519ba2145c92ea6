/** Which versions of a verdict are served: the paths that make up the admitted tree. */
import { compareBytewise } from '../../opam/tree.ts';
import type { Rule, Verdict } from '../../verify/dialect.ts';

export interface Admission {
  /** In C order. */
  readonly paths: readonly string[];
  /** Versions that verification withholds, with the rule and the reason. */
  readonly held: readonly { readonly version: string; readonly rule: Rule; readonly reason: string }[];
}

/** Admits what verification does not withhold. The top-level `seal/` is upstream's own and never served on. */
export function admit(verdict: Verdict): Admission {
  const paths = verdict.shared.filter((path) => !path.startsWith('seal/'));
  const held: { version: string; rule: Rule; reason: string }[] = [];
  for (const version of verdict.versions.values()) {
    if (version.withheld === undefined) for (const path of version.files) paths.push(path);
    else held.push({ version: version.version, ...version.withheld });
  }
  return { paths: paths.sort(compareBytewise), held };
}
