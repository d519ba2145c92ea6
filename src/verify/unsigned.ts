/** The dialect of repositories that sign nothing: every version is admitted at level `none`. */
import { packageIdOfPath, showPackageId } from '../opam/package-id.ts';
import type { Candidate, Dialect, Verdict, VersionVerdict } from './dialect.ts';

export const unsignedDialect: Dialect = {
  async verify(candidate: Candidate): Promise<Verdict> {
    const files = new Map<string, string[]>();
    const shared: string[] = [];
    for (const path of candidate.tree.files.keys()) {
      const place = packageIdOfPath(path);
      if (place === undefined) {
        shared.push(path);
        continue;
      }
      const version = showPackageId(place.id);
      const known = files.get(version);
      if (known === undefined) files.set(version, [path]);
      else known.push(path);
    }
    const versions = new Map<string, VersionVerdict>();
    for (const [version, paths] of files) {
      versions.set(version, { version, level: 'none', signers: [], files: paths, sources: [], chain: [] });
    }
    return { versions, shared, violations: [] };
  },
};
