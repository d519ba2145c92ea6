/**
 * Which versions stand, by the files that make them: the state that each step changes only where the step
 * does. A version stands where it has a file `opam` at `packages/<name>/<name>.<version>/`; anything else of a
 * repository (`compilers/` of format 1.2 too) is no version. A folder that moves is one version gone and
 * another new.
 */

import { type PackageId, packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import { compareBytewise } from '../../opam/tree.ts';
import type { Change, ChangeSide } from '../history.ts';
import { IRREGULAR } from './facts.ts';
import type { FileChange } from './judge.ts';
import { orderKey } from './order-key.ts';
import { detached } from './texts.ts';

/** The ids of the two files that say what a version is. */
export interface VersionFiles {
  readonly opam: string;
  readonly url?: string;
}

/** What a step does to one version, as far as there is something to judge. */
export type VersionChange = {
  readonly id: PackageId;
  /** Ids of the files whose facts judging asks for. */
  readonly needs: readonly string[];
} & (
  | {
      readonly kind: 'changed';
      readonly before: VersionFiles;
      readonly after: VersionFiles;
      readonly others: readonly FileChange[];
    }
  | { readonly kind: 'removed'; readonly before: VersionFiles }
  | {
      readonly kind: 'added';
      readonly after: VersionFiles;
      /** It stood before, and was removed. */
      readonly returns: boolean;
      /** The standing version that compares equal. */
      readonly equals?: string;
    }
);

/** What is known of a version's folder; it stands when `opam` is there. */
interface Folder {
  readonly version: string;
  opam: string | undefined;
  url: string | undefined;
}

interface Versions {
  readonly byVersion: Map<string, Folder>;
  /** By order key: in one place are those that clients cannot tell apart. */
  readonly alike: Map<string, Folder[]>;
}

/** One version's part of a step. */
interface Touched {
  readonly id: PackageId;
  opam?: Change;
  url?: Change;
  readonly others: FileChange[];
}

interface Added {
  readonly id: PackageId;
  readonly after: VersionFiles;
}

const REGULAR: ReadonlySet<string> = new Set(['100644', '100755']);

export class PublishedVersions {
  readonly #names = new Map<string, Versions>();
  /** `name.version` of those that stood and do not any more. */
  readonly #gone = new Set<string>();

  /** Takes a step's changes in, in any order. */
  apply(changes: Iterable<Change>): readonly VersionChange[] {
    const result: VersionChange[] = [];
    const added: Added[] = [];
    for (const touched of groupsOf(changes)) {
      const { id, others } = touched;
      const { before, after } = this.#update(touched);
      if (before !== undefined && after !== undefined) {
        const same = before.opam === after.opam && before.url === after.url;
        result.push({ kind: 'changed', id, before, after, others, needs: same ? [] : idsOf(before, after) });
      } else if (before !== undefined) {
        this.#gone.add(showPackageId(id));
        result.push({ kind: 'removed', id, before, needs: idsOf(before) });
      } else if (after !== undefined) added.push({ id, after });
    }
    // Once all that goes is gone: a version may take the place of an equal one in the same step.
    for (const change of this.#judgeable(added)) result.push(change);
    return result;
  }

  /** Takes note of a version that is gone. */
  recall(id: PackageId): void {
    this.#gone.add(showPackageId(id));
  }

  /** Of versions that come together and compare equal, the first in C order is there before the others. */
  *#judgeable(added: Added[]): Generator<VersionChange> {
    added.sort((a, b) => compareBytewise(a.id.version, b.id.version));
    const coming = new Set(added.map(({ id }) => showPackageId(id)));
    for (const { id, after } of added) {
      const key = showPackageId(id);
      coming.delete(key);
      const equal = this.#alike(id).find(
        ({ version, opam }) =>
          opam !== undefined && version !== id.version && !coming.has(`${id.name}.${version}`),
      );
      const returns = this.#gone.delete(key);
      if (!returns && equal === undefined) continue;
      const equals = equal === undefined ? {} : { equals: equal.version };
      yield { kind: 'added', id, after, returns, ...equals, needs: returns ? idsOf(after) : [] };
    }
  }

  /** The files of a version before and after, where it stands. */
  #update({ id, opam, url }: Touched): { before: VersionFiles | undefined; after: VersionFiles | undefined } {
    const folder = this.#names.get(id.name)?.byVersion.get(id.version) ?? this.#begin(id);
    const before = filesOf(folder);
    if (opam !== undefined) folder.opam = fileId(opam.after);
    if (url !== undefined) folder.url = fileId(url.after);
    if (folder.opam === undefined && folder.url === undefined) this.#end(id);
    return { before, after: filesOf(folder) };
  }

  #alike(id: PackageId): readonly Folder[] {
    return this.#names.get(id.name)?.alike.get(orderKey(id.version)) ?? [];
  }

  #begin(id: PackageId): Folder {
    const folder = { version: detached(id.version), opam: undefined, url: undefined };
    const versions = this.#names.get(id.name) ?? { byVersion: new Map(), alike: new Map() };
    if (versions.byVersion.size === 0) this.#names.set(detached(id.name), versions);
    versions.byVersion.set(folder.version, folder);
    versions.alike.set(orderKey(id.version), [...this.#alike(id), folder]);
    return folder;
  }

  #end(id: PackageId): void {
    const versions = this.#names.get(id.name);
    const key = orderKey(id.version);
    const left = this.#alike(id).filter(({ version }) => version !== id.version);
    versions?.byVersion.delete(id.version);
    if (left.length > 0) versions?.alike.set(key, left);
    else versions?.alike.delete(key);
    if (versions?.byVersion.size === 0) this.#names.delete(id.name);
  }
}

function filesOf({ opam, url }: Folder): VersionFiles | undefined {
  if (opam === undefined) return undefined;
  return url === undefined ? { opam } : { opam, url };
}

function fileId(side: ChangeSide | undefined): string | undefined {
  if (side === undefined) return undefined;
  return REGULAR.has(side.mode) ? detached(side.oid) : IRREGULAR;
}

function idsOf(...versions: readonly VersionFiles[]): readonly string[] {
  const ids = new Set<string>();
  for (const { opam, url } of versions) ids.add(opam).add(url ?? IRREGULAR);
  ids.delete(IRREGULAR);
  return [...ids];
}

/** The changes of each version together; those that belong to none are left out. */
function groupsOf(changes: Iterable<Change>): Iterable<Touched> {
  const groups = new Map<string, Touched>();
  for (const change of changes) {
    const place = packageIdOfPath(change.path);
    if (place === undefined) continue;
    const { id, file } = place;
    const key = showPackageId(id);
    const touched = groups.get(key) ?? { id, others: [] };
    groups.set(key, touched);
    const isForm = file === 'opam' || file === 'url';
    if (isForm) touched[file] = change;
    if (!isForm || change.before?.oid === change.after?.oid) touched.others.push(fileChange(file, change));
  }
  return groups.values();
}

function fileChange(file: string, { before, after }: Change): FileChange {
  return { file, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}
