/**
 * Watches one git command that talks to the outside, and ends it when it takes too long, when nothing moves
 * any more, or when it adds more to the disk than it may. git itself has no bound on the size of a pack.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { GitProcess } from './git-process.ts';

export type GitFetchLimits = Pick<Limits, 'git_fetch' | 'stall_timeout' | 'index_timeout'>;

/** What all commands of one fetch share: the bounds hold for them together. */
export interface GitBudget {
  readonly limits: GitFetchLimits;
  /** For messages: the upstream. */
  readonly what: string;
  /** The folder that packs arrive in; undefined before there is one. */
  readonly packs?: string;
  /** Bytes in `packs` at the beginning. */
  readonly sizeBefore: number;
  /** When all has to be done, by `performance.now()`. */
  readonly deadline: number;
}

interface PackFolder {
  readonly bytes: number;
  /** The packs that arrived in whole. */
  readonly finished: number;
}

/** Milliseconds between two looks at the folder: at 200 MB a second some 20 MB get past the limit. */
const LOOK_EVERY = 100;

/** What setTimeout can hold; beyond it, it fires at once. */
const LONGEST_TIMER = 2_147_483_647;

/** The other side can have git print as much as it likes (`remote: …`); progress alone is some 100 KiB. */
const MAX_MESSAGES = 8 * 1024 * 1024;

/** Watches until `stop`. `moved` is to be called whenever git prints, with the number of bytes. */
export class GitWatch {
  readonly #budget: GitBudget;
  #git: GitProcess | undefined;
  #lastMove = performance.now();
  #seen: PackFolder | undefined;
  #looking = false;
  #printed = 0;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(budget: GitBudget) {
    this.#budget = budget;
  }

  start(git: GitProcess): void {
    const { limits, deadline } = this.#budget;
    this.#git = git;
    this.#lastMove = performance.now();
    const every = Math.max(1, Math.min(LOOK_EVERY, limits.stall_timeout / 4));
    this.#timers.push(setInterval(() => void this.#look(), every));
    const left = Math.min(Math.max(0, deadline - performance.now()), LONGEST_TIMER);
    this.#timers.push(setTimeout(() => this.#endTooLong(), left));
    void this.#look();
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#git = undefined;
  }

  /**
   * The error for a command that failed by itself. The system ends git at a file of `git_fetch` bytes before we
   * may have looked, and git then says nothing of the reason; what it has written is still there.
   */
  async explain(failure: unknown): Promise<unknown> {
    const { packs, sizeBefore, limits } = this.#budget;
    if (packs === undefined || (await bytesInPacks(packs)) - sizeBefore < limits.git_fetch) return failure;
    return this.#tooLarge();
  }

  readonly moved = (printed: number): void => {
    this.#lastMove = performance.now();
    this.#printed += printed;
    if (this.#printed > MAX_MESSAGES) this.#endTooTalkative();
  };

  async #look(): Promise<void> {
    if (this.#looking || this.#git === undefined) return;
    this.#looking = true;
    const { packs, sizeBefore, limits } = this.#budget;
    const now = packs === undefined ? { bytes: 0, finished: 0 } : await lookInto(packs);
    this.#looking = false;
    const before = this.#seen ?? now;
    if (this.#seen === undefined || now.bytes !== before.bytes) this.#lastMove = performance.now();
    this.#seen = { bytes: now.bytes, finished: before.finished };
    if (now.bytes - sizeBefore > limits.git_fetch) this.#end(this.#tooLarge());
    // Once a pack is in, git checks on its own and in silence that nothing is missing; the deadline holds.
    const waiting = now.finished <= before.finished;
    if (waiting && performance.now() - this.#lastMove > limits.stall_timeout) this.#endStalled();
  }

  #tooLarge(): SeraiError {
    const { what, limits } = this.#budget;
    return new SeraiError(
      'limit-exceeded',
      `${what} sent more than git_fetch = ${limits.git_fetch} bytes; if that is right, raise limits.git_fetch in serai.toml`,
    );
  }

  #endTooTalkative(): void {
    const message = `${this.#budget.what} sent more than ${MAX_MESSAGES} bytes of messages; it is refused`;
    this.#end(new SeraiError('limit-exceeded', message));
  }

  #endStalled(): void {
    const { what, limits } = this.#budget;
    const message = `${what} sent nothing for ${limits.stall_timeout} ms (limits.stall_timeout); it is tried again at the next sync`;
    this.#end(new SeraiError('upstream-timeout', message));
  }

  #endTooLong(): void {
    const { what, limits } = this.#budget;
    const message = `${what}: the fetch took more than ${limits.index_timeout} ms (limits.index_timeout); it is tried again at the next sync`;
    this.#end(new SeraiError('upstream-timeout', message));
  }

  #end(reason: SeraiError): void {
    this.#git?.kill(reason);
    this.stop();
  }
}

/** The bytes of all files in a store's folder of packs. A file that goes away meanwhile counts nothing. */
export async function bytesInPacks(packs: string): Promise<number> {
  return (await lookInto(packs)).bytes;
}

async function lookInto(packs: string): Promise<PackFolder> {
  const names = await readdir(packs).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(packs, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return {
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    finished: names.filter((name) => name.endsWith('.pack')).length,
  };
}
