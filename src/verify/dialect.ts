/**
 * The seam of the dialects. Decisions about trust: bytes, keys, trusted state and a clock go in, a verdict
 * comes out. Whatever a dialect, a verdict has this shape.
 */
import type { Tree } from '../opam/tree.ts';
import type { History } from './history.ts';

/** SIGNED-FORMAT.md, point 7, from the least to the most. */
export const TRUST_LEVELS = ['none', 'signed', 'verified-key', 'verified-developer'] as const;
export type TrustLevel = (typeof TRUST_LEVELS)[number];

/** SIGNED-FORMAT.md, "Names of rules in verdicts". */
export type Rule =
  | `L${1 | 2 | 3 | 4 | 5 | 6 | 7}`
  | `T${1 | 2 | 3}`
  | 'V1'
  | `P${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14}`
  | 'FORM'
  | 'SIG'
  | 'TREE';

/** Why a whole update is refused. Not an error: the bytes were read well, and are not what they claim. */
export interface Violation {
  readonly rule: Rule;
  readonly path: string;
  /** Of the step that violates, where the upstream is git. */
  readonly commit?: string;
  readonly message: string;
  /** Ids of the keys that matter: those that signed, those that should have. */
  readonly keys: readonly string[];
}

/** A digest and size that the signers stand for, by what the opam file calls the source. */
export interface SignedSource {
  /** `archive`, or the extra-source's name, or a patch's URL. */
  readonly source: string;
  /** In bytes. */
  readonly size: number;
  /** Of known kinds: `sha256=<hex>` and the like. */
  readonly checksums: readonly string[];
}

export interface VersionVerdict {
  /** `name.version`, or `compilers/<v>/<v>+<p>` (point 13). */
  readonly version: string;
  readonly level: TrustLevel;
  /** Key ids whose signatures hold and count. */
  readonly signers: readonly string[];
  /** Paths that may be served; empty when withheld. */
  readonly files: readonly string[];
  readonly sources: readonly SignedSource[];
  /** Present when the version is not served by what verification alone knows. */
  readonly withheld?: { readonly rule: Rule; readonly reason: string };
  /** The chain from root to file, a line each, for people. */
  readonly chain: readonly string[];
}

export interface Verdict {
  /** By `version`. */
  readonly versions: ReadonlyMap<string, VersionVerdict>;
  /** Paths that may be served beside the versions' files: `repo`, `version`, keys, delegations. */
  readonly shared: readonly string[];
  /** Empty when the update is accepted. */
  readonly violations: readonly Violation[];
  /** Undefined where freshness cannot be known (point 10, an upstream that is not git). */
  readonly stale?: boolean;
  /** The signed snapshot that was judged; dates in milliseconds since the epoch. */
  readonly snapshot?: { readonly commit: string; readonly date: number };
  /** Who is at the root of the trust, once the root file could be read; `date` as it is written there. */
  readonly root?: RootOfTrust;
  /** What must be said loudly although it refuses nothing. */
  readonly warnings?: readonly string[];
  /** The state to trust from now on, opaque to all but the dialect; present only without violations. */
  readonly trusted?: string;
}

export interface RootOfTrust {
  readonly date: string;
  /** Of all root keys that the file lists, expired ones too. */
  readonly fingerprints: readonly string[];
  /** How many of them have to sign. */
  readonly quorum: number;
}

export interface Candidate {
  readonly tree: Tree;
  /** Where the upstream is git: the commit that the tree is of, and its history. */
  readonly git?: { readonly commit: string; readonly history: History };
  /** Where the upstream is not git: the tree of the last accepted candidate, whole, not what was served of it. */
  readonly previous?: Tree;
  /** Entries that may not stand in a tree, where the upstream could still be read: each is a violation, TREE. */
  readonly refusals?: readonly { readonly path: string; readonly message: string }[];
}

/** Verdicts of versions by all that they depend on, so that what did not change is not judged again. */
export interface VerdictCache {
  get(key: string): VersionVerdict | undefined;
  set(key: string, verdict: VersionVerdict): void;
  /** Whom a delegation file names, by all that the reading of it depends on; undefined where that is not kept. */
  delegates(delegation: string): readonly string[] | undefined;
  keepDelegates(delegation: string, delegates: readonly string[]): void;
}

export interface Dialect {
  /**
   * Judges a candidate against the trusted state (what the last accepted verdict left; undefined before the
   * first). `now` is in milliseconds since the epoch.
   */
  verify(candidate: Candidate, trusted: string | undefined, now: number): Promise<Verdict>;
}
