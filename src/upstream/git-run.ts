/** The ways in which a git command is used: its output in whole, in pieces, or its exit code only. */
import { asSeraiError, SeraiError } from '../errors.ts';
import { gitFailure } from './git-failure.ts';
import { type GitCommand, type GitProcess, startEnded } from './git-process.ts';

const KiB = 1024;
const SMALL_OUTPUT = 64 * KiB;

export interface OutputBound {
  /** For messages: what git was asked to do. */
  readonly what: string;
  /** Bytes of output at most; more is `limit-exceeded`. */
  readonly maxBytes?: number;
}

/** As `runGit`; undefined for exit code 1, with which git says that there is no such thing. */
export async function findGit(command: GitCommand, bound: OutputBound): Promise<Buffer | undefined> {
  const git = startEnded(command);
  try {
    return await collectGit(git, bound);
  } catch (error) {
    const { code, reason } = await git.exited;
    if (code === 1 && reason === undefined) return undefined;
    throw error;
  }
}

/** All of git's output. Throws what `gitFailure` makes of an exit code other than 0. */
export async function runGit(command: GitCommand, bound: OutputBound): Promise<Buffer> {
  return collectGit(startEnded(command), bound);
}

/** As `runGit`, for a process that is running already (and perhaps watched). */
export async function collectGit(
  git: GitProcess,
  { what, maxBytes = SMALL_OUTPUT }: OutputBound,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of streamOf(git, what)) {
    size += piece.length;
    if (size > maxBytes) {
      throw new SeraiError(
        'limit-exceeded',
        `${what}: git's answer has more than ${maxBytes} bytes; it is refused`,
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

/** git's output piece by piece, as fast as it is read. Ending the iteration early ends git. */
export function streamGit(command: GitCommand, what: string): AsyncGenerator<Buffer, void, undefined> {
  return streamOf(startEnded(command), what);
}

/** As `streamGit`, for a process that is running already (and perhaps being written to). */
export async function* streamOf(git: GitProcess, what: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    let broken: unknown;
    try {
      for await (const piece of git.stdout) yield piece;
    } catch (error) {
      // Mostly `kill` destroyed it; then the exit knows the reason.
      broken = error;
    }
    const exit = await git.exited;
    if (exit.code !== 0 || exit.reason !== undefined) throw gitFailure(exit, what);
    if (broken !== undefined) throw asSeraiError(broken, 'git-failed', `${what}: git's answer broke off`);
  } finally {
    git.kill();
    await git.exited;
  }
}

/** True for exit code 0, false for 1, as `merge-base --is-ancestor` answers; anything else throws. */
export async function askGit(command: GitCommand, what: string): Promise<boolean> {
  const git = startEnded(command);
  git.stdout.resume();
  const exit = await git.exited;
  if (exit.reason === undefined && exit.code === 0) return true;
  if (exit.reason === undefined && exit.code === 1) return false;
  throw gitFailure(exit, what);
}
