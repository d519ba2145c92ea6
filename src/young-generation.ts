/**
 * The part of the memory in which V8 makes objects. By default each thread's grows to 48 MiB while much of what is made
 * is kept, and none of that is given back: 70 MiB of a serving process under load, and as much of one that syncs. What is
 * small is collected more often and more cheaply: neither requests for each CPU-second nor the time of the first
 * publication of the real repository differed beyond what they differ by from run to run.
 */
import { setFlagsFromString } from 'node:v8';

/** Of a thread that syncs, in MiB: three semi-spaces of 1 (node:worker_threads, resourceLimits). */
export const SYNC_YOUNG_GENERATION_MIB = 3;

/**
 * Holds this thread's at the size it has. V8 reads the factor whenever it wants to grow one; the flags that name a size
 * are read before any program runs.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
