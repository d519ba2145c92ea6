/** `serai status`: how each repository stands, read from the store; a server may be running or not. */
import type { Config } from '../config.ts';
import { type FeedState, feedState } from '../mirror/fetch/advisories.ts';
import type { RuledVersion } from '../mirror/policy/derivation.ts';
import { type RepositoryState, repositoryStates } from '../mirror/report/repository-state.ts';
import { printable } from './output.ts';
import { withMirror } from './with-mirror.ts';

/** Held versions named one by one; the rest are counted. `--json` has all. */
const HELD_SHOWN = 10;

/**
 * Resolves to the exit code: 1 when a repository was never published, its last sync failed, or the advisories cannot
 * be read.
 */
export async function status(config: Config, flags: { readonly json: boolean }): Promise<0 | 1> {
  const { repositories, advisories } = await withMirror(config, async ({ catalogue, clock }) => ({
    repositories: await repositoryStates({ config, catalogue, clock }),
    advisories: await feedState(catalogue, config),
  }));
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ repositories, advisories }, undefined, 2)}\n`
      : [...repositories.map(describe), ...(advisories === undefined ? [] : [describeFeed(advisories)])].join(
          '\n',
        ),
  );
  const stands = repositories.every((state) => state.ready && state.failure === undefined);
  return stands && advisories?.failure === undefined ? 0 : 1;
}

function describe(state: RepositoryState): string {
  const lines = [
    `${state.name}`,
    state.sources === undefined
      ? `  upstream   ${state.upstream} (${state.dialect})`
      : `  made of    ${state.sources.join(', ')}`,
    state.snapshot === undefined
      ? '  snapshot   none yet'
      : `  snapshot   ${state.snapshot}, published ${state.publishedAt}`,
  ];
  if (state.commit !== undefined) lines.push(`  commit     ${state.commit}`);
  if (state.versions !== undefined)
    lines.push(
      `  content    ${state.versions} versions of ${state.packages} packages, ${state.archives} archives`,
    );
  if (state.freshness !== undefined)
    lines.push(
      `  freshness  ${state.freshness === 'stale' ? 'STALE' : state.freshness}${state.signedAt === undefined ? '' : `, signed ${state.signedAt}`}`,
    );
  if (state.root !== undefined)
    lines.push(
      `  root       of ${state.root.date}, ${state.root.quorum} of ${state.root.fingerprints.join(', ')}`,
    );
  for (const warning of state.warnings ?? []) lines.push(`  WARNING    ${warning}`);
  if (state.syncedAt !== undefined) lines.push(`  synced     ${state.syncedAt}`);
  if (state.failure !== undefined)
    lines.push(`  failed     ${state.attemptedAt}: ${state.failure.message} [${state.failure.code}]`);
  lines.push(...policyLines(state));
  return `${lines.join('\n')}\n`;
}

function policyLines({
  held,
  keptBack,
  warned,
  removed,
  waiting,
  denials,
}: RepositoryState): readonly string[] {
  const lines: string[] = [];
  if ((held?.length ?? 0) > 0) {
    const wait = (waiting ?? 0) === 0 ? '' : `, ${waiting} of them waiting for min_age`;
    lines.push(`  held       ${held?.length} versions${wait}`, ...firstVersions(held));
  }
  if ((keptBack?.length ?? 0) > 0)
    lines.push(
      `  kept back  ${keptBack?.length} versions in their last good form`,
      ...firstVersions(keptBack),
    );
  const counts = Object.entries(warned?.counts ?? {});
  if (counts.length > 0)
    lines.push(
      `  warned     ${counts.map(([rule, count]) => `${count} ${rule}`).join(', ')}`,
      ...firstVersions(warned?.first),
    );
  if ((removed ?? 0) > 0) lines.push(`  removed    ${removed} versions upstream, and still served`);
  if ((denials ?? 0) > 0) lines.push(`  denied     ${denials} denials in force; serai hold list shows them`);
  return lines;
}

function firstVersions(versions: readonly RuledVersion[] = []): readonly string[] {
  return versions
    .slice(0, HELD_SHOWN)
    .map(({ version, rule, reason }) => `    ${version}: ${rule}: ${printable(reason)}`);
}

function describeFeed({ source, documents, fetchedAt, problems, failure }: FeedState): string {
  const lines = [
    'advisories',
    `  source     ${source}`,
    `  in force   ${documents} documents, read ${fetchedAt ?? 'never yet'}`,
  ];
  if (failure !== undefined)
    lines.push(`  FAILED     since ${failure.since}: ${printable(failure.message)} [${failure.code}]`);
  if (problems.length > 0) lines.push(`  problems   ${problems.length}`);
  lines.push(...problems.slice(0, HELD_SHOWN).map((problem) => `    ${printable(problem)}`));
  return `${lines.join('\n')}\n`;
}
