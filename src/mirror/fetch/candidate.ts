/** What an upstream is asked for, and what it offers. */
import type { Limits } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { FirstSeen } from '../../store/catalogue.ts';
import type { AddressRules } from '../../upstream/address-guard.ts';
import type { Fetcher } from '../../upstream/fetcher.ts';
import type { GitRepository } from '../../upstream/git-repository.ts';
import type { TreeSize } from '../../upstream/git-step.ts';
import type { SignedSources } from '../archives/signed-archives.ts';
import type { FileFacts } from '../index/file-facts.ts';
import type { RuledVersion } from '../policy/derivation.ts';
import type { KnownStep } from '../policy/offer.ts';

export interface CandidateRequest {
  readonly upstream: string;
  /** Of the mirror's data. */
  readonly folder: string;
  /** The bare repository of a git upstream. */
  readonly gitDir: string;
  readonly fetcher: Fetcher;
  readonly limits: Limits;
  readonly addresses: AddressRules;
  /** What the last accepted candidate left, where that counts: found while a git upstream is asked for its refs. */
  readonly last?: Promise<LastCandidate | undefined>;
  /** With a git upstream: bring the signed tags, and the history from the commit that was accepted last. */
  readonly signed?: { readonly accepted?: string | undefined } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LastCandidate {
  readonly validator: string;
  /** Of its tree, where that was told; without it the next tree is read whole. */
  readonly size?: TreeSize | undefined;
  /** Packages with versions that are held: a change of one is looked at with the whole tree. */
  readonly held: ReadonlySet<string>;
}

export interface ChangedCandidate {
  readonly kind: 'changed';
  readonly tree: Tree;
  /** Where the upstream is git; the repository is open as long as the tree is. */
  readonly git?: { readonly commit: string; readonly repository: GitRepository };
  /** Where it is known what changed since the candidate that was accepted last: the tree is that alone. */
  readonly step?: KnownStep;
  /** Makes the next request conditional once this candidate was accepted. */
  readonly validator?: string;
  /** Of the upstream's whole tree. */
  readonly size?: TreeSize;
  /** Facts of its files, by path, where they are known already: of an overlay. */
  readonly facts?: ReadonlyMap<string, FileFacts>;
  /** Versions that it does not have because they are held where it comes from. */
  readonly held?: readonly RuledVersion[];
  /** When this mirror first saw a version where it comes from. */
  readonly firstSeen?: (version: string) => FirstSeen | undefined;
  /** What must be said loudly of where it comes from. */
  readonly warnings?: readonly string[];
  /** What the signers stand for, where that is known already. */
  readonly signed?: SignedSources;
}

export type FetchedCandidate = { readonly kind: 'unchanged' } | ChangedCandidate;
