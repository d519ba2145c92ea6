/**
 * A process that answers clients, one of several over the same store. It downloads nothing: what is missing it asks the
 * primary process for, which has one download for however many workers and clients ask.
 */
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { asSeraiError, type SeraiError } from '../errors.ts';
import type { FoundArchive } from '../mirror/archives/found-archive.ts';
import { type Mirror, openMirror } from '../mirror/mirror.ts';
import type { ListedArchive } from '../store/catalogue.ts';
import { type Listening, startListening } from './listening.ts';
import { errorOf, failureOf, parseToWorker, type ToPrimary } from './worker-messages.ts';

interface Waiting {
  readonly resolve: (found: FoundArchive) => void;
  readonly reject: (error: SeraiError) => void;
}

const waiting = new Map<number, Waiting>();
let requests = 0;
let started: Promise<{ readonly mirror: Mirror; readonly listening: Listening }> | undefined;

function send(message: ToPrimary): void {
  // A primary that is gone takes this process with it (node:cluster).
  if (process.connected) process.send?.(message);
}

function report(error: SeraiError): void {
  send({ kind: 'report', failure: failureOf(error) });
}

function obtain(repository: string, archive: ListedArchive): Promise<FoundArchive> {
  const [checksum] = archive.checksums;
  const request = ++requests;
  return new Promise((resolve, reject) => {
    if (checksum === undefined) throw new Error(`archive ${archive.id} has no checksum`);
    waiting.set(request, { resolve, reject });
    send({ kind: 'obtain', request, repository, archive: archive.id, checksum });
  });
}

/** Takes who waits for the answer to a request. */
function take(request: number): Waiting | undefined {
  const one = waiting.get(request);
  waiting.delete(request);
  return one;
}

async function start(config: Config): Promise<{ readonly mirror: Mirror; readonly listening: Listening }> {
  const mirror = await openMirror(config, systemClock, { elsewhere: obtain });
  const listening = await startListening({ mirror, report, serves: () => {} });
  send({ kind: 'listening', address: listening.address });
  return { mirror, listening };
}

function refuse(error: unknown): void {
  const failure = failureOf(asSeraiError(error, 'internal', 'starting'));
  process.send?.({ kind: 'refused', failure } satisfies ToPrimary, () => process.exit(1));
}

/** Answers under way may still wait for downloads, so the primary process ends after its workers. */
async function drain(): Promise<void> {
  const running = await started?.catch(() => undefined);
  await running?.listening.drain();
  await running?.mirror.close();
  process.exit(0);
}

process.on('message', (received: unknown) => {
  const message = parseToWorker(received);
  switch (message.kind) {
    case 'start':
      started = start(message.config);
      started.catch(refuse);
      break;
    case 'obtained':
      take(message.request)?.resolve({ blob: message.blob, measured: message.measured, fetched: true });
      break;
    case 'not-obtained':
      take(message.request)?.reject(errorOf(message.failure));
      break;
    case 'drain':
      void drain();
      break;
  }
});
// A terminal and a supervisor tell every process of a group; the primary tells its workers when to drain.
process.on('SIGTERM', () => undefined);
process.on('SIGINT', () => undefined);
send({ kind: 'ready' });
