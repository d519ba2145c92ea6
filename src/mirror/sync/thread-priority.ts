/** How much of the processor the syncing thread takes from the one that answers clients. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * The greatest niceness that there is, and the syncing thread's own. Of the 64 clients' requests that are answered while
 * the real repository is synced, one in a hundred waits for the syncing thread to be taken off a core: with 10 in its
 * place that took 2.2 to 4 times as long as without a sync, and with this 1.4 to 1.7. Where all cores are busy a sync
 * has a seventieth of one then, and takes twice as long; where one is idle it has all of that.
 */
const LAST = 19;

/**
 * Threads in which V8 collects the garbage of all threads of the process. What a sync leaves is most of it: of the time
 * that a busy server waited for a core during a sync, a third was theirs, and the load generator waited for them as long
 * as for the sync itself (perf sched). The thread that answers waits for them too, so that they give way a little only.
 */
const COLLECTORS = 'V8Worker';
const COLLECTORS_NICENESS = 5;

/**
 * Gives way to the thread that answers. On Linux a niceness is a thread's own, whatever POSIX says (setpriority (2)), and
 * what git processes it starts inherit it; elsewhere this does nothing.
 */
export function giveWay(): void {
  try {
    // The first thread has the number of its process.
    const ofCollectors = Math.min(LAST, getPriority(process.pid) + COLLECTORS_NICENESS);
    // `PID/task/TID` of whoever reads it (proc(5)).
    const own = /([0-9]+)$/.exec(readlinkSync('/proc/thread-self'))?.[1];
    if (own !== undefined) setPriority(Number(own), LAST);
    for (const thread of readdirSync('/proc/self/task'))
      if (nameOf(thread) === COLLECTORS) setPriority(Number(thread), ofCollectors);
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
