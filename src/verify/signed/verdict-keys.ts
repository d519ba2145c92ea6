/** Names of verdicts by all that they depend on, so that a kept one is right wherever its name comes up again. */
import { hash } from 'node:crypto';
import { compareBytewise, type FileId } from '../../opam/tree.ts';
import type { VerdictCache } from '../dialect.ts';
import type { Authorities } from './authorities.ts';
import type { FileIndex, VersionFiles } from './file-index.ts';
import { foldId } from './key-ids.ts';
import type { VersionPlace } from './places.ts';
import type { VersionPolicy } from './version-verdict.ts';

/** Raised whenever a verdict's shape or meaning changes, so that kept ones of before are not found. */
const GENERATION = 2;

export class VerdictKeys {
  readonly #authorities: Authorities;
  readonly #index: FileIndex;
  readonly #cache: VerdictCache;
  readonly #depth: number;
  /** What all versions depend on: keys/root, the quorums, the policy. */
  readonly #common: string;
  readonly #subjects = new Map<string, string>();

  constructor(authorities: Authorities, index: FileIndex, policy: VersionPolicy, cache: VerdictCache) {
    this.#authorities = authorities;
    this.#index = index;
    this.#cache = cache;
    this.#depth = policy.depth;
    const { root, rootFile } = authorities;
    this.#common = [
      GENERATION,
      rootFile.signed.identity,
      root.maintainerQuorum,
      policy.threshold,
      policy.acceptWeak,
      policy.depth,
    ].join();
  }

  keyOf(place: VersionPlace, files: VersionFiles, bootstrapCounts: boolean): string {
    let text = `${this.#common}\n${this.#subject(place)}\n${place.folder}\n${bootstrapCounts}`;
    for (const [file, id] of inOrder(files)) text += `\n${file} ${id}`;
    return hash('sha256', text, 'base64');
  }

  /** The delegation with the key files of all whom it names, by their bytes: signers and vouchers are among them. */
  #subject({ subject }: VersionPlace): string {
    let known = this.#subjects.get(subject.key);
    if (known === undefined) {
      const delegation = this.#index.other(subject.delegation);
      known = delegation === undefined ? 'undelegated' : this.#delegated(delegation, subject.key);
      this.#subjects.set(subject.key, known);
    }
    return known;
  }

  #delegated(delegation: FileId, subject: string): string {
    const parts: string[] = [delegation];
    for (const delegate of this.#delegates(delegation, subject)) {
      for (const { path } of this.#authorities.keyFiles.folding(foldId(delegate)))
        parts.push(`${path} ${this.#index.other(path)}`);
    }
    return hash('sha256', parts.join('\n'), 'base64');
  }

  /** The file need not be parsed where that was done before. */
  #delegates(delegation: FileId, subject: string): readonly string[] {
    // What a later program makes of the same file may be something else.
    const name = `${GENERATION}/${this.#depth} ${subject} ${delegation}`;
    const kept = this.#cache.delegates(name);
    if (kept !== undefined) return kept;
    const file = this.#authorities.delegationFiles.get(subject)?.read();
    const named = file?.valid === true ? file.content.delegates.map(({ folded }) => folded) : [];
    this.#cache.keepDelegates(name, named);
    return named;
  }
}

/** Whatever the steps that led to them; from a tree's own list they come in order. */
function inOrder(files: VersionFiles): Iterable<readonly [file: string, id: FileId]> {
  let last = '';
  for (const file of files.keys()) {
    if (file < last) return [...files].sort(([a], [b]) => compareBytewise(a, b));
    last = file;
  }
  return files;
}
