/** `signature` and `<v>+<p>.signature`: sizes and hashes of a version's files and archives (points 8 and 13). */
import { type Checksum, isHashKind, isHexOf, showChecksum } from '../../hashes.ts';
import type { Value } from '../../opam/syntax.ts';
import type { SignedSource } from '../dialect.ts';
import { type Fields, readSignedFile, type SignedFile } from './form.ts';
import { FormError } from './form-error.ts';
import type { VersionPlace } from './places.ts';

export interface SignedDigest {
  /** In bytes. */
  readonly size: number;
  /** Of known kinds; the others are signed, and passed over. */
  readonly checksums: readonly Checksum[];
}

export interface VersionSignature {
  /** By path relative to the version's folder. */
  readonly files: ReadonlyMap<string, SignedDigest>;
  /** By what names the source: `archive`, an extra source's name, a patch's URL. */
  readonly archive?: SignedDigest;
  readonly extraSources: ReadonlyMap<string, SignedDigest>;
}

const PACKAGE_NAMES = {
  required: ['name', 'version', 'package-files'],
  optional: ['archive', 'extra-sources'],
};
const COMPILER_NAMES = { required: ['name', 'version', 'compiler-files'], optional: ['archive', 'patches'] };

export function readVersionSignature(
  bytes: Uint8Array,
  place: VersionPlace,
  depth: number,
): SignedFile<VersionSignature> {
  const compiler = place.subject.layout === 'compilers';
  const filesName = compiler ? 'compiler-files' : 'package-files';
  const sourcesName = compiler ? 'patches' : 'extra-sources';
  return readSignedFile(bytes, compiler ? COMPILER_NAMES : PACKAGE_NAMES, depth, (fields) => {
    fields.expect('name', place.subject.name);
    fields.expect('version', place.version);
    const files = digestsByName(fields, filesName);
    for (const path of files.keys()) checkPath(path, filesName, place);
    if (!files.has(place.main)) throw new FormError('P8', `${filesName}: does not name ${place.main}`);
    const archive =
      fields.value('archive') === undefined ? undefined : digestOf(fields.list('archive'), 'archive');
    const extraSources = digestsByName(fields, sourcesName);
    return { files, ...(archive === undefined ? {} : { archive }), extraSources };
  });
}

/** Point 8: at least one of sha256 and sha512, else it is weak. */
export function isStrong(digest: SignedDigest): boolean {
  return digest.checksums.some((checksum) => checksum.kind !== 'md5');
}

export function sourcesOfSignature(signature: VersionSignature): readonly SignedSource[] {
  const sources: SignedSource[] = [];
  if (signature.archive !== undefined) sources.push(signedSource('archive', signature.archive));
  for (const [name, digest] of signature.extraSources) sources.push(signedSource(name, digest));
  return sources;
}

function signedSource(source: string, { size, checksums }: SignedDigest): SignedSource {
  return { source, size, checksums: checksums.map((checksum) => showChecksum(checksum)) };
}

/** `"name" {size [kind "hex" …]}` entries. */
function digestsByName(fields: Fields, field: string): ReadonlyMap<string, SignedDigest> {
  const digests = new Map<string, SignedDigest>();
  for (const value of fields.list(field)) {
    if (value.kind !== 'option' || value.value.kind !== 'string') {
      throw new FormError('FORM', `an entry of ${field}: is not a name with {size [hashes]}`);
    }
    const name = value.value.text;
    // Point 8: none twice.
    if (digests.has(name)) throw new FormError('P8', `${field}: names ${JSON.stringify(name)} twice`);
    digests.set(name, digestOf(value.options, field));
  }
  return digests;
}

function digestOf(values: readonly Value[], field: string): SignedDigest {
  const [size, hashes, ...more] = values;
  if (size?.kind !== 'int' || hashes?.kind !== 'list' || more.length > 0) {
    throw new FormError('FORM', `an entry of ${field}: is not a size and a list of hashes`);
  }
  const bytes = Number(size.digits);
  if (bytes < 0 || !Number.isSafeInteger(bytes))
    throw new FormError('FORM', `${size.digits} is no size in bytes`);
  return { size: bytes, checksums: checksumsOf(hashes.items, field) };
}

function checksumsOf(values: readonly Value[], field: string): readonly Checksum[] {
  const checksums: Checksum[] = [];
  for (let index = 0; index < values.length; index += 2) {
    const kind = values[index];
    const hex = values[index + 1];
    if (kind?.kind !== 'ident' || hex?.kind !== 'string') {
      throw new FormError('FORM', `the hashes in ${field}: are not pairs of a kind and a string`);
    }
    if (!isHashKind(kind.name)) continue;
    if (!isHexOf(kind.name, hex.text)) {
      throw new FormError('FORM', `a ${kind.name} in ${field}: is not lower-case hex of its length`);
    }
    checksums.push({ kind: kind.name, hex: hex.text });
  }
  return checksums;
}

/** Point 8: relative, without empty, `.` or `..` parts, and never the signature itself. */
function checkPath(path: string, field: string, place: VersionPlace): void {
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..') || path === place.signature) {
    throw new FormError('P8', `${field}: names ${JSON.stringify(path)}, which may not be signed`);
  }
}
