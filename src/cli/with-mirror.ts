/** What commands that work on a store have in common. */
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { type Mirror, openMirror } from '../mirror/mirror.ts';
import { requireData } from './config-file.ts';

/** Opens the store that is there, and closes it in the end. Throws `not-found` where there is none. */
export async function withMirror<Result>(
  config: Config,
  use: (mirror: Mirror) => Promise<Result>,
): Promise<Result> {
  requireData(config);
  const mirror = await openMirror(config, systemClock);
  try {
    return await use(mirror);
  } finally {
    await mirror.close();
  }
}

/** Throws `usage` for a repository that the configuration does not have. */
export function requireRepository(config: Config, repository: string | undefined): void {
  if (repository === undefined || config.repository[repository] !== undefined) return;
  const names = Object.keys(config.repository).join(', ');
  throw new SeraiError('usage', `there is no repository ${repository}; the configuration has ${names}`);
}

/** Throws `usage` for a reason that says nothing. */
export function requireReason(reason: string): string {
  const text = reason.trim();
  if (text !== '') return text;
  throw new SeraiError('usage', '--reason says nothing; whoever reads the log later will want to know why');
}

/** The first of many, and how many more there are. */
export function firstOf(all: readonly string[], shown: number): readonly string[] {
  const left = all.length - shown;
  return left <= 0 ? all : [...all.slice(0, shown), `and ${left} more`];
}
