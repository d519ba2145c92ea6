/** A mirror that listens and keeps its repositories synced. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { type Clock, systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { reasonOf, SeraiError } from '../errors.ts';
import { type Mirror, openMirror } from '../mirror/mirror.ts';
import { keepSyncing } from '../mirror/schedule.ts';
import { type SyncDone, SyncThread } from '../mirror/sync-thread.ts';
import { createMirrorServer } from './server.ts';

/** How often the catalogue is asked for what another process published. */
const LOOK_MILLISECONDS = 1000;

export interface RunningServer {
  /** `http://HOST:PORT`. */
  readonly address: string;
  readonly mirror: Mirror;
  /** Syncs now; with the report of what it did. */
  sync(repository: string): Promise<SyncDone>;
  /** Drains: no new connections, answers under way end, syncs are ended. */
  stop(): Promise<void>;
}

/** Opens the store, listens, and keeps the repositories synced until it is stopped. */
export async function startServer(
  config: Config,
  log: Logger,
  options: { readonly schedule: boolean; readonly clock?: Clock } = { schedule: true },
): Promise<RunningServer> {
  const clock = options.clock ?? systemClock;
  const mirror = await openMirror(config, clock);
  const repositories = Object.keys(config.repository);
  await refreshAll(mirror, repositories, log);
  const { server, drain, forget } = createMirrorServer(mirror, (error) =>
    log.error({ err: error }, error.message),
  );
  const address = await listen(server, config.listen).catch(async (error: unknown) => {
    await mirror.close();
    throw error;
  });
  // A connection that cannot be accepted is lost, not the server.
  server.on('error', (error) => log.error({ err: error }, 'accepting a connection'));
  log.info(`serving ${repositories.join(', ')} on ${address}`);

  const stopped = new AbortController();
  const thread = new SyncThread(config);
  const sync = async (repository: string): Promise<SyncDone> => {
    const report = await thread.sync(repository);
    if (await refresh(mirror, repository, log)) forget();
    return report;
  };
  const loops = options.schedule
    ? repositories.map((repository) =>
        keepSyncing({
          interval: config.repository[repository]?.interval ?? 0,
          clock,
          random: Math.random,
          signal: stopped.signal,
          sync: () => sync(repository),
          succeeded: (report) =>
            log.info({ repository, kind: report.kind }, describeReport(repository, report)),
          failed: ({ code, message }, wait) =>
            log.error({ repository, code }, `${message}; next try in ${Math.round(wait / 1000)} s`),
        }),
      )
    : [];
  let look: Promise<void> | undefined;
  const looking = setInterval(() => {
    // One look at a time: reading a large index back may take longer than the pause between two.
    look ??= refreshAll(mirror, repositories, log)
      .then((news) => {
        if (news) forget();
      })
      .finally(() => {
        look = undefined;
      });
  }, LOOK_MILLISECONDS);

  const stop = async (): Promise<void> => {
    stopped.abort();
    clearInterval(looking);
    await Promise.all([drain(), thread.stop(), look, ...loops]);
    await mirror.close();
  };
  return { address, mirror, sync, stop };
}

/** True when one of them has a new snapshot. */
async function refreshAll(mirror: Mirror, repositories: readonly string[], log: Logger): Promise<boolean> {
  let news = false;
  for (const repository of repositories) news = (await refresh(mirror, repository, log)) || news;
  return news;
}

async function refresh(mirror: Mirror, repository: string, log: Logger): Promise<boolean> {
  try {
    const news = await mirror.served.refresh(repository);
    if (news) {
      const { snapshot, summary } = mirror.served.current(repository) ?? {};
      log.info(
        { repository, snapshot: snapshot?.id },
        `serving ${summary?.versions} versions of ${repository}`,
      );
    }
    return news;
  } catch (error) {
    log.error({ repository, err: error }, `reading the snapshot of ${repository}`);
    return false;
  }
}

function describeReport(repository: string, report: SyncDone): string {
  switch (report.kind) {
    case 'not-modified':
      return `synced ${repository}: the upstream has nothing new`;
    case 'unchanged':
      return `synced ${repository}: what is served is up to date`;
    case 'published':
      return `synced ${repository}: published ${report.summary.versions} versions as ${report.snapshot.slice(0, 16)}…`;
  }
}

/** What a person can do about it. */
function whyNot(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return 'another program is there; end it, or choose another port with --listen';
  if (code === 'EACCES') return 'this user may not; choose a port above 1023 with --listen';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return 'this machine has no such address; see --listen';
  return reasonOf(error);
}

function listen(server: Server, listenAt: string): Promise<string> {
  const colon = listenAt.lastIndexOf(':');
  const host = listenAt.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(listenAt.slice(colon + 1));
  return new Promise((resolve, reject) => {
    const refused = (error: unknown): void => {
      reject(new SeraiError('usage', `cannot listen on ${listenAt}: ${whyNot(error)}`, { cause: error }));
    };
    server.once('error', refused);
    const listening = (): void => {
      server.removeListener('error', refused);
      const bound = server.address() as AddressInfo;
      resolve(`http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`);
    };
    try {
      server.listen(port, host, listening);
    } catch (error) {
      // A port above 65535.
      refused(error);
    }
  });
}
