/** From an admitted tree to a published snapshot: all of it in one transaction, or nothing. */
import { reasonOf, SeraiError } from '../errors.ts';
import type { Sha256 } from '../hashes.ts';
import type { Limits } from '../limits.ts';
import { packageIdOfPath, showPackageId } from '../opam/package-id.ts';
import { type RepoFile, readRepoFile, rewriteRepoFile } from '../opam/repo.ts';
import { readFile, type Tree } from '../opam/tree.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Catalogue, Snapshot } from '../store/catalogue.ts';
import { archivesIn, declarationKey, declarationsOf } from './declarations.ts';
import { decodeFacts, type FileFacts } from './file-facts.ts';
import { indexParts, measureIndex, repoPiece, storePieces, withRepo } from './index-file.ts';
import { type IndexPlan, type PlanCounts, planIndex } from './index-plan.ts';
import { snapshotId } from './snapshot-id.ts';
import { decodeSummary, encodeSummary, type Summary } from './summary.ts';

export interface PublisherOptions {
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
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
  readonly trusted?: string;
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

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Publishes the tree, or finds that it is what is served already. A failure leaves everything as it was. */
  async publish(input: PublishInput): Promise<PublishOutcome> {
    const { catalogue, blobs, repository, limits } = this.#options;
    const known = await this.#load();
    const plan = await planIndex({
      tree: input.tree,
      paths: input.paths.filter((path) => path !== 'repo'),
      known,
      limits,
      stored: (keys) => this.#stored(keys),
    });
    const repoBytes = input.tree.files.has('repo') ? await readFile(input.tree, 'repo') : undefined;
    const repo = parseRepo(repoBytes);
    const summary = summarize(plan, repo, input);
    this.#refuseEmpty(summary, input.minimumRemaining);

    const id = snapshotId(plan.pieces, repoBytes);
    const repoText = rewriteRepoFile(repo, id);
    const planned = withRepo(plan.pieces, await repoPiece(repoText));
    const current = this.#current;
    if (current?.id === id && !(await this.#changesAnything(planned, input.trusted))) {
      this.#known = new Map(plan.facts.map((facts) => [facts.path, facts]));
      return { kind: 'unchanged', snapshot: current, summary, counts: plan.counts };
    }

    const pieces = await storePieces(planned, blobs, catalogue);
    const snapshot: Snapshot = {
      id,
      publishedAt: input.now,
      ...(input.commit === undefined ? {} : { commit: input.commit }),
      pieces: pieces.all.map((piece) => piece.key),
      ...measureIndex(await indexParts(pieces.all, blobs)),
      repo: repoText,
      summary: encodeSummary(summary),
    };
    const before = new Set(current?.pieces ?? []);
    const detail = {
      snapshot: id,
      commit: input.commit,
      versions: summary.versions,
      held: summary.held.length,
    };
    await catalogue.publish({
      repository,
      snapshot,
      pieces: pieces.fresh,
      archives: declarationsOf(planned, (piece) => !before.has(piece.key)),
      ...(input.trusted === undefined ? {} : { trusted: input.trusted }),
      event: { at: input.now, repository, kind: 'published', detail: JSON.stringify(detail) },
    });
    this.#known = new Map(plan.facts.map((facts) => [facts.path, facts]));
    this.#current = snapshot;
    return { kind: 'published', snapshot, summary, counts: plan.counts };
  }

  /** Facts of the present snapshot's files, so that a restart does not parse them anew. */
  async #load(): Promise<ReadonlyMap<string, FileFacts>> {
    const { catalogue, repository } = this.#options;
    const current = await catalogue.currentSnapshot(repository);
    if (this.#known !== undefined && current?.id === this.#current?.id) return this.#known;
    const known = new Map<string, FileFacts>();
    if (current !== undefined) {
      for (const piece of (await catalogue.pieces(current.pieces)).values())
        for (const facts of decodeFacts(piece.facts)) known.set(facts.path, facts);
    }
    this.#current = current;
    this.#known = known;
    return known;
  }

  /** Keys whose pieces are in the catalogue with their blob in place. */
  async #stored(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const pieces = await this.#options.catalogue.pieces(keys);
    const present = new Map<Sha256, boolean>();
    const stored = new Set<string>();
    for (const piece of pieces.values()) {
      let there = present.get(piece.blob);
      if (there === undefined) {
        there = (await this.#options.blobs.size(piece.blob)) !== undefined;
        present.set(piece.blob, there);
      }
      if (there) stored.add(piece.key);
    }
    return stored;
  }

  /** With the same snapshot: a piece whose bytes are lost, or a trusted state that moved on. */
  async #changesAnything(
    planned: readonly { readonly key: string }[],
    trusted: string | undefined,
  ): Promise<boolean> {
    const stored = await this.#stored(planned.map((piece) => piece.key));
    if (planned.some((piece) => !stored.has(piece.key))) return true;
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

function parseRepo(bytes: Uint8Array | undefined): RepoFile {
  try {
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
  return {
    packages: packages.size,
    versions,
    archives: archives.size,
    archiveMirrors: absoluteMirrors(repo.archiveMirrors, input.upstreamUrl),
    held: [...input.held, ...unreadable],
  };
}

/** Relative mirrors are relative to the repository's address (OPAM-CLIENT.md, "The index"). */
function absoluteMirrors(mirrors: readonly string[], upstreamUrl: string | undefined): string[] {
  return mirrors.flatMap((mirror) => {
    if (/^https?:\/\//i.test(mirror)) return [mirror];
    if (upstreamUrl === undefined || /^[a-z][a-z0-9+.-]*:/i.test(mirror)) return [];
    const base = upstreamUrl.endsWith('/') ? upstreamUrl : `${upstreamUrl}/`;
    return URL.canParse(mirror, base) ? [new URL(mirror, base).href] : [];
  });
}
