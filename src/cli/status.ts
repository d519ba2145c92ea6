/** `serai status`: how each repository stands, read from the store; a server may be running or not. */
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { openMirror } from '../mirror/mirror.ts';
import { type RepositoryState, repositoryStates } from '../mirror/repository-state.ts';
import { requireData } from './config-file.ts';

/** Held versions named one by one; the rest are counted. `--json` has all. */
const HELD_SHOWN = 10;

/** Resolves to the exit code: 1 when a repository was never published or its last sync failed. */
export async function status(config: Config, flags: { readonly json: boolean }): Promise<0 | 1> {
  requireData(config);
  const mirror = await openMirror(config, systemClock);
  try {
    const states = await repositoryStates({ config, catalogue: mirror.catalogue, clock: mirror.clock });
    process.stdout.write(
      flags.json
        ? `${JSON.stringify({ repositories: states }, undefined, 2)}\n`
        : states.map(describe).join('\n'),
    );
    return states.every((state) => state.ready && state.failure === undefined) ? 0 : 1;
  } finally {
    await mirror.close();
  }
}

function describe(state: RepositoryState): string {
  const lines = [
    `${state.name}`,
    `  upstream   ${state.upstream} (${state.dialect})`,
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
  const held = state.held ?? [];
  if (held.length > 0) lines.push(`  held       ${held.length} versions`);
  for (const { version, reason } of held.slice(0, HELD_SHOWN)) lines.push(`    ${version}: ${reason}`);
  return `${lines.join('\n')}\n`;
}
