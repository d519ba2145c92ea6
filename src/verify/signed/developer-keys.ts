/** The developer keys of one state of a repository, and which of them count (points 1 and 2). */
import { DEVELOPER_KEYS, type DeveloperKeyFile } from './developer-key-file.ts';
import type { SignedFile } from './form.ts';
import { type FoldedId, foldId } from './key-ids.ts';
import type { KeyRing, PublicKey } from './keys.ts';
import type { LazyFile } from './lazy-file.ts';
import { type RoleKey, signersAmong } from './role-keys.ts';
import type { RootFile } from './root-file.ts';
import type { SignedText } from './signed-text.ts';

/** A key that counts: its file is well formed and signed by itself, and its id is its own. */
export interface DeveloperKey {
  readonly id: string;
  readonly folded: FoldedId;
  readonly key: PublicKey;
  readonly signed: SignedText;
  /** Repository maintainers whose signatures its file bears. */
  readonly maintainers: readonly RoleKey[];
}

export interface KnownKeyFile {
  readonly path: string;
  readonly id: string;
  readonly file: LazyFile<DeveloperKeyFile>;
}

/** Key files by folded id; never altered, so that the state before a step stays as it was. */
export class DeveloperKeyFiles {
  readonly #byId: ReadonlyMap<FoldedId, readonly KnownKeyFile[]>;

  constructor(byId: ReadonlyMap<FoldedId, readonly KnownKeyFile[]> = new Map()) {
    this.#byId = byId;
  }

  /** All files whose name folds to the id. */
  folding(id: FoldedId): readonly KnownKeyFile[] {
    return this.#byId.get(id) ?? [];
  }

  at(path: string): SignedFile<DeveloperKeyFile> | undefined {
    const id = foldId(path.slice(DEVELOPER_KEYS.length));
    return this.folding(id)
      .find((known) => known.path === path)
      ?.file.read();
  }

  /** With these files put in, or taken out where they are undefined. */
  with(
    changes: Iterable<readonly [path: string, file: LazyFile<DeveloperKeyFile> | undefined]>,
  ): DeveloperKeyFiles {
    const byId = new Map(this.#byId);
    for (const [path, file] of changes) {
      const id = path.slice(DEVELOPER_KEYS.length);
      const folded = foldId(id);
      const others = (byId.get(folded) ?? []).filter((known) => known.path !== path);
      if (file !== undefined) others.push({ path, id, file });
      if (others.length === 0) byId.delete(folded);
      else byId.set(folded, others);
    }
    return new DeveloperKeyFiles(byId);
  }
}

/** The key of that id, or why there is none that counts. */
export function developerKey(
  files: DeveloperKeyFiles,
  folded: FoldedId,
  root: RootFile,
  ring: KeyRing,
): DeveloperKey | string {
  const [known, ...more] = files.folding(folded);
  // Point 2: a role's id wins over a developer's.
  if (root.roleIds.has(folded)) return 'the id is that of a key in keys/root';
  if (known === undefined) return 'there is no such key';
  // Point 2: ids that fold together count for nothing.
  if (more.length > 0) return `${known.id} and ${more[0]?.id} differ only in case`;
  const { id } = known;
  const file = known.file.read();
  if (!file.valid) return `its file is invalid: ${file.reason}`;
  const key = ring.import(file.content.algorithm, file.content.key);
  // Point 1: a bad developer key file counts for nothing.
  if (key === undefined) return `it is not a good ${file.content.algorithm} key`;
  if (!file.signed.isSignedBy(folded, key)) return 'it is not signed by itself';
  const maintainers = signersAmong(file.signed, root.maintainerKeys);
  return { id, folded, key, signed: file.signed, maintainers };
}
