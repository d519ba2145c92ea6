/**
 * Reads objects through one `git cat-file --batch-command` process: questions are written ahead, answers come
 * back in the same order. Every object's size is known, or asked for, before its bytes are.
 *
 * cat-file gives an object's bytes as they are stored: no filter, no line-end conversion (git-cat-file).
 */
import { asSeraiError, SeraiError } from '../errors.ts';
import { type Answer, AnswerParser, type Batch, questionsOf } from './git-answers.ts';
import { gitFailure } from './git-failure.ts';
import { checkObjectId } from './git-id.ts';
import { type OpenGit, startGit } from './git-process.ts';

export interface GitObject {
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface ObjectInfo {
  readonly type: string;
  /** In bytes. */
  readonly size: number;
}

/** An object whose size is known already: a file of a tree, or one whose `info` was asked. */
export interface KnownObject {
  readonly oid: string;
  readonly size: number;
}

interface Running {
  readonly git: OpenGit;
  readonly answers: AnswerParser;
}

/** Asked at once: enough to keep git busy, little enough to hold twice in memory for each reader. */
const BATCH_OBJECTS = 256;
const BATCH_BYTES = 1024 * 1024;

export class ObjectReader {
  readonly #gitDir: string;
  readonly #signal: AbortSignal | undefined;
  #running: Running | undefined;
  #closed = false;

  constructor(gitDir: string, signal?: AbortSignal) {
    this.#gitDir = gitDir;
    this.#signal = signal;
  }

  /** Starts git, so that the first question need not wait for that. */
  start(): void {
    if (!this.#closed) this.#running ??= this.#start();
  }

  /** Types and sizes, in the order asked; undefined for an object that is not in the repository. */
  async infos(oids: readonly string[]): Promise<readonly (ObjectInfo | undefined)[]> {
    return this.#ask({ command: 'info', oids, sizes: [] });
  }

  /**
   * The objects in the order asked. Throws `store-corrupt` for one that is missing or not of the known size.
   * Ending the iteration early is fine: answers that nobody waits for are dropped.
   */
  async *objects(known: Iterable<KnownObject>): AsyncGenerator<GitObject, void, undefined> {
    let ahead: Promise<readonly GitObject[]> = Promise.resolve([]);
    for (const batch of batchesOf(known)) {
      const current = ahead;
      // One batch is read while git works at the next.
      ahead = this.#contents(batch);
      ahead.catch(() => {}); // thrown when its turn comes; nobody listens when the reader has left
      yield* await current;
    }
    yield* await ahead;
  }

  /** The process is ended. Reading afterwards is the caller's mistake. */
  async close(): Promise<void> {
    this.#closed = true;
    const git = this.#running?.git;
    git?.kill(new SeraiError('aborted', `reading of ${this.#gitDir} has ended: it was closed`));
    await git?.exited;
  }

  async #contents(known: readonly KnownObject[]): Promise<readonly GitObject[]> {
    const oids = known.map(({ oid }) => oid);
    const answers = await this.#ask({ command: 'contents', oids, sizes: known.map(({ size }) => size) });
    return answers.map((answer, index) => {
      if (answer !== undefined) return { type: answer.type, bytes: answer.bytes };
      throw new SeraiError('store-corrupt', `the object ${oids[index]} is missing in ${this.#gitDir}`);
    });
  }

  async #ask(batch: Batch): Promise<readonly (Answer | undefined)[]> {
    for (const oid of batch.oids) checkObjectId(oid);
    if (this.#closed) throw new SeraiError('aborted', `${this.#gitDir} is closed and can't be read any more`);
    this.#running ??= this.#start();
    const answers = this.#running.answers.expect(batch);
    this.#running.git.stdin.write(questionsOf(batch));
    return answers;
  }

  #start(): Running {
    const git = startGit({
      gitDir: this.#gitDir,
      args: ['cat-file', '--batch-command', '--buffer'],
      signal: this.#signal,
    });
    const running = { git, answers: new AnswerParser() };
    git.stdout.on('data', (piece: Buffer) => {
      try {
        running.answers.take(piece);
      } catch (error) {
        git.kill(asSeraiError(error, 'internal', 'reading the answers of git cat-file'));
      }
    });
    void git.exited.then((exit) => {
      // The next question starts another.
      if (this.#running === running) this.#running = undefined;
      running.answers.fail(gitFailure(exit, `reading objects of ${this.#gitDir}`));
    });
    return running;
  }
}

function* batchesOf(known: Iterable<KnownObject>): Generator<readonly KnownObject[], void, undefined> {
  let batch: KnownObject[] = [];
  let bytes = 0;
  for (const object of known) {
    if (batch.length >= BATCH_OBJECTS || (batch.length > 0 && bytes + object.size > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(object);
    bytes += object.size;
  }
  if (batch.length > 0) yield batch;
}
