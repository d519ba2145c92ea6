/** A git repository to read from: the one that an upstream was fetched into, or any on this machine. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Tree } from '../opam/tree.ts';
import { firstParentChain } from './git-chain.ts';
import { type Change, diffCommits, type Step, walkSteps } from './git-history.ts';
import { checkObjectId, checkRef, isPlainRef } from './git-id.ts';
import { type GitObject, type KnownObject, type ObjectInfo, ObjectReader } from './git-objects.ts';
import { askGit, findGit, runGit } from './git-run.ts';
import { type GitStep, readGitStep, type StepRequest } from './git-step.ts';
import { type GitTag, parseTag } from './git-tag.ts';
import { readGitTree } from './git-tree.ts';
import type { TreeLimits } from './tree-rules.ts';

export type GitLimits = TreeLimits & Pick<Limits, 'key_file'>;

export interface GitOptions {
  readonly limits: GitLimits;
  /** Where tags stand. Default `refs/tags/`; FETCHED_TAGS for a repository that `fetchGit` has filled. */
  readonly tagPrefix?: string;
  /** Ends all that is under way, with `aborted`. */
  readonly signal?: AbortSignal;
}

/**
 * Reads only. Ids are full lower-case hex, anything else is `git-refused`. In a shallow repository history
 * ends at its boundary. Iterations may be ended early; whoever opens a repository closes it.
 */
export interface GitRepository {
  /** The folder of git's own files: DIR, or DIR/.git. */
  readonly gitDir: string;
  /** Starts what reads objects, for those who will soon ask and have something to wait for meanwhile. */
  prepare(): void;
  /** The id that `HEAD` or `refs/…` is at, not peeled; undefined when there is no such ref. */
  resolve(ref: string): Promise<string | undefined>;
  /** See readGitTree: refuses whatever is no tree of an opam repository. */
  tree(commit: string): Promise<Tree>;
  /** See readGitStep. */
  step(request: Omit<StepRequest, 'reader' | 'limits'>): Promise<GitStep | undefined>;
  /** See diffCommits. */
  diff(from: string, to: string): AsyncIterable<Change>;
  /** See walkSteps. */
  firstParentSteps(from: string | undefined, to: string): AsyncIterable<Step>;
  /** True when `ancestor` is reachable from `commit`, or is it. */
  isAncestor(ancestor: string, commit: string): Promise<boolean>;
  /** True when following first parents from `commit` leads to `ancestor`, or it is it. */
  isOnFirstParentChain(ancestor: string, commit: string): Promise<boolean>;
  /** A commit's parents as the commit itself names them, in a shallow repository too. */
  parentsOf(commit: string): Promise<readonly string[]>;
  /** True when history ends before its beginning. */
  isShallow(): Promise<boolean>;
  /** Throws `not-found`; `limit-exceeded` when it has more than `maxBytes` (default: limits.key_file). */
  object(oid: string, maxBytes?: number): Promise<GitObject>;
  /** As `object`; anything but a blob is `git-refused`. */
  readBlob(oid: string, maxBytes: number): Promise<Uint8Array>;
  /** The blobs in the order asked, each bounded by `maxBytes`. */
  readBlobs(
    oids: Iterable<string>,
    maxBytes: number,
  ): AsyncIterable<readonly [oid: string, bytes: Uint8Array]>;
  /**
   * The tag of that name; undefined when there is none. Throws `limit-exceeded` beyond limits.key_file, and
   * `git-refused` for a tag object that is malformed or lies about what it tags.
   */
  tag(name: string): Promise<GitTag | undefined>;
  /** The names of all tags that begin so (`rm/`), sorted; odd ones are passed over. */
  tagsMatching(prefix: string): Promise<readonly string[]>;
  /** Ends what runs. */
  close(): Promise<void>;
}

/** Names and ids of refs together: some 100,000 tags. */
const REFS_BYTES = 16 * 1024 * 1024;
const BLOBS_AT_ONCE = 512;
/** What a header adds to a tag's message, generously. */
const TAG_HEADER_BYTES = 4096;

/** Opens `dir`, which is bare or has a `.git`. Throws `not-found` when it is no repository. */
export async function openGitRepository(dir: string, options: GitOptions): Promise<GitRepository> {
  return new OpenRepository(await findGitDir(dir), options);
}

/** Opens the bare repository that `fetchGit` has just filled. */
export function openFetchedRepository(gitDir: string, options: GitOptions): GitRepository {
  return new OpenRepository(gitDir, options);
}

/** Only here, never in a folder around it: git is told the folder, so it does not look (git, --git-dir). */
async function findGitDir(dir: string): Promise<string> {
  const inside = join(dir, '.git');
  const gitDir = await stat(inside).then(
    () => inside,
    () => dir,
  );
  try {
    const what = `opening ${dir}`;
    const answer = await runGit({ gitDir, args: ['rev-parse', '--absolute-git-dir'] }, { what });
    return answer.toString('utf8').replace(/\n$/, '');
  } catch (cause) {
    if (cause instanceof SeraiError && !/not a git repository/.test(cause.message)) throw cause;
    throw new SeraiError('not-found', `${dir} is no git repository`, { cause });
  }
}

class OpenRepository implements GitRepository {
  readonly gitDir: string;
  readonly #options: GitOptions;
  readonly #tagPrefix: string;
  readonly #reader: ObjectReader;

  constructor(gitDir: string, options: GitOptions) {
    this.gitDir = gitDir;
    this.#options = options;
    this.#tagPrefix = options.tagPrefix ?? 'refs/tags/';
    this.#reader = new ObjectReader(gitDir, options.signal);
  }

  prepare(): void {
    this.#reader.start();
  }

  async resolve(ref: string): Promise<string | undefined> {
    // `show-ref` and `for-each-ref` do not tell HEAD; rev-parse takes nothing but an existing name here.
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', checkRef(ref)];
    const git = { gitDir: this.gitDir, args, signal: this.#options.signal };
    const answer = await findGit(git, { what: `resolving ${ref}` });
    return answer === undefined ? undefined : checkObjectId(answer.toString('latin1').trim());
  }

  tree(commit: string): Promise<Tree> {
    return readGitTree(this.gitDir, commit, this.#reader, this.#options.limits, this.#options.signal);
  }

  step(request: Omit<StepRequest, 'reader' | 'limits'>): Promise<GitStep | undefined> {
    return readGitStep({ ...request, reader: this.#reader, limits: this.#options.limits });
  }

  diff(from: string, to: string): AsyncIterable<Change> {
    return diffCommits(this.gitDir, from, to, this.#options);
  }

  firstParentSteps(from: string | undefined, to: string): AsyncIterable<Step> {
    return walkSteps(this.gitDir, from, to, this.#options);
  }

  isAncestor(ancestor: string, commit: string): Promise<boolean> {
    const args = ['merge-base', '--is-ancestor', checkObjectId(ancestor), checkObjectId(commit)];
    const what = `looking whether ${ancestor} is an ancestor of ${commit}`;
    return askGit({ gitDir: this.gitDir, args, signal: this.#options.signal }, what);
  }

  async isOnFirstParentChain(ancestor: string, commit: string): Promise<boolean> {
    if (checkObjectId(ancestor) === checkObjectId(commit)) return true;
    return (await firstParentChain(this.gitDir, ancestor, commit, this.#options.signal)).reached;
  }

  async parentsOf(commit: string): Promise<readonly string[]> {
    const { type, bytes } = await this.object(commit);
    if (type !== 'commit') throw notOfType(commit, type, 'commit');
    const text = Buffer.from(bytes).toString('latin1');
    const header = text.slice(0, text.indexOf('\n\n') + 1);
    return Array.from(header.matchAll(/^parent ([0-9a-f]{40,64})$/gm), ([, parent = '']) =>
      checkObjectId(parent),
    );
  }

  async isShallow(): Promise<boolean> {
    const git = { gitDir: this.gitDir, args: ['rev-parse', '--is-shallow-repository'] };
    return (await runGit(git, { what: `opening ${this.gitDir}` })).toString('latin1').trim() === 'true';
  }

  async object(oid: string, maxBytes: number = this.#options.limits.key_file): Promise<GitObject> {
    const [info] = await this.#reader.infos([oid]);
    for await (const object of this.#reader.objects([this.#bounded(oid, info, maxBytes)])) return object;
    throw new SeraiError('internal', `${oid} was asked for, and nothing came`);
  }

  async readBlob(oid: string, maxBytes: number): Promise<Uint8Array> {
    for await (const [, bytes] of this.readBlobs([oid], maxBytes)) return bytes;
    throw new SeraiError('internal', `${oid} was asked for, and nothing came`);
  }

  async *readBlobs(
    oids: Iterable<string>,
    maxBytes: number,
  ): AsyncGenerator<readonly [oid: string, bytes: Uint8Array], void, undefined> {
    for (const group of groupsOf(oids, BLOBS_AT_ONCE)) {
      const infos = await this.#reader.infos(group);
      const known = group.map((oid, index) => this.#boundedBlob(oid, infos[index], maxBytes));
      let index = 0;
      for await (const { bytes } of this.#reader.objects(known)) yield [group[index++] ?? '', bytes];
    }
  }

  async tag(name: string): Promise<GitTag | undefined> {
    const oid = await this.resolve(`${this.#tagPrefix}${name}`);
    if (oid === undefined) return undefined;
    const [info] = await this.#reader.infos([oid]);
    if (info !== undefined && info.type !== 'tag') return { kind: 'lightweight', oid, type: info.type };
    const { bytes } = await this.object(oid, this.#options.limits.key_file + TAG_HEADER_BYTES);
    const tag = parseTag(oid, bytes);
    this.#bounded(oid, { type: 'tag', size: tag.message.length }, this.#options.limits.key_file);
    const [tagged] = await this.#reader.infos([tag.object]);
    if (tagged?.type === tag.type) return tag;
    const found = tagged === undefined ? 'is not there' : `is a ${tagged.type}`;
    throw new SeraiError(
      'git-refused',
      `the tag object ${oid} says ${tag.type} of ${tag.object}, which ${found}`,
    );
  }

  async tagsMatching(prefix: string): Promise<readonly string[]> {
    const args = ['for-each-ref', '--format=%(refname)', this.#tagPrefix];
    const git = { gitDir: this.gitDir, args, signal: this.#options.signal };
    const answer = await runGit(git, { what: `listing the tags of ${this.gitDir}`, maxBytes: REFS_BYTES });
    const refs = answer.toString('latin1').split('\n').filter(isPlainRef);
    return refs.map((ref) => ref.slice(this.#tagPrefix.length)).filter((name) => name.startsWith(prefix));
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  #boundedBlob(oid: string, info: ObjectInfo | undefined, maxBytes: number): KnownObject {
    if (info !== undefined && info.type !== 'blob') throw notOfType(oid, info.type, 'blob');
    return this.#bounded(oid, info, maxBytes);
  }

  #bounded(oid: string, info: ObjectInfo | undefined, maxBytes: number): KnownObject {
    if (info === undefined) throw new SeraiError('not-found', `there is no object ${oid} in ${this.gitDir}`);
    if (info.size <= maxBytes) return { oid, size: info.size };
    throw new SeraiError(
      'limit-exceeded',
      `the ${info.type} ${oid} has ${info.size} bytes; at most ${maxBytes} are allowed, see [limits] in serai.toml`,
      { subject: oid },
    );
  }
}

function* groupsOf(oids: Iterable<string>, size: number): Generator<readonly string[], void, undefined> {
  let group: string[] = [];
  for (const oid of oids) {
    if (group.push(oid) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function notOfType(oid: string, type: string, expected: string): SeraiError {
  return new SeraiError('git-refused', `the object ${oid} is a ${type}, and must be a ${expected}`);
}
