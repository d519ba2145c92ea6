/**
 * Who owns a file in tmp/, so that a start sweeps what a killed process left and nothing that is being
 * written: several processes, and several threads of one, may share a store.
 */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemCode } from './file-errors.ts';
import type { FileSystem } from './file-system.ts';

export interface Owner {
  /** 8 hex digits for the host: a process id means nothing on another host or in another container. */
  readonly host: string;
  readonly pid: number;
  /** Milliseconds on the monotonic clock at which the process began; the same in all its threads. */
  readonly startedAt: number;
}

/** `startedAt` is computed anew by each thread, apart by the time between reading two clocks. */
const START_TOLERANCE = 250;

/** After this many milliseconds without a write, what another host left is taken for abandoned. */
const ABANDONED_AFTER = 24 * 3_600_000;

const NAME = /^([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,15})-[0-9a-f]{16}$/;

export function thisProcess(): Owner {
  const monotonic = Number(process.hrtime.bigint() / 1_000_000n);
  return {
    host: createHash('sha256').update(hostname()).digest('hex').slice(0, 8),
    pid: process.pid,
    startedAt: Math.max(0, Math.round(monotonic - process.uptime() * 1000)),
  };
}

/** Of this thread: others of the process have another one, drawn from 2^32. */
const THREAD = randomBytes(4).toString('hex');
let names = 0;

/** A name that no other thread, process or host picks; a file that is there is never written over anyway. */
export function temporaryName(owner: Owner): string {
  names = (names + 1) % 2 ** 32;
  const number = names.toString(16).padStart(8, '0');
  return `${owner.host}-${owner.pid}-${owner.startedAt}-${THREAD}${number}`;
}

/**
 * Removes the files in `folder` whose process is gone. `now` is in milliseconds since the epoch; a wrong
 * clock can at worst make another host's put fail, which then reports it and keeps nothing.
 */
export async function sweepTemporaryFiles(
  files: FileSystem,
  folder: string,
  owner: Owner,
  now: number,
): Promise<void> {
  for await (const name of files.names(folder)) {
    const path = join(folder, name);
    const status = await files.status(path);
    if (status?.isFile !== true) continue;
    const alive = isAlive(name, owner) ?? now - status.modifiedAt < ABANDONED_AFTER;
    if (!alive) await removeIfPossible(files, path);
  }
}

/** Undefined when it cannot be told from here. */
function isAlive(name: string, owner: Owner): boolean | undefined {
  const [, host, pidText, startText] = NAME.exec(name) ?? [];
  if (host !== owner.host) return undefined;
  const pid = Number(pidText);
  // In a container every start has the same process id.
  if (pid === owner.pid) return Math.abs(Number(startText) - owner.startedAt) <= START_TOLERANCE;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/** A leftover costs space and nothing else: on a disk that became read-only, what is kept is still served. */
async function removeIfPossible(files: FileSystem, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (!['EROFS', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
  }
}
