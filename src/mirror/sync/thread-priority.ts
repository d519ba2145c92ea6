/** How much of the processor the syncing thread takes from the one that answers clients. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * Added to the niceness of the thread that answers. Of the 64 clients' requests that are answered while the real
 * repository is synced, one in a hundred waits for the syncing thread to be taken off a core: with this it has a tenth of
 * a thread's share where all cores are busy, and all that it can use where one is idle.
 */
const NICENESS = 10;

/** The greatest that there is. */
const LAST = 19;

/**
 * Threads in which V8 collects the garbage of all threads of the process. What a sync leaves is most of it: of the time
 * that a busy server waited for a core during a sync, a third was theirs, and the load generator waited for them as long
 * as for the sync itself (perf sched).
 */
const COLLECTORS = 'V8Worker';

/**
 * Gives way to the thread that answers. On Linux a niceness is a thread's own, whatever POSIX says (setpriority (2)), and
 * what git processes it starts inherit it; elsewhere this does nothing.
 */
export function giveWay(): void {
  try {
    // The first thread has the number of its process.
    const niceness = Math.min(LAST, getPriority(process.pid) + NICENESS);
    // `PID/task/TID` of whoever reads it (proc(5)).
    const own = /([0-9]+)$/.exec(readlinkSync('/proc/thread-self'))?.[1];
    for (const thread of readdirSync('/proc/self/task'))
      if (thread === own || nameOf(thread) === COLLECTORS) setPriority(Number(thread), niceness);
  } catch {
    // Another system, or one that does not let us: then it shares the processor as any other.
  }
}

function nameOf(thread: string): string | undefined {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trim();
  } catch {
    // It has ended.
    return undefined;
  }
}
