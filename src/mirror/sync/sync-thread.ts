/** The serving thread's end of the sync worker. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Config } from '../../config.ts';
import { asSeraiError, type ErrorCode, SeraiError } from '../../errors.ts';
import { SYNC_YOUNG_GENERATION_MIB } from '../../young-generation.ts';
import type { PlanCounts } from '../index/index-plan.ts';
import type { Summary } from '../report/summary.ts';

/** A sync's outcome, in what can be sent between threads. */
export type SyncDone =
  | { readonly kind: 'not-modified' }
  | {
      readonly kind: 'published' | 'unchanged';
      readonly snapshot: string;
      readonly summary: Summary;
      readonly counts: PlanCounts;
    };

/** Each sync has a number of its own: two of the same repository may be under way. */
export type ToWorker =
  | { readonly kind: 'sync'; readonly sync: number; readonly repository: string }
  | { readonly kind: 'stop' };

export type ToMain =
  | { readonly kind: 'done'; readonly sync: number; readonly report: SyncDone }
  | { readonly kind: 'failed'; readonly sync: number; readonly code: ErrorCode; readonly message: string };

interface Waiting {
  readonly resolve: (report: SyncDone) => void;
  readonly reject: (error: SeraiError) => void;
}

/** Beside this file, in a checkout and in the package. */
const WORKER = new URL(`./sync-worker${extname(import.meta.url)}`, import.meta.url);

export class SyncThread {
  readonly #config: Config;
  readonly #script: URL;
  #syncs = 0;
  #running: { readonly worker: Worker; readonly waiting: Map<number, Waiting> } | undefined;
  #stopped = false;

  /** `script` in place of the worker's own, for tests. */
  constructor(config: Config, script: URL = WORKER) {
    this.#config = config;
    this.#script = script;
  }

  /** Syncs in the worker; a worker that died is started anew with the next call. */
  sync(repository: string): Promise<SyncDone> {
    if (this.#stopped) return Promise.reject(new SeraiError('aborted', 'the sync thread was stopped'));
    this.#running ??= this.#start();
    const { worker, waiting } = this.#running;
    const sync = ++this.#syncs;
    return new Promise((resolve, reject) => {
      waiting.set(sync, { resolve, reject });
      worker.postMessage({ kind: 'sync', sync, repository } satisfies ToWorker);
    });
  }

  /** Ends what is under way, and takes on nothing more; resolves when the thread has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const worker = this.#running?.worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ kind: 'stop' } satisfies ToWorker);
    await ended;
  }

  #start(): { readonly worker: Worker; readonly waiting: Map<number, Waiting> } {
    const resourceLimits = { maxYoungGenerationSizeMb: SYNC_YOUNG_GENERATION_MIB };
    const worker = new Worker(this.#script, { workerData: this.#config, resourceLimits });
    const waiting = new Map<number, Waiting>();
    const failAll = (error: SeraiError): void => {
      // The next call needs another worker already when this one is still about to exit.
      if (this.#running?.worker === worker && !this.#stopped) this.#running = undefined;
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    worker.on('message', (message: ToMain) => {
      const caller = waiting.get(message.sync);
      waiting.delete(message.sync);
      if (message.kind === 'done') caller?.resolve(message.report);
      else caller?.reject(new SeraiError(message.code, message.message));
    });
    worker.on('error', (error) => failAll(asSeraiError(error, 'internal', 'the sync thread died')));
    worker.on('exit', () => {
      failAll(new SeraiError('aborted', 'the sync thread ended'));
      if (this.#running?.worker === worker) this.#running = undefined;
    });
    return { worker, waiting };
  }
}
