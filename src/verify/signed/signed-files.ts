/** Reads and parses signed files of every kind, in batches. */
import { type DelegationFile, readDelegationFile } from './delegation-file.ts';
import { type DeveloperKeyFile, readDeveloperKeyFile } from './developer-key-file.ts';
import type { FileReader, FileRef } from './file-reader.ts';
import type { SignedFile } from './form.ts';
import { LazyFile } from './lazy-file.ts';
import { placeOf, type Subject, versionPlace } from './places.ts';
import { type RootFile, type RootReading, readRootFile } from './root-file.ts';
import { readVersionSignature, type VersionSignature } from './version-signature.ts';

/** Files by what they are, keys and delegations to be parsed when they are asked for; a file that is none of these is left out. */
export interface ParsedFiles {
  root?: SignedFile<RootFile>;
  /** By path. */
  readonly keys: Map<string, LazyFile<DeveloperKeyFile>>;
  /** By the subject's key. */
  readonly delegations: Map<string, { readonly subject: Subject; readonly file: LazyFile<DelegationFile> }>;
  /** By the version's folder and the file's id. */
  readonly signatures: Map<string, SignedFile<VersionSignature>>;
}

export function signatureKey(folder: string, id: string): string {
  return `${folder} ${id}`;
}

export async function readSignedFiles(
  reader: FileReader,
  refs: readonly FileRef[],
  maxBytes: number,
  reading: RootReading,
): Promise<ParsedFiles> {
  const parsed: ParsedFiles = { keys: new Map(), delegations: new Map(), signatures: new Map() };
  const { held } = reader;
  if (held !== undefined) for (const ref of refs) take(parsed, ref, held(ref), reading);
  else for await (const [ref, bytes] of reader.read(refs, maxBytes)) take(parsed, ref, bytes, reading);
  return parsed;
}

function take(parsed: ParsedFiles, { path, id }: FileRef, bytes: Uint8Array, reading: RootReading): void {
  const place = placeOf(path);
  switch (place.kind) {
    case 'root':
      parsed.root = readRootFile(bytes, reading);
      return;
    case 'developer-key':
      parsed.keys.set(path, new LazyFile(() => readDeveloperKeyFile(bytes, path, reading.depth)));
      return;
    case 'delegation': {
      const { subject } = place;
      const file = new LazyFile(() => readDelegationFile(bytes, subject.name, reading.depth));
      parsed.delegations.set(subject.key, { subject, file });
      return;
    }
    case 'version': {
      const file = readVersionSignature(bytes, versionPlace(place.folder), reading.depth);
      parsed.signatures.set(signatureKey(place.folder, id), file);
    }
  }
}
