/** What the parts need of the machine, and how a person installs it. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { PACKAGES, type PartEntry, type Program } from '../parts.ts';
import { realData } from '../real-index.ts';

/** Why the part cannot run here; undefined when it can. */
export function whyNot({ needs, data = [] }: PartEntry): string | undefined {
  const absent = data.find((name) => !existsSync(realData(name)));
  if (absent !== undefined) return `${realData(absent)} is not there`;
  if (process.platform !== 'linux') return 'CPU time and memory are read from /proc, which only Linux has';
  const missing = needs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return undefined;
  const packages = missing.map((program) => PACKAGES[program]);
  return `${missing.join(' and ')} not found; install with: apt-get install ${packages.join(' ')}`;
}

/** Debian keeps servers in /usr/sbin, which is not in every user's PATH. */
export function isInstalled(program: Program): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
