/** The thread in which a server's repositories are synced, so that serving never waits for a sync. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { asSeraiError } from '../errors.ts';
import { openMirror } from './mirror.ts';
import { RepositorySync } from './sync.ts';
import type { ToMain, ToWorker } from './sync-thread.ts';

const port = parentPort;
if (port === null) throw new Error('sync-worker.ts is started as a worker thread only');

const config: Config = workerData;
const mirror = await openMirror(config, systemClock);
const syncs = new Map(
  Object.keys(mirror.config.repository).map((repository) => [
    repository,
    new RepositorySync({ ...mirror, repository }),
  ]),
);
const stop = new AbortController();
const running = new Set<Promise<void>>();
const send = (message: ToMain): void => port.postMessage(message);

async function run(repository: string): Promise<void> {
  try {
    const report = await syncs
      .get(repository)
      ?.run((stage) => send({ kind: 'stage', repository, stage }), stop.signal);
    if (report === undefined) return;
    if (report.kind === 'not-modified') send({ kind: 'done', repository, report });
    else {
      const { kind, snapshot, summary, counts } = report;
      send({ kind: 'done', repository, report: { kind, snapshot: snapshot.id, summary, counts } });
    }
  } catch (error) {
    const { code, message } = asSeraiError(error, 'internal', `syncing ${repository}`);
    send({ kind: 'failed', repository, code, message });
  }
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') {
    stop.abort();
    void Promise.allSettled(running)
      .then(() => mirror.close())
      .then(() => port.close());
    return;
  }
  const work = run(message.repository).finally(() => running.delete(work));
  running.add(work);
});
