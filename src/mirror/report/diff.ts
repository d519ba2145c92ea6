/** What is served against the upstream's last accepted tree, and the rule behind each difference. */
import type { Config } from '../../config.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import { loadPiecesTree } from '../index/pieces-tree.ts';
import { filesByVersion } from '../index/version-files.ts';
import { type AcceptedState, decodeAcceptedState } from '../policy/accepted-state.ts';
import { servingRules } from '../policy/serving-rules.ts';
import { isoTime } from './iso-time.ts';
import { type LineChanges, lineChanges } from './line-diff.ts';
import { packageSubject } from './package-subject.ts';
import { type RewrittenFile, rewrittenFiles } from './rewritten-files.ts';
import { published } from './served-versions.ts';
import { decodeSummary } from './summary.ts';

/** One difference. Times are ISO 8601, UTC. */
export type Difference =
  /** Upstream has it, clients do not get it. */
  | { readonly kind: 'not-served'; readonly version: string; readonly rule: string; readonly reason: string }
  /** Clients get the form that stood before. */
  | {
      readonly kind: 'kept-back';
      readonly version: string;
      /** The class of the change that is held. */
      readonly rule: string;
      readonly served: string;
      readonly upstream: string;
      readonly since: string;
    }
  /** Upstream removed it, clients still get it; without an end for ever. */
  | {
      readonly kind: 'still-served';
      readonly version: string;
      readonly since: string;
      readonly until?: string;
    }
  | ({ readonly kind: 'rewritten' } & RewrittenFile)
  /** Upstream's file `repo`, in which the mirror's own address and the snapshot's name stand. */
  | ({ readonly kind: 'repo'; readonly path: 'repo' } & LineChanges);

export interface DiffSource {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
}

/**
 * All differences, or those of `PACKAGE` or `PACKAGE.VERSION`: versions first, then files. Throws `usage` for what is
 * neither, and `not-found` before the first publication.
 */
export async function* differences(
  repository: string,
  what: string | undefined,
  source: DiffSource,
): AsyncGenerator<Difference> {
  const { config, catalogue } = source;
  const subject = what === undefined ? undefined : packageSubject(what);
  const isWanted = (version: string): boolean => subject?.matches(version) ?? true;
  const { snapshot, tree } = await published(repository, catalogue);
  const state = decodeAcceptedState(tree.state);
  for (const { version, rule, reason } of decodeSummary(snapshot.summary).held)
    if (isWanted(version)) yield { kind: 'not-served', version, rule, reason };
  for (const { version, class: rule, before, after, at, served } of state.held)
    if (served === 'last-good' && isWanted(version))
      yield { kind: 'kept-back', version, rule, served: before, upstream: after, since: isoTime(at) };

  const served = await loadPiecesTree(snapshot.pieces, source);
  const { keepRemoved } = await servingRules(repository, source);
  const versions = filesByVersion(served.facts.keys());
  for (const [version, at] of removedVersions(state))
    if (versions.has(version) && isWanted(version))
      yield { kind: 'still-served', version, since: isoTime(at), ...untilOf(at + keepRemoved) };

  const accepted = await loadPiecesTree(tree.pieces, source);
  const trees = { accepted, served, depth: config.limits.opam_depth };
  for await (const file of rewrittenFiles(trees, isWanted)) yield { kind: 'rewritten', ...file };
  const repo = lineChanges(utf8(state.repo ?? ''), utf8(snapshot.repo));
  if (subject === undefined && repo.removed.length + repo.added.length > 0)
    yield { kind: 'repo', path: 'repo', ...repo };
}

function removedVersions(state: AcceptedState): readonly [string, number][] {
  return Object.entries(state.removed).sort(([a], [b]) => (a < b ? -1 : 1));
}

function untilOf(at: number): { until?: string } {
  return Number.isFinite(at) ? { until: isoTime(at) } : {};
}

/** Of a text that holds one byte a character. */
function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
