/** The thread in which a server's repositories are synced, so that serving never waits for a sync. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import { asSeraiError } from '../../errors.ts';
import { type Mirror, openMirror } from '../mirror.ts';
import { RepositorySync, type SyncReport } from './sync.ts';
import type { SyncDone, ToMain, ToWorker } from './sync-thread.ts';
import { giveWay } from './thread-priority.ts';

const port = parentPort;
if (port === null) throw new Error('sync-worker.ts is started as a worker thread only');

giveWay();
const config: Config = workerData;
const syncs = new Map<string, RepositorySync>();
const stop = new AbortController();
const running = new Set<Promise<void>>();
const send = (message: ToMain): void => port.postMessage(message);
let opened: Promise<Mirror> | undefined;

/** A store that could not be opened is tried again with the next sync. */
function open(): Promise<Mirror> {
  opened ??= openMirror(config, systemClock).catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

/** Kept between syncs, with what it knows of the files. */
async function syncOf(repository: string): Promise<RepositorySync> {
  const mirror = await open();
  const known = syncs.get(repository);
  if (known !== undefined) return known;
  const sync = new RepositorySync({ ...mirror, repository });
  syncs.set(repository, sync);
  return sync;
}

async function run(sync: number, repository: string): Promise<void> {
  try {
    const report = await (await syncOf(repository)).run(() => {}, stop.signal);
    send({ kind: 'done', sync, report: sendable(report) });
  } catch (error) {
    const { code, message } = asSeraiError(error, 'internal', `syncing ${repository}`);
    send({ kind: 'failed', sync, code, message });
  }
}

function sendable(report: SyncReport): SyncDone {
  if (report.kind === 'not-modified') return report;
  const { kind, snapshot, summary, counts } = report;
  return { kind, snapshot: snapshot.id, summary, counts };
}

async function end(): Promise<void> {
  stop.abort();
  await Promise.allSettled(running);
  await (await opened?.catch(() => undefined))?.close();
  port?.close();
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') {
    void end();
    return;
  }
  const work = run(message.sync, message.repository).finally(() => running.delete(work));
  running.add(work);
});
