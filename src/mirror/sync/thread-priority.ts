/** How much of the processor the syncing thread takes from the one that answers clients. */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Of the 64 clients' requests that are answered while the real repository is synced, one in a hundred waits for the
 * syncing thread to be taken off a core: with this niceness it has a tenth of a thread's share where all cores are busy,
 * and all that it can use where one is idle.
 */
const NICENESS = 10;

/**
 * Gives way to the other threads of the process. On Linux a niceness is a thread's own, whatever POSIX says (setpriority
 * (2)), and what git processes it starts inherit it; elsewhere this does nothing.
 */
export function giveWay(): void {
  try {
    // `PID/task/TID` of whoever reads it (proc(5)).
    const thread = Number(/([0-9]+)$/.exec(readlinkSync('/proc/thread-self'))?.[1]);
    if (Number.isInteger(thread)) setPriority(thread, NICENESS);
  } catch {
    // Another system, or one that does not let us: then it shares the processor as any other.
  }
}
