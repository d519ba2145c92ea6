/** What people ask about: a package, or one of its versions. */
import { SeraiError } from '../../errors.ts';
import { type PackageName, parsePackageId, parsePackageName, showPackageId } from '../../opam/package-id.ts';

export interface PackageSubject {
  readonly name: PackageName;
  /** Whether `name.version` is meant. */
  matches(version: string): boolean;
}

/** Reads `PACKAGE` or `PACKAGE.VERSION`. Throws `usage` for neither. */
export function packageSubject(text: string): PackageSubject {
  const id = parsePackageId(text);
  if (id !== undefined) {
    const only = showPackageId(id);
    return { name: id.name, matches: (version) => version === only };
  }
  const name = parsePackageName(text);
  if (name !== undefined) return { name, matches: (version) => version.startsWith(`${name}.`) };
  throw new SeraiError('usage', `${text} is neither a package nor a package.version`);
}
