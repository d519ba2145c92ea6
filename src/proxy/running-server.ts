/** A mirror that listens and keeps its repositories synced. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { type Clock, systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { reasonOf, SeraiError } from '../errors.ts';
import { type Mirror, openMirror } from '../mirror/mirror.ts';
import { type SyncDone, SyncThread } from '../mirror/sync/sync-thread.ts';
import { createMirrorServer } from './server.ts';
import { SyncLoops } from './sync-loops.ts';

/** How often what another process published is taken up while no client asks (see StoreWatch). */
const LOOK_MILLISECONDS = 1000;

export interface RunningServer {
  /** `http://HOST:PORT`. */
  readonly address: string;
  readonly mirror: Mirror;
  /** Syncs now, and the overlays made of it when it published; with the report of what it did itself. */
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
  const { server, drain } = createMirrorServer(mirror, (error) => log.error({ err: error }, error.message));
  const address = await listen(server, config.listen).catch(async (error: unknown) => {
    await mirror.close();
    throw error;
  });
  // A connection that cannot be accepted is lost, not the server.
  server.on('error', (error) => log.error({ err: error }, 'accepting a connection'));
  log.info(`serving ${repositories.join(', ')} on ${address}`);

  const stopped = new AbortController();
  const thread = new SyncThread(config);
  const syncs = new SyncLoops({
    ...{ config, clock, log, catalogue: mirror.catalogue, signal: stopped.signal },
    sync: async (repository) => {
      const report = await thread.sync(repository);
      await refresh(mirror, repository, log);
      return report;
    },
  });
  const loops = options.schedule ? syncs.start() : [];
  let look: Promise<void> | undefined;
  const looking = setInterval(() => {
    // One look at a time: reading a large index back may take longer than the pause between two.
    look ??= refreshAll(mirror, repositories, log).finally(() => {
      look = undefined;
    });
  }, LOOK_MILLISECONDS);

  const stop = async (): Promise<void> => {
    stopped.abort();
    clearInterval(looking);
    await Promise.all([drain(), thread.stop(), look, ...loops]);
    await mirror.close();
  };
  return { address, mirror, sync: (repository) => syncs.sync(repository), stop };
}

async function refreshAll(mirror: Mirror, repositories: readonly string[], log: Logger): Promise<void> {
  for (const repository of repositories) await refresh(mirror, repository, log);
}

async function refresh(mirror: Mirror, repository: string, log: Logger): Promise<void> {
  try {
    if (await mirror.served.refresh(repository)) {
      const { snapshot, summary } = mirror.served.current(repository) ?? {};
      log.info(
        { repository, snapshot: snapshot?.id },
        `serving ${summary?.versions} versions of ${repository}`,
      );
    }
  } catch (error) {
    log.error({ repository, err: error }, `reading the snapshot of ${repository}`);
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
