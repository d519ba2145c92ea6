/** The dialect `signed` (SIGNED-FORMAT.md), set up for one repository. */
import { SeraiError } from '../../errors.ts';
import { DEFAULT_LIMITS } from '../../limits.ts';
import type { Tree } from '../../opam/tree.ts';
import type { Dialect, VerdictCache } from '../dialect.ts';
import { type ClaimChecker, checkHere } from './claims.ts';
import { treeReader } from './file-reader.ts';
import { type Anchors, anchorsOf, type Trust } from './first-trust.ts';
import { KeyRing } from './keys.ts';
import type { ReadingLimits } from './repository.ts';
import { type RaisedQuorums, ROOT_PATH, type RootFile } from './root-file.ts';
import { readSignedFiles } from './signed-files.ts';
import { parseTrustedState, printTrustedState } from './trusted-state.ts';
import { type Settings, Verification } from './verification.ts';
import type { Threshold } from './version-verdict.ts';

export interface SignedOptions {
  readonly trust: Trust;
  readonly threshold: Threshold;
  /** Point 2: these only raise what `keys/root` says. */
  readonly raisedQuorums?: RaisedQuorums;
  /** Point 8: versions signed with md5 alone are served. */
  readonly acceptWeak?: boolean;
  /** Point 10: a snapshot older than this many milliseconds is stale. */
  readonly maxAge?: number;
  /** Point 10: an upstream that is not git is refused. */
  readonly requireGit?: boolean;
  readonly limits?: ReadingLimits;
  readonly cache?: VerdictCache;
  /** Who checks the signatures of versions, many at a time; this thread without it. */
  readonly checker?: ClaimChecker;
}

/** Where to go on from when the user says what is trusted. */
export interface TrustedPoint {
  readonly commit?: string;
  /** The date of the last accepted snapshot, in milliseconds since the epoch. */
  readonly floor?: number;
}

export interface SignedDialect extends Dialect {
  /**
   * The trusted state that a tree stands for which the user trusts as it is: no signature of its `keys/root` is
   * asked for. Anchors that are not among its root keys are new ones, for the next `keys/root` to meet (points 3
   * and 4). Throws `snapshot-refused` when that file is missing or invalid.
   */
  adopt(tree: Tree, point?: TrustedPoint): Promise<string>;
}

/** Throws `config-invalid` for anchors or quorums that cannot be. */
export function createSignedDialect(options: SignedOptions): SignedDialect {
  const settings = settingsOf(options);
  const { reading, limits, anchors } = settings;
  return {
    async verify(candidate, trusted, now) {
      const state = trusted === undefined ? undefined : parseTrustedState(trusted, reading);
      return new Verification(settings, candidate, state, now).run();
    },
    async adopt(tree, point = {}) {
      const file = tree.files.get(ROOT_PATH);
      const refs = file === undefined ? [] : [file];
      const { root } = await readSignedFiles(treeReader(tree), refs, limits.key_file, reading);
      if (root?.valid !== true) {
        throw new SeraiError(
          'snapshot-refused',
          `the trusted tree has no valid keys/root: ${root?.reason ?? 'it is missing'}`,
        );
      }
      const known = anchors !== undefined && lists(root.content, anchors);
      return printTrustedState({ root, ...point, ...(known ? { anchors } : {}) });
    },
  };
}

function lists({ rootKeys }: RootFile, { fingerprints, quorum }: Anchors): boolean {
  const listed = new Set(rootKeys.map(({ key }) => key.fingerprint));
  return fingerprints.filter((fingerprint) => listed.has(fingerprint)).length >= quorum;
}

function settingsOf(options: SignedOptions): Settings {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const raised = options.raisedQuorums ?? {};
  for (const quorum of [raised.root, raised.repositoryMaintainer]) {
    if (quorum !== undefined && (!Number.isInteger(quorum) || quorum < 1)) {
      throw new SeraiError('config-invalid', `the quorum ${quorum} is not a whole number of at least 1`);
    }
  }
  const { threshold, acceptWeak = false } = options;
  return {
    trust: options.trust,
    anchors: anchorsOf(options.trust),
    policy: { threshold, acceptWeak, depth: limits.opam_depth },
    maxAge: options.maxAge,
    requireGit: options.requireGit ?? false,
    limits,
    reading: { ring: new KeyRing(), depth: limits.opam_depth, raised },
    cache: options.cache,
    checker: options.checker ?? checkHere,
  };
}
