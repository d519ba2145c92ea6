/** What the kernel knows of processes: their CPU time and memory, children included (proc(5)). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** USER_HZ, the unit of times in /proc, which is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Positions behind the command's closing bracket in /proc/PID/stat. */
const PARENT = 1;
const TIMES = { own: [11, 12], endedChildren: [13, 14] } as const;

function statOf(pid: number | 'self'): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    // It has ended.
    return undefined;
  }
}

function secondsIn(stat: readonly string[] | undefined, fields: readonly number[]): number {
  return fields.reduce((sum, field) => sum + Number(stat?.[field] ?? 0), 0) / TICKS_PER_SECOND;
}

/** The process, its children, and theirs. */
export function processTree(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const parent = Number(statOf(Number(name))?.[PARENT]);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [Number(name)]);
    else siblings.push(Number(name));
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** CPU-seconds of the whole tree so far, of children that ended too. */
export function cpuOf(root: number): number {
  return processTree(root).reduce((sum, pid) => {
    const stat = statOf(pid);
    return sum + secondsIn(stat, TIMES.own) + secondsIn(stat, TIMES.endedChildren);
  }, 0);
}

/** CPU-seconds so far of each process of the tree that runs. */
export function cpuByProcess(root: number): ReadonlyMap<number, number> {
  return new Map(processTree(root).map((pid) => [pid, secondsIn(statOf(pid), TIMES.own)]));
}

/** CPU-seconds of all children of this process that ended, and of theirs. */
export function cpuOfEndedChildren(): number {
  return secondsIn(statOf('self'), TIMES.endedChildren);
}

/** Bytes resident at the peak: of each process of the tree, added up. */
export function peakOf(root: number): number {
  return processTree(root).reduce((sum, pid) => sum + peakOfOne(pid), 0);
}

/** Bytes resident at the peak of one process; 0 when it has ended. */
export function peakOfOne(pid: number): number {
  return statusBytes(pid, 'VmHWM');
}

/** Bytes resident now. */
export function residentOf(pid: number): number {
  return statusBytes(pid, 'VmRSS');
}

function statusBytes(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(new RegExp(`^${field}:\\s*([0-9]+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Lets the peak of every process of the tree begin anew at what is resident now. */
export function resetPeak(root: number): void {
  for (const pid of processTree(root)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // It has ended, or is another user's: then its peak is the one since its start.
    }
  }
}

/** The cores that this process may run on, by the kernel's numbers. */
export function ownCores(): readonly number[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const [, list = '0'] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
