/**
 * The two locks of a repository, between threads and processes: one for fetching, which may take long, and one for
 * publishing, which does not, so that a person's decision never waits for an upstream.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import { asSeraiError, SeraiError } from '../../errors.ts';
import { acquireLock } from '../../store/lock.ts';

export interface LockOptions {
  readonly config: Config;
  readonly repository: string;
  readonly clock: Clock;
}

/** Held for a whole sync. The result lets go of it. */
export function lockFetching(options: LockOptions, signal?: AbortSignal): Promise<() => void> {
  return lock(`${options.repository}.sqlite`, options, signal);
}

/** Held from the accepted tree to the published snapshot; taken with the other one or alone. */
export function lockPublishing(options: LockOptions, signal?: AbortSignal): Promise<() => void> {
  return lock(`${options.repository}.publishing.sqlite`, options, signal);
}

async function lock(
  name: string,
  { config, clock }: LockOptions,
  signal: AbortSignal | undefined,
): Promise<() => void> {
  const folder = join(config.data, 'locks');
  try {
    await mkdir(folder, { recursive: true });
    return await acquireLock(join(folder, name), config.limits.index_timeout, clock, signal);
  } catch (error) {
    if (signal?.aborted === true) throw new SeraiError('aborted', 'the sync was told to stop');
    throw asSeraiError(error, 'store-failed', `the lock ${join(folder, name)} cannot be taken`);
  }
}
