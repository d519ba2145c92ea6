/** What a git upstream without signatures offers: where that is enough, what changed since it was accepted last. */
import { packageIdOfPath } from '../../opam/package-id.ts';
import type { GitRepository } from '../../upstream/git-repository.ts';
import { type GitStep, sizeOf } from '../../upstream/git-step.ts';
import { packageNameOf } from '../index/version-files.ts';
import { misplacedFolder } from '../policy/misplaced.ts';
import type { ChangedCandidate, LastCandidate } from './candidate.ts';
import { closing } from './git-candidate.ts';

/** Nobody signs its history, so that of what was accepted before only the difference counts. */
export async function unsignedCandidate(
  repository: GitRepository,
  head: string,
  last: LastCandidate | undefined,
): Promise<ChangedCandidate> {
  const common = { kind: 'changed', validator: head, git: { commit: head, repository } } as const;
  const step =
    last?.size === undefined
      ? undefined
      : await repository.step({
          from: last.validator,
          to: head,
          sizeBefore: last.size,
          isWhole: isVersionFolder,
        });
  if (last === undefined || step === undefined || needsWhole(step, last.held)) {
    const tree = await repository.tree(head);
    return { ...common, tree: closing(tree, repository), size: sizeOf(tree) };
  }
  const known = {
    versions: new Set(Array.from(step.folders, versionOf)),
    offeredBefore: new Set(Array.from(step.foldersBefore, versionOf)),
    others: new Set(step.changed.filter((path) => packageIdOfPath(path) === undefined && path !== 'repo')),
  };
  return { ...common, tree: closing(step.tree, repository), step: known, size: step.size };
}

/** What a change lets go may lie anywhere: versions in wrong places, and those held for another of their package. */
function needsWhole({ changed, folders }: GitStep, held: ReadonlySet<string>): boolean {
  if (changed.some((path) => misplacedFolder(path) !== undefined)) return true;
  return [...folders].some((folder) => held.has(packageNameOf(versionOf(folder))));
}

/** `packages/<name>/<name>.<version>/` */
function isVersionFolder(folder: string): boolean {
  return packageIdOfPath(`${folder}opam`)?.file === 'opam';
}

/** Of a version's folder. */
function versionOf(folder: string): string {
  return folder.slice(folder.lastIndexOf('/', folder.length - 2) + 1, -1);
}
