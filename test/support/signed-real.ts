/** The real repository, signed by 500 developers: every name delegated, every version signed. */
import { createHash } from 'node:crypto';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { packageIdOfPath, showPackageId } from '../../src/opam/package-id.ts';
import { memoryTree, type Tree } from '../../src/opam/tree.ts';
import { readIndexFile } from '../../src/upstream/folder-tree.ts';
import { ed25519, rm1, type Signer } from './signed-keys.ts';
import { delegationText, digest, keyText, rootText, signed } from './signed-texts.ts';

const DEVELOPERS = 500;

const developers: readonly Signer[] = Array.from({ length: DEVELOPERS }, (_, index) =>
  ed25519(`dev${index}@example.org`),
);

function developerOf(name: string): Signer {
  const index = createHash('sha256').update(name).digest().readUInt32BE(0) % DEVELOPERS;
  const developer = developers[index];
  if (developer === undefined) throw new Error('there is no such developer');
  return developer;
}

export interface SignedReal {
  readonly files: ReadonlyMap<string, Buffer>;
  /** Signatures that a verification from nothing has to check at least: one for each version. */
  readonly versions: number;
}

/** All files of the index at `path` with the signed files beside them. */
export async function signReal(path: string): Promise<SignedReal> {
  const index = await readIndexFile(path, DEFAULT_LIMITS);
  const files = new Map<string, Buffer>([['keys/root', latin1(rootText())]]);
  for (const developer of developers)
    files.set(`keys/dev/${developer.id}`, latin1(keyText(developer, [developer, rm1])));
  let versions = 0;
  for await (const [file, bytes] of index.read(index.files.keys())) {
    files.set(file, Buffer.from(bytes));
    const place = packageIdOfPath(file);
    if (place?.file !== 'opam') continue;
    versions += 1;
    const developer = developerOf(place.id.name);
    const delegation = `packages/${place.id.name}/delegation`;
    if (!files.has(delegation))
      files.set(delegation, latin1(delegationText(place.id.name, [developer.id], [developer, rm1])));
    files.set(
      `packages/${place.id.name}/${showPackageId(place.id)}/signature`,
      signature(place.id, bytes, developer),
    );
  }
  return { files, versions };
}

/** The signature file of one version, over its opam file. */
export function signature(id: { name: string; version: string }, opam: Uint8Array, by: Signer): Buffer {
  const text = digest(Buffer.from(opam).toString('latin1'));
  const body = `name: "${id.name}"\nversion: "${id.version}"\npackage-files: ["opam" {${text}}]\n`;
  return latin1(signed(body, [by]));
}

/** The repository with one version's opam file altered and signed anew. */
export function changeOne(real: SignedReal, path: string): SignedReal {
  const place = packageIdOfPath(path);
  const opam = real.files.get(path);
  if (place === undefined || opam === undefined) throw new Error(`${path} is no opam file of the repository`);
  const changed = Buffer.concat([opam, Buffer.from('x-changed: "yes"\n')]);
  const files = new Map(real.files).set(path, changed);
  files.set(path.replace(/opam$/, 'signature'), signature(place.id, changed, developerOf(place.id.name)));
  return { files, versions: real.versions };
}

export function treeOf(real: SignedReal): Tree {
  return memoryTree(
    [...real.files].map(([path, bytes]) => ({
      path,
      size: bytes.length,
      id: `sha256:${createHash('sha256').update(bytes).digest('hex')}` as const,
      bytes,
    })),
  );
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
