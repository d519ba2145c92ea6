/** Where the figures come from: the machine, and the versions of everything that was measured. */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { z } from 'zod';

export const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number(),
  /** GiB. */
  memory: z.number(),
  system: z.string(),
  /** The load average of the last minute before the run: above 0.5 or so, somebody else was at work. */
  load: z.number(),
});

export type Machine = z.infer<typeof machineSchema>;

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: Math.round(totalmem() / 2 ** 30),
    system: `Linux ${release()} ${process.arch}`,
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

const ASKED: Readonly<Record<string, readonly string[]>> = {
  nginx: ['nginx', '-v'],
  varnish: ['varnishd', '-V'],
  wrk: ['wrk', '-v'],
  opam: ['opam', '--version'],
  git: ['git', '--version'],
  curl: ['curl', '--version'],
};

/** Of each program that is installed, the first thing it prints that looks like a version. */
export function findVersions(): Record<string, string> {
  const versions: Record<string, string> = { node: process.versions.node };
  for (const [name, [command = '', ...args]] of Object.entries(ASKED)) {
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    const version = /[0-9]+\.[0-9]+(\.[0-9]+)?/.exec(`${stdout}${stderr}`)?.[0];
    if (version !== undefined) versions[name] = version;
  }
  return versions;
}
