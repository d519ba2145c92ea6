/** The serving thread's end of the sync worker. */
import { Worker } from 'node:worker_threads';
import type { Config } from '../config.ts';
import { asSeraiError, type ErrorCode, SeraiError } from '../errors.ts';
import type { PlanCounts } from './index-plan.ts';
import type { Summary } from './summary.ts';
import type { SyncStage } from './sync.ts';

/** A sync's outcome, in what can be sent between threads. */
export type SyncDone =
  | { readonly kind: 'not-modified' }
  | {
      readonly kind: 'published' | 'unchanged';
      readonly snapshot: string;
      readonly summary: Summary;
      readonly counts: PlanCounts;
    };

export type ToWorker = { readonly kind: 'sync'; readonly repository: string } | { readonly kind: 'stop' };

export type ToMain =
  | { readonly kind: 'stage'; readonly repository: string; readonly stage: SyncStage }
  | { readonly kind: 'done'; readonly repository: string; readonly report: SyncDone }
  | {
      readonly kind: 'failed';
      readonly repository: string;
      readonly code: ErrorCode;
      readonly message: string;
    };

interface Waiting {
  readonly resolve: (report: SyncDone) => void;
  readonly reject: (error: SeraiError) => void;
}

// Beside this file, in TypeScript in a checkout and compiled in the package.
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './sync-worker.ts' : './sync-worker.js',
  import.meta.url,
);

export class SyncThread {
  readonly #config: Config;
  readonly #waiting = new Map<string, Waiting>();
  #worker: Worker | undefined;

  constructor(config: Config) {
    this.#config = config;
  }

  /** Syncs in the worker; a worker that died is started anew with the next call. */
  sync(repository: string): Promise<SyncDone> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(repository, { resolve, reject });
      this.#start().postMessage({ kind: 'sync', repository } satisfies ToWorker);
    });
  }

  /** Ends what is under way; resolves when the thread has ended. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ kind: 'stop' } satisfies ToWorker);
    await ended;
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(WORKER, { workerData: this.#config });
    worker.on('message', (message: ToMain) => this.#receive(message));
    worker.on('error', (error) => this.#failAll(asSeraiError(error, 'internal', 'the sync thread')));
    worker.on('exit', () => {
      this.#worker = undefined;
      this.#failAll(new SeraiError('aborted', 'the sync thread ended'));
    });
    this.#worker = worker;
    return worker;
  }

  #receive(message: ToMain): void {
    if (message.kind === 'stage') return;
    const waiting = this.#waiting.get(message.repository);
    this.#waiting.delete(message.repository);
    if (message.kind === 'done') waiting?.resolve(message.report);
    else waiting?.reject(new SeraiError(message.code, message.message));
  }

  #failAll(error: SeraiError): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
