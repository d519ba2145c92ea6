/** From a fetched candidate to a verdict, with all that a dialect needs from the store and leaves in it. */
import type { Config, RepositoryConfig } from '../../config.ts';
import { SeraiError } from '../../errors.ts';
import type { Sha256 } from '../../hashes.ts';
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue, Publication } from '../../store/catalogue.ts';
import type { Dialect, Verdict } from '../../verify/dialect.ts';
import { createSignedDialect } from '../../verify/signed/dialect.ts';
import type { Trust } from '../../verify/signed/first-trust.ts';
import { unsignedDialect } from '../../verify/unsigned.ts';
import type { ChangedCandidate } from '../fetch/candidate.ts';
import { historyOf } from '../fetch/git-candidate.ts';
import { readTreeBlob, storeTree } from '../index/tree-blob.ts';
import { ClaimThread } from './claim-thread.ts';
import { decodeTrust, encodeTrust, type TrustRecord } from './trust-record.ts';
import { VerdictMemory } from './verdict-memory.ts';

export interface Judgement {
  readonly verdict: Verdict;
  /** To be written with the publication, when there is something. */
  readonly trusted?: string;
  readonly verdicts?: NonNullable<Publication['verdicts']>;
  /** Versions judged anew; the others were known by all that they depend on. */
  readonly judged: number;
  /** To be called when the publication is written. */
  settle(): void;
}

export interface Judge {
  judge(candidate: ChangedCandidate, now: number): Promise<Judgement>;
}

export interface JudgeOptions {
  readonly config: Config;
  readonly repository: string;
  readonly settings: RepositoryConfig;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
}

export function createJudge(options: JudgeOptions): Judge {
  switch (options.settings.dialect) {
    case 'unsigned':
      return judgeBy(unsignedDialect);
    case 'signed':
      return new SignedJudge(options);
  }
}

/** For dialects that keep no trusted state. */
export function judgeBy(dialect: Dialect): Judge {
  return {
    async judge({ tree }, now) {
      const verdict = await dialect.verify({ tree }, undefined, now);
      return { verdict, judged: verdict.versions.size, settle: () => undefined };
    },
  };
}

class SignedJudge implements Judge {
  readonly #options: JudgeOptions;
  #memory: VerdictMemory | undefined;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  async judge(candidate: ChangedCandidate, now: number): Promise<Judgement> {
    const { catalogue, repository, config, settings } = this.#options;
    const record = decodeTrust(await catalogue.trusted(repository));
    this.#memory ??= new VerdictMemory(await catalogue.verdicts(repository));
    const memory = this.#memory;
    memory.begin();
    const checker = new ClaimThread();
    const dialect = createSignedDialect({
      ...signedOptions(settings, record, config.limits),
      cache: memory,
      checker,
    });
    const { tree, git } = candidate;
    const previous = git === undefined ? await this.#previousTree(record) : undefined;
    const seen = {
      tree,
      ...(git === undefined
        ? {}
        : { git: { commit: git.commit, history: historyOf(git.repository, config.limits) } }),
      ...(previous === undefined ? {} : { previous }),
    };
    const verdict = await dialect.verify(seen, record.state, now).finally(() => checker.close());
    const judged = memory.made;
    const settle = (): void => memory.settle();
    if (verdict.violations.length > 0 || verdict.trusted === undefined) return { verdict, judged, settle };
    const kept = git === undefined ? { tree: await this.#keepTree(tree) } : {};
    const { anchors } = record;
    const trusted = encodeTrust({
      state: verdict.trusted,
      ...kept,
      ...(anchors === undefined ? {} : { anchors }),
    });
    return { verdict, trusted, verdicts: memory.changes(), judged, settle };
  }

  /** Linearity holds between trees where there is no history, so the last accepted one was kept whole. */
  async #previousTree({ state, tree }: TrustRecord): Promise<Tree | undefined> {
    const { blobs, config, repository } = this.#options;
    if (state === undefined) return undefined;
    if (tree !== undefined) return readTreeBlob(blobs, tree, config.limits);
    throw new SeraiError(
      'snapshot-refused',
      `repository ${repository}: the upstream was git and is no longer, so what changed cannot be judged; go back, or ` +
        `forget what is trusted with serai trust ${repository} --forget`,
    );
  }

  async #keepTree(tree: Tree): Promise<Sha256> {
    const { blobs, catalogue } = this.#options;
    const blob = await storeTree(tree, blobs);
    await catalogue.recordBlob(blob);
    return blob.id;
  }
}

/** What the configuration and a person's acceptance say, in the dialect's form. */
export function signedOptions(settings: RepositoryConfig, record: TrustRecord, limits: Limits) {
  const { root_quorum: root, repository_maintainer_quorum: repositoryMaintainer, max_age: maxAge } = settings;
  return {
    trust: trustOf(settings, record),
    threshold: settings.threshold ?? 'signed',
    raisedQuorums: {
      ...(root === undefined ? {} : { root }),
      ...(repositoryMaintainer === undefined ? {} : { repositoryMaintainer }),
    },
    acceptWeak: settings.accept_weak ?? false,
    requireGit: settings.require_git ?? false,
    limits,
    ...(maxAge === undefined ? {} : { maxAge }),
  };
}

function trustOf(settings: RepositoryConfig, { anchors: accepted }: TrustRecord): Trust {
  const { trust_anchors: fingerprints, quorum } = settings;
  if (fingerprints !== undefined && quorum !== undefined) return { kind: 'anchors', fingerprints, quorum };
  if (settings.trust === 'none') return { kind: 'none' };
  return { kind: 'first-use', ...(accepted === undefined ? {} : { accepted }) };
}
