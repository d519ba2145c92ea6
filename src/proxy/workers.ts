/** The primary process's end of its workers: starts them, answers what they ask, and replaces one that dies. */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { asSeraiError, reasonOf, SeraiError } from '../errors.ts';
import type { Mirror } from '../mirror/mirror.ts';
import { errorOf, failureOf, type Obtain, parseToPrimary, type ToWorker } from './worker-messages.ts';

/** Beside this file, in a checkout and in the package. */
const WORKER = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

/** Milliseconds before a worker that died is started anew; doubled with each further death, up to the last. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 30_000;

/** A worker that lived for so many milliseconds is no further death of one that cannot live. */
const LIVED = 60_000;

export interface WorkersOptions {
  readonly mirror: Pick<Mirror, 'config' | 'clock' | 'archives'>;
  readonly log: Logger;
}

export class Workers {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #archives: Mirror['archives'];
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #alive = new Set<Worker>();

  constructor({ mirror: { config, clock, archives }, log }: WorkersOptions) {
    this.#config = config;
    this.#clock = clock;
    this.#archives = archives;
    this.#log = log;
  }

  /** Resolves with the address when all listen; throws what the first one says that cannot, when all have ended. */
  async start(): Promise<string> {
    // The workers accept from one socket themselves. Connections that the primary process hands out (SCHED_RR) came to
    // 9,300 requests in 2 seconds where each has its own connection, as opam's have; these to 22,600 (bench's machine).
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: fileURLToPath(WORKER), args: [] });
    const starts = Array.from({ length: this.#config.workers }, () => this.#keepRunning());
    try {
      const [address = ''] = await Promise.all(starts);
      return address;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Lets all of them drain; resolves when they have ended. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const worker of this.#alive) tell(worker, { kind: 'drain' });
    await Promise.all(this.#running);
  }

  /** Runs one worker after the other until it is stopped. The address that the first of them listens at. */
  #keepRunning(): Promise<string> {
    const first = Promise.withResolvers<string>();
    const running = this.#run(first).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return first.promise;
  }

  async #run(first: PromiseWithResolvers<string>): Promise<void> {
    const { signal } = this.#stopped;
    let wait = FIRST_WAIT;
    let listened = false;
    while (!signal.aborted) {
      const begun = this.#clock.now();
      const { worker, listening, ended } = this.#fork();
      listening.then(
        (address) => {
          listened = true;
          first.resolve(address);
        },
        (error: unknown) => {
          if (listened) this.#log.error({ worker: worker.process.pid, err: error }, reasonOf(error));
          else first.reject(error);
        },
      );
      const how = await ended;
      // What cannot even begin is told to whoever started the server, and not tried again.
      if (signal.aborted || !listened) break;
      wait = this.#clock.now() - begun > LIVED ? FIRST_WAIT : Math.min(wait * 2, LONGEST_WAIT);
      this.#log.error(
        { worker: worker.process.pid, ...how },
        `a worker died; another one starts in ${wait} ms`,
      );
      await this.#clock.sleep(wait, signal).catch(() => undefined);
    }
    first.reject(new SeraiError('aborted', 'the server was told to stop before it listened'));
  }

  #fork(): Forked {
    const worker = cluster.fork();
    this.#alive.add(worker);
    const listening = Promise.withResolvers<string>();
    worker.on('message', (received: unknown) => {
      const message = parseToPrimary(received);
      switch (message.kind) {
        case 'ready':
          tell(
            worker,
            this.#stopped.signal.aborted ? { kind: 'drain' } : { kind: 'start', config: this.#config },
          );
          break;
        case 'listening':
          listening.resolve(message.address);
          break;
        case 'refused':
          listening.reject(errorOf(message.failure));
          break;
        case 'obtain':
          void this.#obtain(message).then((answer) => tell(worker, answer));
          break;
        case 'report': {
          const error = errorOf(message.failure);
          this.#log.error({ worker: worker.process.pid, err: error }, error.message);
          break;
        }
      }
    });
    // A message to one that just died; its end is told by `exit`.
    worker.on('error', () => undefined);
    const ended = once(worker, 'exit').then(([code, signal]: unknown[]) => {
      this.#alive.delete(worker);
      const error = new SeraiError(
        'internal',
        'a worker ended before it listened; standard error tells more',
      );
      listening.reject(error);
      return { code, signal };
    });
    return { worker, listening: listening.promise, ended };
  }

  /** What is listed is looked up here: it may have been withdrawn since the worker did. */
  async #obtain({ request, repository, archive, checksum }: Obtain): Promise<ToWorker> {
    try {
      const listed = await this.#archives.listed(repository, checksum);
      const { blob, measured = false } = await this.#archives.obtain(
        repository,
        listed.filter(({ id }) => id === archive),
      );
      return { kind: 'obtained', request, blob, measured };
    } catch (error) {
      const failure = failureOf(asSeraiError(error, 'internal', 'obtaining an archive'));
      return { kind: 'not-obtained', request, failure };
    }
  }
}

interface Forked {
  readonly worker: Worker;
  /** Rejects when it ends before. */
  readonly listening: Promise<string>;
  readonly ended: Promise<{ readonly code: unknown; readonly signal: unknown }>;
}

function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message);
}
