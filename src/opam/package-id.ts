/** `name.version`, and where in a tree it stands. */

declare const nameBrand: unique symbol;
declare const versionBrand: unique symbol;

export type PackageName = string & { readonly [nameBrand]: true };
export type PackageVersion = string & { readonly [versionBrand]: true };

export interface PackageId {
  readonly name: PackageName;
  readonly version: PackageVersion;
}

// OPAM-CLIENT.md, "The language".
const NAME = /^(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_+-]*$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9_+.~-]*$/;

export function parsePackageName(text: string): PackageName | undefined {
  return NAME.test(text) ? (text as PackageName) : undefined;
}

export function parsePackageVersion(text: string): PackageVersion | undefined {
  return VERSION.test(text) ? (text as PackageVersion) : undefined;
}

/** Splits at the first `.`; undefined when either part is not one. */
export function parsePackageId(text: string): PackageId | undefined {
  const dot = text.indexOf('.');
  if (dot === -1) return undefined;
  const name = parsePackageName(text.slice(0, dot));
  const version = parsePackageVersion(text.slice(dot + 1));
  return name === undefined || version === undefined ? undefined : { name, version };
}

export function showPackageId(id: PackageId): string {
  return `${id.name}.${id.version}`;
}

/** A path below `packages/<name>/<name>.<version>/`, taken apart; undefined for every other path. */
export function packageIdOfPath(path: string): { readonly id: PackageId; readonly file: string } | undefined {
  if (!path.startsWith('packages/')) return undefined;
  const nameEnd = path.indexOf('/', 9);
  const versionEnd = nameEnd === -1 ? -1 : path.indexOf('/', nameEnd + 1);
  if (versionEnd === -1) return undefined;
  const id = parsePackageId(path.slice(nameEnd + 1, versionEnd));
  const file = path.slice(versionEnd + 1);
  if (id === undefined || id.name !== path.slice(9, nameEnd) || file === '') return undefined;
  return { id, file };
}
