/** What an upstream offers at this moment, whatever kind of upstream it is. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config.ts';
import { reasonOf, SeraiError } from '../../errors.ts';
import { field, stringOf } from '../../opam/fields.ts';
import { parseOpamFile } from '../../opam/parser.ts';
import { readFile, type Tree } from '../../opam/tree.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import type { Fetcher } from '../../upstream/fetcher.ts';
import { readFolderTree } from '../../upstream/folder-tree.ts';
import { fetchGit, type GitFetchRequest, type GitFetchResult } from '../../upstream/git-fetch.ts';
import { type GitRepository, openFetchedRepository } from '../../upstream/git-repository.ts';
import { FETCHED_TAGS } from '../../upstream/git-store.ts';
import { fetchHttpIndex } from '../../upstream/http-index.ts';
import { ROOT_PATH } from '../../verify/signed/root-file.ts';
import { SNAPSHOT_TAG } from '../../verify/signed/tag-messages.ts';
import type { CandidateRequest, FetchedCandidate } from './candidate.ts';
import { closing, tagOf } from './git-candidate.ts';
import { openRepository } from './open-tree.ts';
import { unsignedCandidate } from './unsigned-candidate.ts';

export interface RequestSource {
  readonly config: Config;
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly fetcher: Fetcher;
}

/** The request that a repository's configuration makes. Throws `usage` for one that is not configured. */
export async function requestFor({
  config,
  repository,
  catalogue,
  fetcher,
}: RequestSource): Promise<CandidateRequest> {
  const settings = config.repository[repository];
  if (settings?.upstream === undefined)
    throw new SeraiError(
      'usage',
      `there is no repository ${repository} with an upstream in the configuration`,
    );
  const accepted = (await catalogue.currentSnapshot(repository))?.commit;
  return {
    upstream: settings.upstream,
    folder: config.data,
    gitDir: join(config.data, 'git', `${repository}.git`),
    fetcher,
    limits: config.limits,
    addresses: { allowPrivate: config.allow_private_addresses, privateHosts: config.private_hosts },
    ...(settings.dialect === 'signed' ? { signed: { accepted } } : {}),
  };
}

/** Fetches within the limits. The tree must be closed. */
export async function fetchCandidate(request: CandidateRequest): Promise<FetchedCandidate> {
  const { protocol } = new URL(request.upstream);
  if (protocol.startsWith('git+')) return fetchGitCandidate(request);
  if (protocol === 'file:') return readLocal(request);
  return fetchHttpIndex({
    url: request.upstream,
    fetcher: request.fetcher,
    folder: request.folder,
    limits: request.limits,
    validator: (await request.last)?.validator,
    signal: request.signal,
  });
}

async function fetchGitCandidate(request: CandidateRequest): Promise<FetchedCandidate> {
  const { gitDir, limits, signed, signal } = request;
  await mkdir(dirname(gitDir), { recursive: true });
  const repository = openFetchedRepository(gitDir, {
    limits,
    tagPrefix: FETCHED_TAGS,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    const fetched = await fetchInto(request, { bringing: () => repository.prepare() });
    const last = await request.last;
    // A tag made anew for the same commit changes the snapshot's date, so it is part of what is asked about.
    const validator =
      signed === undefined ? fetched.head : [fetched.head, ...tagLines(fetched.tags)].join('\n');
    if (validator === last?.validator) {
      await repository.close();
      return { kind: 'unchanged' };
    }
    if (signed === undefined) return await unsignedCandidate(repository, fetched.head, last);
    const commit = await taggedCommit(repository, fetched.head);
    const tree = await repository.tree(commit);
    if (!(await hasBootstrapCommit(repository, tree))) await fetchInto(request, { wholeHistory: true });
    return {
      kind: 'changed',
      validator,
      git: { commit, repository },
      tree: closing(tree, repository),
    };
  } catch (error) {
    await repository.close();
    throw error;
  }
}

function fetchInto(
  request: CandidateRequest,
  how: Pick<GitFetchRequest, 'wholeHistory' | 'bringing'>,
): Promise<GitFetchResult> {
  const { upstream: url, gitDir: dir, limits, addresses, signal, signed, last } = request;
  return fetchGit({
    url,
    dir,
    limits,
    addresses,
    signal,
    ...how,
    tags: signed !== undefined,
    accepted: signed?.accepted,
    ...(signed === undefined ? { known: async () => (await last)?.validator } : {}),
  });
}

function tagLines(tags: ReadonlyMap<string, string>): string[] {
  return [...tags].map(([name, oid]) => `${oid} ${name}`).sort();
}

/** The commit that `signed-snapshot` tags; HEAD where it does not, for the verdict to say so. */
async function taggedCommit(repository: GitRepository, head: string): Promise<string> {
  const tag = await tagOf(repository, SNAPSHOT_TAG);
  return tag?.kind === 'annotated' && tag.type === 'commit' ? tag.object : head;
}

/** SIGNED-FORMAT.md, point 6: what that commit holds decides, so it has to be there; false when it is not yet. */
async function hasBootstrapCommit(repository: GitRepository, tree: Tree): Promise<boolean> {
  if (!tree.files.has(ROOT_PATH)) return true;
  try {
    const root = parseOpamFile(await readFile(tree, ROOT_PATH));
    const commit = stringOf(field(root.items, 'initial-bootstrap-commit'));
    if (commit !== undefined && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit))
      await repository.parentsOf(commit);
    return true;
  } catch (error) {
    if (error instanceof SeraiError && error.code === 'not-found') return false;
    // A keys/root that cannot be read is for the verdict to refuse.
    if (error instanceof SeraiError) return true;
    throw error;
  }
}

async function readLocal(request: CandidateRequest): Promise<FetchedCandidate> {
  try {
    return await readLocalCandidate(request);
  } catch (error) {
    const missing = error instanceof SeraiError && error.code === 'not-found';
    if (error instanceof SeraiError && !missing) throw error;
    throw new SeraiError('upstream-unreachable', `${request.upstream} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** `file://`: an index.tar.gz, a folder that holds one, or the repository's own folder as it stands. */
async function readLocalCandidate(request: CandidateRequest): Promise<FetchedCandidate> {
  const path = fileURLToPath(request.upstream);
  const opened = await openRepository(path, request.limits);
  if (opened.kind === 'files') return { kind: 'changed', tree: await opened.open() };
  await opened.repository.close();
  if (opened.repository.gitDir.endsWith('/.git'))
    return { kind: 'changed', tree: await readFolderTree(path, request.limits) };
  throw new SeraiError(
    'tree-refused',
    `${request.upstream} is a bare git repository; name it git+${request.upstream} to mirror what is committed`,
  );
}
