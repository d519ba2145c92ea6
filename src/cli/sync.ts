/** `serai sync`: one sync of a repository or of all, and with `--archives` all of its archives. */
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { type PrefetchReport, prefetch } from '../mirror/archives/prefetch.ts';
import { type FeedState, feedState } from '../mirror/fetch/advisories.ts';
import { type Mirror, openMirror } from '../mirror/mirror.ts';
import { sourcesFirst } from '../mirror/sync/repository-order.ts';
import { RepositorySync, type SyncReport } from '../mirror/sync/sync.ts';
import { describeError, printable } from './output.ts';
import { createProgress } from './progress.ts';
import { requireRepository } from './with-mirror.ts';

/**
 * Threads for file operations while all archives are fetched: they wait for the disk, and those that wait together
 * share its work. libuv's usual 4 made 2,000 archives a fifth slower.
 */
const DISK_THREADS = 16;

/**
 * Milliseconds for which archives wait for one another to be kept together: nobody waits for a single one. Of 10 ms, as
 * where clients wait, 2,000 archives were a hundred transactions and 2,000 syncs of folders.
 */
const PATIENCE = 1000;

export interface SyncFlags {
  readonly archives: boolean;
  readonly json: boolean;
}

interface RepositoryResult {
  readonly repository: string;
  readonly sync?: SyncReport;
  readonly archives?: PrefetchReport;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Resolves to the exit code: 1 when a sync was refused or failed, or an archive could not be had. */
export async function sync(config: Config, repository: string | undefined, flags: SyncFlags): Promise<0 | 1> {
  requireRepository(config, repository);
  // Read by libuv when it first needs a thread.
  if (flags.archives) process.env.UV_THREADPOOL_SIZE ??= String(DISK_THREADS);
  const mirror = await openMirror(config, systemClock, flags.archives ? { patience: PATIENCE } : {});
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGTERM', interrupt);
  process.once('SIGINT', interrupt);
  try {
    const results: RepositoryResult[] = [];
    for (const name of repository === undefined ? sourcesFirst(config) : [repository])
      results.push(await syncOne(mirror, name, flags, interrupted.signal));
    const feed = await feedState(mirror.catalogue, config);
    if (feed?.failure !== undefined) process.stderr.write(`${describeFeedFailure(feed)}\n`);
    if (flags.json) process.stdout.write(`${JSON.stringify(results.map(plain), undefined, 2)}\n`);
    const failed = results.some(
      (result) => result.error !== undefined || (result.archives?.failed.length ?? 0) > 0,
    );
    return failed || interrupted.signal.aborted ? 1 : 0;
  } finally {
    process.removeListener('SIGTERM', interrupt);
    process.removeListener('SIGINT', interrupt);
    await mirror.close();
  }
}

async function syncOne(
  mirror: Mirror,
  repository: string,
  flags: SyncFlags,
  signal: AbortSignal,
): Promise<RepositoryResult> {
  const say = (line: string): void => {
    process.stderr.write(`${repository}: ${line}\n`);
  };
  let result: RepositoryResult = { repository };
  try {
    const report = await new RepositorySync({ ...mirror, repository }).run((stage) => say(stage), signal);
    result = { ...result, sync: report };
    say(describeSync(report));
  } catch (error) {
    if (!(error instanceof SeraiError)) throw error;
    process.stderr.write(`${describeError(error)}\n`);
    result = { ...result, error: { code: error.code, message: error.message } };
  }
  if (!flags.archives || signal.aborted) return result;
  const bar = createProgress(`${repository}: archives`, process.stderr);
  try {
    const archives = await prefetch({
      ...mirror,
      repository,
      signal,
      progress: (done, total) => bar.update(done, total),
    });
    bar.stop();
    for (const line of describeArchives(archives, signal.aborted)) say(line);
    return { ...result, archives };
  } finally {
    bar.stop();
  }
}

function describeSync(report: SyncReport): string {
  if (report.kind === 'not-modified') return 'the upstream has nothing new';
  const { summary } = report;
  const { packages, versions } = summary;
  const what = `${versions} versions of ${packages} packages as ${report.snapshot.id}`;
  const held = [
    ...(summary.held.length === 0 ? [] : [`${summary.held.length} held`]),
    ...(summary.keptBack.length === 0
      ? []
      : [`${summary.keptBack.length} kept back in their last good form`]),
  ];
  const without = held.length === 0 ? '' : `; ${held.join(', ')}, see serai hold list`;
  return `${report.kind === 'published' ? 'published' : 'up to date with'} ${what}${without}`;
}

/** The syncs go on without it, by the advisories that were read before. */
function describeFeedFailure({ source, documents, failure }: FeedState): string {
  return `serai: the advisories of ${source} cannot be read since ${failure?.since}: ${printable(failure?.message ?? '')} [${failure?.code}]; the ${documents} that were read before stay in force`;
}

function describeArchives(report: PrefetchReport, interrupted: boolean): string[] {
  const { total, present, fetched, failed } = report;
  const left = total - present - fetched - failed.length;
  const lines = [
    `${total} archives: ${present} were here, ${fetched} fetched, ${failed.length} could not be had`,
    ...failed.map(
      ({ archive, code, reason }) => `  ${archive} [${code}]\n    ${reason.replaceAll('\n', '\n    ')}`,
    ),
  ];
  if (interrupted) lines.push(`interrupted with ${left} left; the same command goes on from here`);
  return lines;
}

function plain(result: RepositoryResult): unknown {
  const { sync: report } = result;
  if (report === undefined || report.kind === 'not-modified') return result;
  const { kind, snapshot, summary } = report;
  // Upstream's own caches may carry the upstream's password.
  const { archiveMirrors: _, ...shown } = summary;
  return { ...result, sync: { kind, snapshot: snapshot.id, commit: snapshot.commit, ...shown } };
}
