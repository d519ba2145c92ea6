/** From an admitted tree to a published snapshot: all of it in one transaction, or nothing. */
import { reasonOf, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { packageIdOfPath, showPackageId } from '../opam/package-id.ts';
import { type RepoFile, readRepoFile, rewriteRepoFile } from '../opam/repo.ts';
import { readFile, type Tree } from '../opam/tree.ts';
import type { Publication, Snapshot } from '../store/catalogue.ts';
import type { Verdict } from '../verify/dialect.ts';
import type { BlobKeepers } from './damaged-blobs.ts';
import { archivesIn, declarationKey, declarationsOf } from './declarations.ts';
import { decodeFacts, type FileFacts, requireText } from './file-facts.ts';
import { repoPiece, storeIndex, withRepo } from './index-file.ts';
import { type IndexPlan, type PlanCounts, type PlannedPiece, planIndex } from './index-plan.ts';
import { bindSigned, withdrawnOf } from './signed-archives.ts';
import { snapshotId } from './snapshot-id.ts';
import { StoredPieces } from './stored-pieces.ts';
import { decodeSummary, encodeSummary, type Summary } from './summary.ts';

export interface PublisherOptions extends BlobKeepers {
  readonly repository: string;
  readonly limits: Limits;
}

export interface PublishInput {
  readonly tree: Tree;
  /** Admitted paths in C order. */
  readonly paths: readonly string[];
  /** Versions that are not admitted, with the reason. */
  readonly held: Summary['held'];
  /** Against which relative `archive-mirrors` of the upstream are read; undefined where it has no address. */
  readonly upstreamUrl?: string;
  readonly commit?: string;
  readonly verdict: Verdict;
  readonly trusted?: string;
  readonly verdicts?: NonNullable<Publication['verdicts']>;
  /** Share (0 to 1) of the present snapshot's versions that must remain. */
  readonly minimumRemaining: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface PublishOutcome {
  readonly kind: 'published' | 'unchanged';
  readonly snapshot: Snapshot;
  readonly summary: Summary;
  readonly counts: PlanCounts;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #known: ReadonlyMap<string, FileFacts> | undefined;
  #current: Snapshot | undefined;
  /** Keys of the present snapshot's pieces whose facts cannot be read back. */
  #unreadable: ReadonlySet<string> = new Set();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Whether all of the present snapshot can be read back; what cannot is made anew by the next `publish`. */
  async isWhole(): Promise<boolean> {
    const current = await this.#options.catalogue.currentSnapshot(this.#options.repository);
    if (current === undefined) return true;
    const stored = await new StoredPieces(this.#options).find(current.pieces);
    return current.pieces.every((key) => stored.has(key));
  }

  /** Publishes the tree, or finds that it is what is served already. A failure leaves everything as it was. */
  async publish(input: PublishInput): Promise<PublishOutcome> {
    const { catalogue, blobs, repository, limits } = this.#options;
    const repoBytes = input.paths.includes('repo') ? await readFile(input.tree, 'repo') : undefined;
    const repo = parseRepo(repoBytes);
    const known = await this.#load();
    const stored = new StoredPieces(this.#options);
    const plan = await planIndex({
      tree: input.tree,
      paths: input.paths.filter((path) => path !== 'repo'),
      known,
      limits,
      stored: (keys) => stored.find(keys.filter((key) => !this.#unreadable.has(key))),
    });
    const summary = summarize(plan, repo, input);
    this.#refuseEmpty(summary, input.minimumRemaining);

    const id = snapshotId(plan.pieces, repoBytes);
    const repoText = rewriteRepoFile(repo, id);
    const planned = withRepo(plan.pieces, await repoPiece(repoText, stored));
    const current = this.#current;
    if (current?.id === id && !(await this.#changesAnything(current, planned, summary, input.trusted))) {
      this.#known = factsByPath(plan);
      return { kind: 'unchanged', snapshot: current, summary, counts: plan.counts };
    }

    const { pieces, fresh, size, sha256 } = await storeIndex(planned, blobs, catalogue);
    const snapshot: Snapshot = {
      id,
      publishedAt: input.now,
      ...(input.commit === undefined ? {} : { commit: input.commit }),
      pieces: pieces.map((piece) => piece.key),
      size,
      sha256,
      repo: repoText,
      summary: encodeSummary(summary),
    };
    const before = new Set(current?.pieces ?? []);
    const bound = bindSigned(planned, input.verdict);
    const detail = {
      snapshot: id,
      commit: input.commit,
      versions: summary.versions,
      held: summary.held.length,
    };
    await catalogue.publish({
      repository,
      snapshot,
      pieces: fresh,
      archives: declarationsOf(bound, (piece) => !before.has(piece.key)),
      withdrawn: withdrawnOf(summary.held, known, bound),
      ...(input.trusted === undefined ? {} : { trusted: input.trusted }),
      ...(input.verdicts === undefined ? {} : { verdicts: input.verdicts }),
      event: { at: input.now, repository, kind: 'published', detail: JSON.stringify(detail) },
    });
    this.#known = factsByPath(plan);
    this.#current = snapshot;
    this.#unreadable = new Set();
    return { kind: 'published', snapshot, summary, counts: plan.counts };
  }

  /** Facts of the present snapshot's files, so that a restart does not parse them anew. */
  async #load(): Promise<ReadonlyMap<string, FileFacts>> {
    const { catalogue, repository } = this.#options;
    const current = await catalogue.currentSnapshot(repository);
    const standing = this.#current?.id;
    this.#current = current;
    if (this.#known !== undefined && current?.id === standing) return this.#known;
    const known = new Map<string, FileFacts>();
    const unreadable = new Set<string>();
    for (const [key, piece] of await catalogue.pieces(current?.pieces ?? [])) {
      try {
        for (const facts of decodeFacts(piece.facts)) known.set(facts.path, facts);
      } catch {
        unreadable.add(key);
      }
    }
    this.#known = known;
    this.#unreadable = unreadable;
    return known;
  }

  /** With the same snapshot: bytes that were lost, a trusted state that moved on, other words about it. */
  async #changesAnything(
    current: Snapshot,
    planned: readonly PlannedPiece[],
    summary: Summary,
    trusted: string | undefined,
  ): Promise<boolean> {
    if (planned.some((piece) => 'deflated' in piece)) return true;
    if (encodeSummary(summary) !== current.summary) return true;
    if (trusted === undefined) return false;
    return trusted !== (await this.#options.catalogue.trusted(this.#options.repository));
  }

  /** An upstream that lost all or nearly all is an accident or an attack: clients would end up empty. */
  #refuseEmpty(summary: Summary, minimumRemaining: number): void {
    const { repository } = this.#options;
    if (summary.versions === 0) {
      throw new SeraiError(
        'repository-empty',
        `repository ${repository}: the upstream offers no version of any package; what was published stays`,
      );
    }
    if (this.#current === undefined) return;
    const standing = decodeSummary(this.#current.summary).versions;
    if (summary.versions >= standing * minimumRemaining) return;
    throw new SeraiError(
      'snapshot-refused',
      `repository ${repository}: the upstream shrank from ${standing} versions to ${summary.versions}; what was ` +
        'published stays. If this is meant, lower minimum_remaining of the repository for one sync',
    );
  }
}

function factsByPath(plan: IndexPlan): ReadonlyMap<string, FileFacts> {
  return new Map(plan.facts.map((facts) => [facts.path, facts]));
}

function parseRepo(bytes: Uint8Array | undefined): RepoFile {
  try {
    if (bytes !== undefined) requireText(bytes);
    return readRepoFile(bytes);
  } catch (error) {
    throw new SeraiError('tree-refused', `the upstream's file repo cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function summarize(plan: IndexPlan, repo: RepoFile, input: PublishInput): Summary {
  const packages = new Set<string>();
  let versions = 0;
  for (const piece of plan.pieces) {
    for (const file of piece.files) {
      const place = packageIdOfPath(file.path);
      if (place?.file !== 'opam') continue;
      packages.add(place.id.name);
      versions += 1;
    }
  }
  const archives = new Set<string>();
  for (const archive of archivesIn(plan.pieces)) archives.add(declarationKey(archive));
  const unreadable = [...plan.unreadable].map(([folder, reason]) => {
    const place = packageIdOfPath(`${folder}opam`);
    return { version: place === undefined ? folder : showPackageId(place.id), reason };
  });
  const warnings = input.verdict.warnings ?? [];
  return {
    packages: packages.size,
    versions,
    archives: archives.size,
    archiveMirrors: absoluteMirrors(repo.archiveMirrors, input.upstreamUrl),
    held: [...input.held, ...unreadable],
    ...(input.verdict.snapshot === undefined ? {} : { signedAt: input.verdict.snapshot.date }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(input.verdict.root === undefined ? {} : { root: input.verdict.root }),
  };
}

/** Relative mirrors are relative to the repository's address (OPAM-CLIENT.md, "The index"). */
function absoluteMirrors(mirrors: readonly string[], upstreamUrl: string | undefined): string[] {
  return mirrors.flatMap((mirror) => {
    if (/^https?:\/\//i.test(mirror)) return [mirror];
    if (upstreamUrl === undefined || /^[a-z][a-z0-9+.-]*:/i.test(mirror)) return [];
    const base = upstreamUrl.endsWith('/') ? upstreamUrl : `${upstreamUrl}/`;
    const address = URL.canParse(mirror, base) ? new URL(mirror, base).href : '';
    // Nothing can be had from a path on disk or from git in opam's cache layout.
    return /^https?:/i.test(address) ? [address] : [];
  });
}
