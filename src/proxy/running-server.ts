/** A mirror that listens and keeps its repositories synced. */
import type { Logger } from 'pino';
import { type Clock, systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { type Mirror, openMirror } from '../mirror/mirror.ts';
import { type SyncDone, SyncThread } from '../mirror/sync/sync-thread.ts';
import { startListening } from './listening.ts';
import { SyncLoops } from './sync-loops.ts';

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
  const clients = await startForClients(mirror, log).catch(async (error: unknown) => {
    await mirror.close();
    throw error;
  });
  log.info(`serving ${Object.keys(config.repository).join(', ')} on ${clients.address}`);

  const stopped = new AbortController();
  const thread = new SyncThread(config);
  const syncs = new SyncLoops({
    ...{ config, clock, log, catalogue: mirror.catalogue, signal: stopped.signal },
    sync: async (repository) => {
      const report = await thread.sync(repository);
      await clients.refresh(repository);
      return report;
    },
  });
  const loops = options.schedule ? syncs.start() : [];

  const stop = async (): Promise<void> => {
    stopped.abort();
    await Promise.all([clients.drain(), thread.stop(), ...loops]);
    await mirror.close();
  };
  return { address: clients.address, mirror, sync: (repository) => syncs.sync(repository), stop };
}

interface ForClients {
  readonly address: string;
  refresh(repository: string): Promise<void>;
  drain(): Promise<void>;
}

/** In this process, or in as many others as the configuration says. */
async function startForClients(mirror: Mirror, log: Logger): Promise<ForClients> {
  if (mirror.config.workers === 1)
    return startListening({
      mirror,
      report: (error) => log.error({ err: error }, error.message),
      serves: (repository, { snapshot, summary }) =>
        log.info(
          { repository, snapshot: snapshot.id },
          `serving ${summary.versions} versions of ${repository}`,
        ),
    });
  // Of no use to a server that does all in one process, which is to start fast.
  const { Workers } = await import('./workers.ts');
  const workers = new Workers({ mirror, log });
  const address = await workers.start();
  // Each worker asks the store before it answers, and looks at it every second.
  return { address, refresh: async () => {}, drain: () => workers.stop() };
}
