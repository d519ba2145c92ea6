/** Who may do what in one state of a repository: `keys/root`, the developer keys, the delegations. */
import { type Delegation, judgeDelegation } from './delegation.ts';
import type { DelegationFile } from './delegation-file.ts';
import type { DeveloperKeyFile } from './developer-key-file.ts';
import { type DeveloperKey, DeveloperKeyFiles, developerKey } from './developer-keys.ts';
import type { ValidFile } from './form.ts';
import type { FoldedId } from './key-ids.ts';
import type { KeyRing, PublicKey } from './keys.ts';
import type { LazyFile } from './lazy-file.ts';
import { countDistinct, type RoleKey, signersAmong } from './role-keys.ts';
import type { RootFile } from './root-file.ts';
import type { SignedText } from './signed-text.ts';

export type DelegationFiles = ReadonlyMap<string, LazyFile<DelegationFile>>;

export interface AuthorityChanges {
  readonly root?: ValidFile<RootFile>;
  /** By path; undefined takes it away. */
  readonly keys?: ReadonlyMap<string, LazyFile<DeveloperKeyFile> | undefined>;
  /** By the subject's key; undefined takes it away. */
  readonly delegations?: ReadonlyMap<string, LazyFile<DelegationFile> | undefined>;
}

/** Never altered: a step makes new ones, and the old ones still say what was. */
export class Authorities {
  readonly rootFile: ValidFile<RootFile>;
  readonly keyFiles: DeveloperKeyFiles;
  /** By the subject's key. */
  readonly delegationFiles: DelegationFiles;
  readonly #ring: KeyRing;
  readonly #keys = new Map<FoldedId, DeveloperKey | string>();
  readonly #delegations = new Map<string, Delegation>();

  constructor(
    rootFile: ValidFile<RootFile>,
    ring: KeyRing,
    keyFiles = new DeveloperKeyFiles(),
    delegationFiles: DelegationFiles = new Map(),
  ) {
    this.rootFile = rootFile;
    this.keyFiles = keyFiles;
    this.delegationFiles = delegationFiles;
    this.#ring = ring;
  }

  get root(): RootFile {
    return this.rootFile.content;
  }

  with({ root = this.rootFile, keys, delegations }: AuthorityChanges): Authorities {
    const keyFiles = keys === undefined ? this.keyFiles : this.keyFiles.with(keys);
    if (delegations === undefined) return new Authorities(root, this.#ring, keyFiles, this.delegationFiles);
    const files = new Map(this.delegationFiles);
    for (const [subject, file] of delegations) {
      if (file === undefined) files.delete(subject);
      else files.set(subject, file);
    }
    return new Authorities(root, this.#ring, keyFiles, files);
  }

  /** The developer key that an id refers to, or why none counts. */
  key(folded: FoldedId): DeveloperKey | string {
    let key = this.#keys.get(folded);
    if (key === undefined) {
      key = developerKey(this.keyFiles, folded, this.root, this.#ring);
      this.#keys.set(folded, key);
    }
    return key;
  }

  /** The public key that the file of an id holds, whether or not it counts. */
  claimedKey(folded: FoldedId): { readonly signed: SignedText; readonly key: PublicKey } | undefined {
    const [known, ...more] = this.keyFiles.folding(folded);
    const file = known?.file.read();
    if (file?.valid !== true || more.length > 0) return undefined;
    const key = this.#ring.import(file.content.algorithm, file.content.key);
    return key === undefined ? undefined : { signed: file.signed, key };
  }

  /** The delegation of a name; undefined when the name is not delegated. */
  delegation(subject: string): Delegation | undefined {
    const file = this.delegationFiles.get(subject);
    if (file === undefined) return undefined;
    let delegation = this.#delegations.get(subject);
    if (delegation === undefined) {
      delegation = judgeDelegation(file.read(), this.root, (id) => this.key(id));
      this.#delegations.set(subject, delegation);
    }
    return delegation;
  }

  /** Repository maintainers whose signatures hold. */
  maintainersOf(signed: SignedText): readonly RoleKey[] {
    return signersAmong(signed, this.root.maintainerKeys);
  }

  /** Point 2: by distinct public keys. */
  isQuorum(maintainers: readonly RoleKey[]): boolean {
    return countDistinct(maintainers) >= this.root.maintainerQuorum;
  }

  isSignedByQuorum(signed: SignedText): boolean {
    return this.isQuorum(this.maintainersOf(signed));
  }
}
