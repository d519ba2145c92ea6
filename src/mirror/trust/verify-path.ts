/** Verifying a repository on disk, without a mirror: for `serai verify`. */
import { SeraiError } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { IndexTree } from '../../upstream/folder-tree.ts';
import type { GitRepository } from '../../upstream/git-repository.ts';
import { TreeError } from '../../upstream/tree-rules.ts';
import type { Candidate, Rule, Verdict } from '../../verify/dialect.ts';
import type { SignedDialect, TrustedPoint } from '../../verify/signed/dialect.ts';
import { SNAPSHOT_TAG } from '../../verify/signed/tag-messages.ts';
import { historyOf, tagOf, treeAt } from '../fetch/git-candidate.ts';
import { type OpenedFiles, openRepository } from '../fetch/open-tree.ts';
import type { VerdictFile } from './verdict-file.ts';

export interface VerifyRequest {
  readonly path: string;
  readonly dialect: SignedDialect;
  readonly limits: Limits;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** A trusted old tree: the candidate is one step from it. */
  readonly from?: string | undefined;
  /** A trusted commit of the same git repository: every step from it is looked at. */
  readonly trusted?: string | undefined;
  /** The date of the last accepted snapshot, in milliseconds since the epoch. */
  readonly floor?: number | undefined;
  /** What was kept of trees that were read before, and is to be kept of this one. */
  readonly memory?: VerdictFile | undefined;
}

/** What may not stand in a tree is a violation here, not an error: the verdict is to tell it. */
const REFUSED_TREES: ReadonlySet<string> = new Set([
  'tree-refused',
  'limit-exceeded',
  'archive-format',
  'upstream-truncated',
]);

const UNTRUSTWORTHY: ReadonlySet<string> = new Set([...REFUSED_TREES, 'snapshot-refused', 'not-found']);

/** Throws `usage` for requests that contradict themselves, `not-found` for paths where nothing is. */
export async function verifyPath(request: VerifyRequest): Promise<Verdict> {
  const { path, limits, dialect, now } = request;
  const opened = await openRepository(path, limits);
  if (request.from !== undefined && request.trusted !== undefined)
    throw new SeraiError('usage', '--from and --trusted name two starting points; give one of them');
  if (opened.kind === 'files') {
    if (request.trusted !== undefined)
      throw new SeraiError('usage', `--trusted names a commit, and ${path} is no git repository`);
    return verifyTree(treeOrRefusal(opened.open), undefined, request);
  }
  const { repository } = opened;
  try {
    // git hands out what lies under an object's id without measuring it: whoever made the folder may have put other
    // bytes there than those that were judged.
    if (request.memory !== undefined)
      throw new SeraiError(
        'usage',
        `--memory is for a folder or an index: nothing says that the objects of ${path} have the bytes of their ids`,
      );
    const commit = await candidateCommit(repository);
    if (commit === undefined)
      return refusedTag('P10', `${path} has neither a tag ${SNAPSHOT_TAG} nor a commit at HEAD`);
    const opening = treeOrRefusal(() => repository.tree(commit));
    const git = { commit, history: historyOf(repository, limits) };
    if (request.trusted === undefined) return await verifyTree(opening, git, request);
    const tree = await opening;
    const { trusted } = request;
    const state = await trustworthy(trusted, async () => {
      const old = await trustedTree(repository, trusted);
      return old === undefined ? undefined : await dialect.adopt(old, trustedPoint(request));
    });
    if (state === undefined) return noAncestor(trusted, commit);
    return await dialect.verify({ ...candidateOf(tree), git }, state, now);
  } finally {
    await repository.close();
  }
}

type MaybeTree = Tree | IndexTree | { readonly refusal: SeraiError };

async function treeOrRefusal(open: () => Promise<Tree>): Promise<MaybeTree> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof SeraiError && REFUSED_TREES.has(error.code)) return { refusal: error };
    throw error;
  }
}

function candidateOf(tree: MaybeTree): Candidate {
  if ('files' in tree) return { tree };
  const { refusal } = tree;
  const path = refusal instanceof TreeError ? refusal.path : '';
  return { tree: EMPTY, refusals: [{ path, message: refusal.message }] };
}

const EMPTY: Tree = {
  files: new Map(),
  async *read() {},
  async close() {},
};

async function verifyTree(
  opening: Promise<MaybeTree>,
  git: Candidate['git'],
  request: VerifyRequest,
): Promise<Verdict> {
  const { dialect, now, floor, from, limits } = request;
  // Both are read at the same time.
  const openingOld =
    from === undefined ? undefined : trustworthy(from, () => openOldTree(from, limits, request.memory));
  openingOld?.catch(() => undefined);
  const tree = await opening.catch(async (error: unknown) => {
    // What was opened beside it holds a process or memory.
    await openingOld?.then(
      (old) => old.close(),
      () => undefined,
    );
    throw error;
  });
  const candidate = { ...candidateOf(tree), ...(git === undefined ? {} : { git }) };
  if ('index' in tree) request.memory?.keepTree(tree.index, tree);
  if (from === undefined || openingOld === undefined)
    return belowFloor(await dialect.verify(candidate, undefined, now), floor);
  const old = await openingOld;
  try {
    const state = await trustworthy(from, () =>
      dialect.adopt(old.tree, floor === undefined ? {} : { floor }),
    );
    return await dialect.verify({ ...candidate, previous: old.tree }, state, now);
  } finally {
    await old.close();
  }
}

/** What is named as trusted and cannot be is a mistake of the one who named it, and no verdict. */
async function trustworthy<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof SeraiError && UNTRUSTWORTHY.has(error.code))
      throw new SeraiError('usage', `${name} cannot be what is trusted: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Without a trusted state there is a floor all the same, when the user names one (point 10). */
function belowFloor(verdict: Verdict, floor: number | undefined): Verdict {
  const { snapshot } = verdict;
  if (floor === undefined || snapshot === undefined || snapshot.date > floor) return verdict;
  const message = `the snapshot is dated ${new Date(snapshot.date).toISOString()}, and one of ${new Date(floor).toISOString()} was accepted already`;
  const { trusted: _, ...rest } = verdict;
  return { ...rest, ...refusedTag('P10', message, snapshot.commit) };
}

/** The commit that the tag names; HEAD where there is no such tag, so that the verdict can say so of it. */
async function candidateCommit(repository: GitRepository): Promise<string | undefined> {
  const tag = await tagOf(repository, SNAPSHOT_TAG);
  if (tag?.kind === 'annotated' && tag.type === 'commit') return tag.object;
  return repository.resolve('HEAD');
}

/** Undefined when the repository does not have that commit (any more). */
async function trustedTree(repository: GitRepository, commit: string): Promise<Tree | undefined> {
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit))
    throw new SeraiError('usage', `--trusted wants a whole commit id in lower-case hex, not ${commit}`);
  return treeAt(repository, commit);
}

/** Point 12: the trusted commit must be an ancestor, and one that is gone is none. */
function noAncestor(trusted: string, commit: string): Verdict {
  const message = `the trusted commit ${trusted} is not in the repository, so it is no ancestor of ${commit}`;
  return refusedTag('P12', message, commit);
}

function refusedTag(rule: Rule, message: string, commit?: string): Verdict {
  const where = { path: `refs/tags/${SNAPSHOT_TAG}`, ...(commit === undefined ? {} : { commit }) };
  return { versions: new Map(), shared: [], violations: [{ rule, ...where, message, keys: [] }] };
}

function trustedPoint({ trusted, floor }: VerifyRequest): TrustedPoint {
  return {
    ...(trusted === undefined ? {} : { commit: trusted }),
    ...(floor === undefined ? {} : { floor }),
  };
}

async function openOldTree(
  path: string,
  limits: Limits,
  known: VerdictFile | undefined,
): Promise<{ tree: Tree; close: () => Promise<void> }> {
  const opened = await openRepository(path, limits);
  if (opened.kind === 'files') {
    const tree = (await keptTree(opened, known)) ?? (await opened.openBeside());
    return { tree, close: () => tree.close() };
  }
  const { repository } = opened;
  try {
    const commit = await candidateCommit(repository);
    if (commit === undefined) throw new SeraiError('not-found', `there is no commit at HEAD of ${path}`);
    const tree = await repository.tree(commit);
    return { tree, close: () => repository.close() };
  } catch (error) {
    await repository.close();
    throw error;
  }
}

/** An index that was read before need only be hashed. */
async function keptTree(opened: OpenedFiles, known: VerdictFile | undefined): Promise<Tree | undefined> {
  const index = known === undefined ? undefined : await opened.index?.();
  return index === undefined ? undefined : known?.treeOf(index);
}
