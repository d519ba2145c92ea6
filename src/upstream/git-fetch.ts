/**
 * Fetches an upstream's current commit and its tags into a bare repository of ours: bounded in bytes and
 * time, every object checked by git's fsck, over the smart protocol only.
 *
 * The real repository's whole history is 175 MB, its last commit 12 MB; so the first fetch is of depth 1, and
 * the later ones are as deep as it takes to reach the commit that was accepted last. Fetching without a depth
 * into a shallow repository would not do: a side branch that began before the boundary brings all of the
 * history with it. A depth also keeps git from the dumb protocol, whose objects it does not fsck.
 */
import type { lookup as systemLookup } from 'node:dns';
import type { AddressRules } from './address-guard.ts';
import { type Advertised, readAdvertised, TAG_PATTERNS } from './git-advertised.ts';
import { firstParentChain } from './git-chain.ts';
import { checkObjectId } from './git-id.ts';
import { type GitCommand, startEnded } from './git-process.ts';
import { type GitRemote, locateRemote } from './git-remote.ts';
import { collectGit } from './git-run.ts';
import { FETCHED_HEAD, FETCHED_TAGS, GitStore } from './git-store.ts';
import { requireGit } from './git-version.ts';
import { bytesInPacks, type GitBudget, type GitFetchLimits, GitWatch } from './git-watch.ts';

export interface GitFetchRequest {
  /** `git+https://`, `git+http://` or `git+file://` (or without `git+`); `#branch` in place of HEAD. */
  readonly url: string;
  /** The bare repository, which is created where there is none. One fetch at a time works in it. */
  readonly dir: string;
  readonly limits: GitFetchLimits;
  readonly addresses: AddressRules;
  /** The commit that was accepted last: the history from it on is fetched too, and it is kept for ever. */
  readonly accepted?: string | undefined;
  /** Without `tags`: the upstream's commit that needs nothing more to be done when it is still the same; asked for after the upstream's refs. */
  readonly known?: (() => Promise<string | undefined>) | undefined;
  /** Called once git brings something; the store is there then. */
  readonly bringing?: (() => void) | undefined;
  /** Fetch `signed-snapshot` and `rm/<commit>` too. Default: false. */
  readonly tags?: boolean;
  /** Fetch all of the history (for a bootstrap commit). Default: false. */
  readonly wholeHistory?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** In place of the system's resolver, for tests. */
  readonly resolve?: typeof systemLookup;
}

export interface GitFetchResult {
  /** The commit at the upstream's HEAD, which is `refs/serai/head` in the store now. */
  readonly head: string;
  /**
   * The tags in the store, by name without `refs/tags/`, each with the unpeeled id. A tag `rm/<commit>` is
   * there only when both the commit that it names and the object that it tags are in the store: it could
   * allow nothing else, and fetching what others point at would be the upstream's choice of what we store.
   */
  readonly tags: ReadonlyMap<string, string>;
}

/** Commits back from the tips, one try after the other. The last is git's word for all (git-fetch, --unshallow). */
const WHOLE_HISTORY = 2_147_483_647;
const DEPTHS = [64, 256, 1024, 4096, 16_384, WHOLE_HISTORY];

const FETCH_OPTIONS = [
  '--progress',
  '--atomic',
  '--no-tags',
  '--no-write-fetch-head',
  '--no-auto-gc',
  '--no-recurse-submodules',
];

/** Ten thousand `rm/` tags, peeled, are 2 MB. */
const ADVERTISED_BYTES = 8 * 1024 * 1024;

/**
 * Throws a SeraiError: `limit-exceeded`, `upstream-*`, `address-refused`, `redirect-refused`, `git-refused`
 * (objects that fail fsck), `repository-empty`, `aborted`, `git-failed`. The store's refs may then be those of
 * before or the upstream's; what was accepted is in the store in either case.
 */
export async function fetchGit(request: GitFetchRequest): Promise<GitFetchResult> {
  if (request.accepted !== undefined) checkObjectId(request.accepted);
  const deadline = performance.now() + request.limits.index_timeout;
  await requireGit();
  const remote = await locateRemote(request.url, request);
  const store = new GitStore(request.dir, request.signal);
  const fetch = new Fetch(request, remote, store, deadline);
  const advertised = await fetch.listRemote();
  const known = await request.known?.();
  if (!request.tags && advertised.head === known) return { head: advertised.head, tags: new Map() };
  await store.prepare(advertised.head.length);
  try {
    // With another commit known, this one is mostly not here yet.
    await fetch.bring(advertised, known === undefined || request.tags === true);
    const tags = request.tags ? await fetch.forgetOtherTags(advertised) : new Map<string, string>();
    await store.compact();
    return { head: advertised.head, tags };
  } finally {
    await store.sweep();
  }
}

/** One run of `fetchGit`. */
class Fetch {
  readonly #request: GitFetchRequest;
  readonly #remote: GitRemote;
  readonly #store: GitStore;
  readonly #deadline: number;

  constructor(request: GitFetchRequest, remote: GitRemote, store: GitStore, deadline: number) {
    this.#request = request;
    this.#remote = remote;
    this.#store = store;
    this.#deadline = deadline;
  }

  async listRemote(): Promise<Advertised> {
    const { ref, url } = this.#remote;
    const patterns = [ref, ...(this.#request.tags ? TAG_PATTERNS : [])];
    const args = ['ls-remote', ...this.#uploadPack(), '--end-of-options', url, ...patterns];
    const budget = { limits: this.#request.limits, what: url, sizeBefore: 0, deadline: this.#deadline };
    const answer = await this.#runWatched({ args }, budget);
    return readAdvertised(answer.toString('latin1'), ref, url);
  }

  /** Deepens until the last accepted commit is there, and takes the tags that this makes meaningful. */
  async bring(advertised: Advertised, mayBeHere: boolean): Promise<void> {
    const { accepted } = this.#request;
    if (accepted !== undefined) await this.#store.keepAccepted(accepted);
    const budget = await this.#budget();
    const base = new Map([[FETCHED_HEAD, advertised.head]]);
    const snapshot = advertised.tags.get('signed-snapshot');
    if (snapshot !== undefined) base.set(`${FETCHED_TAGS}signed-snapshot`, snapshot.oid);
    let wanted = new Map([...base, ...(await this.#meaningfulTags(advertised))]);
    if (mayBeHere && (await this.#isInPlace(wanted)) && (await this.#isDeepEnough(advertised))) return;
    for (const [index, depth] of this.#depths().entries()) {
      const fetching = this.#fetch(wanted, depth, budget);
      // Git is under way by now, which holds as long as nothing is waited for before it is started.
      fetching.catch(() => undefined);
      if (index === 0) this.#request.bringing?.();
      await fetching;
      const known = wanted.size;
      wanted = new Map([...base, ...(await this.#meaningfulTags(advertised))]);
      if (wanted.size > known) await this.#fetch(wanted, depth, budget);
      if (await this.#isDeepEnough(advertised)) break;
    }
    if (accepted !== undefined) await this.#store.keepAccepted(accepted);
  }

  /** What the upstream has taken back, or altered, must not be found in the store. Returns what stays. */
  async forgetOtherTags(advertised: Advertised): Promise<ReadonlyMap<string, string>> {
    const refs = await this.#store.refs(FETCHED_TAGS);
    const tags = new Map([...refs].map(([ref, oid]) => [ref.slice(FETCHED_TAGS.length), oid]));
    for (const [name, oid] of [...tags]) {
      if (advertised.tags.get(name)?.oid === oid) continue;
      await this.#store.deleteRef(`${FETCHED_TAGS}${name}`);
      tags.delete(name);
    }
    return tags;
  }

  /** Ids, not names, are asked for: all come from one answer of the upstream, whatever it changes meanwhile. */
  async #fetch(wanted: ReadonlyMap<string, string>, depth: number, budget: GitBudget): Promise<void> {
    const refspecs = [...wanted].map(([ref, oid]) => `+${oid}:${ref}`);
    const { dir, limits } = this.#request;
    await this.#runWatched(
      {
        gitDir: dir,
        args: [
          'fetch',
          ...FETCH_OPTIONS,
          `--depth=${depth}`,
          ...this.#uploadPack(depth),
          '--stdin',
          '--end-of-options',
          this.#remote.url,
        ],
        input: `${refspecs.join('\n')}\n`,
        // The watch looks ten times a second; between two looks this holds.
        fileBytes: limits.git_fetch,
      },
      budget,
    );
  }

  /** The tags `rm/<commit>` of commits that the store has, by our names for them. */
  async #meaningfulTags(advertised: Advertised): Promise<Map<string, string>> {
    const tags = [...advertised.tags].filter(([name]) => name.startsWith('rm/'));
    const commits = tags.flatMap(([name, { peeled }]) => [name.slice('rm/'.length), peeled]);
    const present = await this.#store.typesOf(commits);
    return new Map(
      tags
        .filter(([name, { peeled }]) => present.has(name.slice('rm/'.length)) && present.has(peeled))
        .map(([name, { oid }]) => [`${FETCHED_TAGS}${name}`, oid]),
    );
  }

  async #isInPlace(wanted: ReadonlyMap<string, string>): Promise<boolean> {
    const stored = await this.#store.refs('refs/serai/');
    return [...wanted].every(([ref, oid]) => stored.get(ref) === oid);
  }

  /**
   * True when the first-parent chain of each tip leads to the accepted commit, or ends at a real root, so that
   * more history could not change the answer. A chain that ends at a shallow boundary leaves it open.
   */
  async #isDeepEnough(advertised: Advertised): Promise<boolean> {
    const { accepted, dir, signal } = this.#request;
    const boundary = await this.#store.shallowBoundary();
    if (this.#request.wholeHistory) return boundary.size === 0;
    if (accepted === undefined || boundary.size === 0) return true;
    const snapshot = advertised.tags.get('signed-snapshot')?.peeled;
    for (const tip of new Set([advertised.head, snapshot ?? advertised.head])) {
      if (tip === accepted || (await this.#store.typesOf([tip])).get(tip) !== 'commit') continue;
      const { commits, reached } = await firstParentChain(dir, accepted, tip, signal);
      if (!reached && boundary.has(commits.at(-1) ?? '')) return false;
    }
    return true;
  }

  #depths(): readonly number[] {
    if (this.#request.wholeHistory) return [WHOLE_HISTORY];
    return this.#request.accepted === undefined ? [1] : DEPTHS;
  }

  async #budget(): Promise<GitBudget> {
    const { packs } = this.#store;
    const sizeBefore = await bytesInPacks(packs);
    return {
      limits: this.#request.limits,
      what: this.#remote.url,
      packs,
      sizeBefore,
      deadline: this.#deadline,
    };
  }

  async #runWatched(command: GitCommand, budget: GitBudget): Promise<Buffer> {
    const { protocol, config, secrets } = this.#remote;
    const watch = new GitWatch(budget);
    const git = startEnded({
      ...command,
      protocol,
      config,
      secrets,
      signal: this.#request.signal,
      onProgress: watch.moved,
    });
    watch.start(git);
    try {
      return await collectGit(git, { what: `fetching ${this.#remote.url}`, maxBytes: ADVERTISED_BYTES });
    } catch (error) {
      throw await watch.explain(error);
    } finally {
      watch.stop();
    }
  }

  /**
   * git gives the other side of a local fetch a fresh configuration; without the first option it refuses another user's
   * folder. With the second it looks for no deltas beyond those that it has: of one commit they took a seventh of the fetch
   * and save no more than a listing of packages, while of a history each commit would bring one.
   */
  #uploadPack(depth?: number): readonly string[] {
    return this.#remote.protocol === 'file'
      ? [`--upload-pack=git -c safe.directory=*${depth === 1 ? ' -c pack.window=0' : ''} upload-pack`]
      : [];
  }
}
