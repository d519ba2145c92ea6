/** Verifying a test's repositories, and what comes of it in one short line. */
import type { Verdict } from '../../src/verify/dialect.ts';
import { createSignedDialect, type SignedOptions } from '../../src/verify/signed/dialect.ts';
import { MemoryHistory, type SnapshotSpec } from './signed-history.ts';
import { root1, root2, type Signer } from './signed-keys.ts';
import type { SignedRepository } from './signed-repository.ts';

export const NOW = Date.parse('2026-06-01T13:00:00Z');

export const anchored = (quorum: number, ...keys: readonly Signer[]): SignedOptions['trust'] => ({
  kind: 'anchors',
  fingerprints: keys.map((key) => key.fingerprint),
  quorum,
});

const DEFAULTS: SignedOptions = { trust: anchored(2, root1, root2), threshold: 'signed' };

export interface Circumstances extends Partial<SignedOptions> {
  readonly now?: number;
}

/** The first reading of a repository that is not git. */
export async function read(
  content: SignedRepository,
  { now = NOW, ...options }: Circumstances = {},
): Promise<Verdict> {
  return createSignedDialect({ ...DEFAULTS, ...options }).verify({ tree: content.tree() }, undefined, now);
}

/** One step between two trees, from an old one that is trusted. */
export async function step(
  from: SignedRepository,
  to: SignedRepository,
  { now = NOW, ...options }: Circumstances = {},
): Promise<Verdict> {
  const dialect = createSignedDialect({ ...DEFAULTS, ...options });
  const previous = from.tree();
  return dialect.verify({ tree: to.tree(), previous }, await dialect.adopt(previous), now);
}

/** A git repository at its tag's commit. */
export function readGit(
  history: MemoryHistory,
  commit: string,
  trusted: string | undefined,
  { now = NOW, ...options }: Circumstances = {},
): Promise<Verdict> {
  const candidate = { tree: history.treeOf(commit), git: { commit, history } };
  return createSignedDialect({ ...DEFAULTS, ...options }).verify(candidate, trusted, now);
}

export interface LineSpec extends Circumstances {
  readonly snapshot?: SnapshotSpec;
  /** Who signs a tag `rm/<commit>` for the last commit. */
  readonly removalBy?: readonly Signer[];
}

/** A line of commits of which the first is trusted; the tag stands at the last. */
export async function line(contents: readonly SignedRepository[], spec: LineSpec = {}): Promise<Verdict> {
  const { snapshot, removalBy, ...circumstances } = spec;
  const { history, commits } = lineOf(contents);
  const [first = ''] = commits;
  const last = commits.at(-1) ?? '';
  history.snapshot(last, snapshot);
  if (removalBy !== undefined) history.allowRemoval(last, removalBy);
  const dialect = createSignedDialect({ ...DEFAULTS, ...circumstances });
  const floor = Date.parse('2026-05-01T00:00:00Z');
  const trusted = await dialect.adopt(history.treeOf(first), { commit: first, floor });
  return readGit(history, last, trusted, circumstances);
}

export function lineOf(contents: readonly SignedRepository[]): { history: MemoryHistory; commits: string[] } {
  const history = new MemoryHistory();
  return { history, commits: history.line(...contents) };
}

/** `refuse L4 packages/…` for each violation, or `serve foo.1.0; hold bar.2.0 P7`. */
export function says(verdict: Verdict): string {
  if (verdict.violations.length > 0) {
    return verdict.violations.map(({ rule, path }) => `refuse ${rule} ${path}`).join('; ');
  }
  const versions = [...verdict.versions.values()].sort((a, b) => (a.version < b.version ? -1 : 1));
  const lines = versions.map(({ version, withheld }) =>
    withheld === undefined ? `serve ${version}` : `hold ${version} ${withheld.rule}`,
  );
  return lines.length === 0 ? 'accept' : lines.join('; ');
}

/** Only the rules: `refuse L4`, `serve foo.1.0`. */
export function rules(verdict: Verdict): string {
  if (verdict.violations.length === 0) return says(verdict);
  return `refuse ${[...new Set(verdict.violations.map(({ rule }) => rule))].sort().join(' ')}`;
}
