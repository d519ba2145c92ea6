/** Whether a version's files are what its signature lists, and its sources what its opam file says (point 8). */
import { hash } from 'node:crypto';
import type { HashKind } from '../../hashes.ts';
import { sections } from '../../opam/fields.ts';
import { parseOpamFile } from '../../opam/parser.ts';
import { type Source, sourceOf } from '../../opam/sources.ts';
import { OpamSyntaxError } from '../../opam/syntax.ts';
import type { VersionPlace } from './places.ts';
import { isStrong, type SignedDigest, type VersionSignature } from './version-signature.ts';

/** Bytes of a version's files by path relative to its folder; those that are not there are absent. */
export type VersionBytes = ReadonlyMap<string, Uint8Array>;

/** The first listed file that is missing or differs, as a sentence; undefined when all are as signed. */
export function differingFile(signature: VersionSignature, files: VersionBytes): string | undefined {
  for (const [path, digest] of signature.files) {
    const bytes = files.get(path);
    if (bytes === undefined) return `the signed file ${path} is missing`;
    if (bytes.length !== digest.size)
      return `${path} has ${bytes.length} bytes, and ${digest.size} are signed`;
    const wrong = digest.checksums.find(({ kind, hex }) => hash(kind, bytes, 'hex') !== hex);
    if (wrong !== undefined) return `the ${wrong.kind} of ${path} is not the signed one`;
  }
  return undefined;
}

/** The first file, archive or source that is signed without a strong hash. */
export function weakPart(
  signature: VersionSignature,
): { readonly name: string; readonly unproven: boolean } | undefined {
  let weak: { name: string; unproven: boolean } | undefined;
  for (const [name, digest] of partsOf(signature)) {
    // A part without any known digest proves nothing: no configuration can accept it.
    if (digest.checksums.length === 0) return { name, unproven: true };
    if (!isStrong(digest)) weak ??= { name, unproven: false };
  }
  return weak;
}

function* partsOf(signature: VersionSignature): Iterable<readonly [string, SignedDigest]> {
  yield* signature.files;
  if (signature.archive !== undefined) yield ['archive', signature.archive];
  yield* signature.extraSources;
}

/**
 * Where signature and opam file give different digests of one kind for one source; also when the opam file
 * cannot be read, so that nothing is known. The legacy `url` file of format 1.2 counts as the opam file's.
 */
export function contradiction(
  signature: VersionSignature,
  files: VersionBytes,
  place: VersionPlace,
  depth: number,
): string | undefined {
  if (place.subject.layout === 'compilers') return undefined;
  if (signature.archive === undefined && signature.extraSources.size === 0) return undefined;
  try {
    for (const [name, digest, source] of sharedSources(signature, files, depth)) {
      const kind = contradictedKind(digest, source);
      if (kind !== undefined) return `the opam file gives another ${kind} for ${name} than the signature`;
    }
    return undefined;
  } catch (error) {
    if (error instanceof OpamSyntaxError) return `the opam file cannot be read: ${error.message}`;
    throw error;
  }
}

/** Each source that both sides know; every `url` section, since readers differ in which one they take. */
function* sharedSources(
  signature: VersionSignature,
  files: VersionBytes,
  depth: number,
): Iterable<readonly [name: string, SignedDigest, Source]> {
  const opam = parseOpamFile(files.get('opam') ?? new Uint8Array(), { depth });
  const legacy = signature.files.has('url') ? files.get('url') : undefined;
  if (signature.archive !== undefined) {
    for (const url of sections(opam.items, 'url'))
      yield ['the archive', signature.archive, sourceOf(url.items)];
    if (legacy !== undefined)
      yield ['the archive', signature.archive, sourceOf(parseOpamFile(legacy, { depth }).items)];
  }
  for (const section of sections(opam.items, 'extra-source')) {
    const name = section.label ?? '';
    const digest = signature.extraSources.get(name);
    if (digest !== undefined) yield [name, digest, sourceOf(section.items)];
  }
}

function contradictedKind(signed: SignedDigest, source: Source): HashKind | undefined {
  for (const { kind, hex } of signed.checksums) {
    if (source.checksums.some((checksum) => checksum.kind === kind && checksum.hex !== hex)) return kind;
  }
  return undefined;
}
