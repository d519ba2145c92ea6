/** What is trusted of a signed repository, and a person's decisions about it: for `serai trust`. */

import { SeraiError } from '../../errors.ts';
import type { RootOfTrust } from '../../verify/dialect.ts';
import { createSignedDialect } from '../../verify/signed/dialect.ts';
import { fetchCandidate, requestFor } from '../fetch/fetch-candidate.ts';
import { historyOf } from '../fetch/git-candidate.ts';
import type { Mirror } from '../mirror.ts';
import { eventOf } from '../report/events.ts';
import { decodeSummary } from '../report/summary.ts';
import { type AcceptedAnchors, decodeTrust, encodeTrust } from './trust-record.ts';

export interface TrustState {
  /** How trust begins, by the configuration. */
  readonly kind: 'anchors' | 'first-use' | 'none';
  /** What a person accepted; with `first-use` only. */
  readonly accepted?: AcceptedAnchors;
  /** Of the last accepted snapshot. */
  readonly root?: RootOfTrust;
}

/** Throws `usage` when the repository is not there or signs nothing. */
export async function trustState(mirror: Mirror, repository: string): Promise<TrustState> {
  const settings = mirror.config.repository[repository];
  if (settings === undefined)
    throw new SeraiError('usage', `there is no repository ${repository} in the configuration`);
  if (settings.dialect !== 'signed')
    throw new SeraiError(
      'usage',
      `repository ${repository} is configured as unsigned: there is nothing to trust`,
    );
  const record = decodeTrust(await mirror.catalogue.trusted(repository));
  const snapshot =
    record.state === undefined ? undefined : await mirror.catalogue.currentSnapshot(repository);
  const root = snapshot === undefined ? undefined : decodeSummary(snapshot.summary).root;
  return {
    kind: settings.trust_anchors === undefined ? (settings.trust ?? 'none') : 'anchors',
    ...(record.anchors === undefined ? {} : { accepted: record.anchors }),
    ...(root === undefined ? {} : { root }),
  };
}

/** The root keys that the upstream offers at this moment; nothing is accepted by asking. */
export async function offeredRoot(mirror: Mirror, repository: string): Promise<RootOfTrust> {
  const candidate = await fetchCandidate(await requestFor({ ...mirror, repository }));
  if (candidate.kind === 'unchanged')
    throw new SeraiError('internal', 'an unconditional request was not answered');
  try {
    const { limits } = mirror.config;
    const dialect = createSignedDialect({ trust: { kind: 'first-use' }, threshold: 'any', limits });
    const { tree, git } = candidate;
    const history =
      git === undefined
        ? undefined
        : { git: { commit: git.commit, history: historyOf(git.repository, limits) } };
    const { root, violations } = await dialect.verify({ tree, ...history }, undefined, mirror.clock.now());
    if (root !== undefined) return root;
    const [first] = violations;
    throw new SeraiError(
      'snapshot-refused',
      `the upstream offers no root keys: ${first?.message ?? 'no keys/root'}`,
    );
  } finally {
    await candidate.tree.close();
  }
}

/** Accepts these root keys as the anchors; what was trusted before stays as the floor. */
export async function acceptAnchors(
  mirror: Mirror,
  repository: string,
  anchors: AcceptedAnchors,
): Promise<void> {
  const record = decodeTrust(await mirror.catalogue.trusted(repository));
  const fingerprints = [...new Set(anchors.fingerprints)].sort();
  const accepted = { fingerprints, quorum: anchors.quorum };
  await mirror.catalogue.saveTrusted(
    repository,
    encodeTrust({ ...record, anchors: accepted }),
    eventOf('trust-accepted', mirror.clock.now(), repository, accepted),
  );
}

/** Forgets all that is trusted, floors too: the next sync begins anew. What is published stays. */
export async function forgetTrust(mirror: Mirror, repository: string): Promise<void> {
  await mirror.catalogue.saveTrusted(
    repository,
    encodeTrust({}),
    eventOf('trust-forgotten', mirror.clock.now(), repository, {}),
  );
}
