/** What an upstream offers at this moment, whatever kind of upstream it is. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reasonOf, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Tree } from '../opam/tree.ts';
import type { AddressRules } from '../upstream/address-guard.ts';
import type { Fetcher } from '../upstream/fetcher.ts';
import { readFolderTree, readIndexFile } from '../upstream/folder-tree.ts';
import { fetchGit } from '../upstream/git-fetch.ts';
import { openGitRepository } from '../upstream/git-repository.ts';
import { fetchHttpIndex } from '../upstream/http-index.ts';

export interface CandidateRequest {
  readonly upstream: string;
  /** The bare repository of a git upstream. */
  readonly gitDir: string;
  readonly fetcher: Fetcher;
  readonly limits: Limits;
  readonly addresses: AddressRules;
  /** What the last accepted candidate left. */
  readonly validator?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type FetchedCandidate =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'changed';
      readonly tree: Tree;
      /** The upstream's commit, where it is git. */
      readonly commit?: string;
      /** Makes the next request conditional once this candidate was accepted. */
      readonly validator?: string;
    };

/** Fetches within the limits. The tree must be closed. */
export async function fetchCandidate(request: CandidateRequest): Promise<FetchedCandidate> {
  const { protocol } = new URL(request.upstream);
  if (protocol.startsWith('git+')) return fetchGitCandidate(request);
  if (protocol === 'file:') return readLocalCandidate(request);
  return fetchHttpIndex({
    url: request.upstream,
    fetcher: request.fetcher,
    limits: request.limits,
    validator: request.validator,
    signal: request.signal,
  });
}

async function fetchGitCandidate(request: CandidateRequest): Promise<FetchedCandidate> {
  const { gitDir, limits, addresses, signal } = request;
  await mkdir(dirname(gitDir), { recursive: true });
  const { head } = await fetchGit({ url: request.upstream, dir: gitDir, limits, addresses, signal });
  if (head === request.validator) return { kind: 'unchanged' };
  const repository = await openGitRepository(gitDir, { limits });
  try {
    const tree = await repository.tree(head);
    return {
      kind: 'changed',
      commit: head,
      validator: head,
      tree: { ...tree, read: (paths) => tree.read(paths), close: () => repository.close() },
    };
  } catch (error) {
    await repository.close();
    throw error;
  }
}

/** `file://`: an index.tar.gz, a folder that holds one, or the repository's own folder. */
async function readLocalCandidate(request: CandidateRequest): Promise<FetchedCandidate> {
  const path = fileURLToPath(request.upstream);
  try {
    if ((await stat(path)).isFile())
      return { kind: 'changed', tree: await readIndexFile(path, request.limits) };
    const index = join(path, 'index.tar.gz');
    const packaged = await stat(index).then(
      (found) => found.isFile(),
      () => false,
    );
    const tree = packaged
      ? await readIndexFile(index, request.limits)
      : await readFolderTree(path, request.limits);
    return { kind: 'changed', tree };
  } catch (error) {
    if (error instanceof SeraiError) throw error;
    throw new SeraiError('upstream-unreachable', `${request.upstream} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
