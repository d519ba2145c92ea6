/** Load by wrk, and what it cost the server. */
import { writeFileSync } from 'node:fs';
import type { Figure } from '../report.ts';
import type { Bench } from './bench.ts';
import { cpuByProcess, cpuOf, peakOf, resetPeak } from './proc.ts';

export interface Load {
  readonly connections: number;
  readonly seconds: number;
  /** A Lua script that chooses paths, in a file. */
  readonly script?: string;
}

export interface Loaded {
  readonly requests: number;
  readonly perSecond: number;
  /** Milliseconds; the latency that 99 of 100 requests stayed below. */
  readonly p99: number;
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

/** One thread: the server is measured by its CPU-seconds, so the load need not be the most that there can be. */
export function wrkArguments(url: string, { connections, seconds, script }: Load): string[] {
  const chosen = script === undefined ? [] : ['--script', script];
  return [
    '--threads',
    '1',
    '--connections',
    String(connections),
    '--duration',
    `${seconds}s`,
    '--latency',
    // Of 12 MiB, one may wait behind fifteen others for longer than wrk's own 2 s; late is late, and no failure.
    '--timeout',
    '20s',
    ...chosen,
    url,
  ];
}

/** Throws when a request failed: a server is not fast that answers with errors. */
export function parseWrk(output: string, allowRefusals = false): Loaded {
  const total = /([0-9]+) requests in ([0-9.]+)(us|ms|s|m),/.exec(output);
  const late = /99% +([0-9.]+)(us|ms|s|m)/.exec(output);
  const perSecond = /Requests\/sec: +([0-9.]+)/.exec(output);
  if (total === null || late === null || perSecond === null) throw new Error(`wrk printed:\n${output}`);
  if (!allowRefusals && /Non-2xx|Socket errors/.test(output)) throw new Error(`requests failed:\n${output}`);
  return {
    requests: Number(total[1]),
    perSecond: Number(perSecond[1]),
    p99: Number(late[1]) * (UNITS[late[2] ?? ''] ?? Number.NaN),
  };
}

export interface LoadedServer extends Loaded {
  /** Requests for each CPU-second of the server, with the CPU-seconds and the peak of this load. */
  readonly figure: Figure & { readonly cpu: number };
  /** CPU-seconds of that one of the server's processes that took most. */
  readonly busiest: number;
}

/** Loads a server that runs as process `pid`, and its children. */
export async function load(
  bench: Bench,
  pid: number,
  url: string,
  how: Load & { readonly allowRefusals?: boolean },
): Promise<LoadedServer> {
  resetPeak(pid);
  const before = cpuOf(pid);
  const eachBefore = cpuByProcess(pid);
  const { stdout } = await bench.run('wrk', wrkArguments(url, how));
  const cpu = cpuOf(pid) - before;
  const busiest = Math.max(
    ...[...cpuByProcess(pid)].map(([each, seconds]) => seconds - (eachBefore.get(each) ?? 0)),
  );
  const loaded = parseWrk(stdout, how.allowRefusals);
  return { ...loaded, busiest, figure: { value: loaded.requests / cpu, cpu, memory: peakOf(pid) } };
}

/** A wrk script that asks for the paths in turn; with a pause, each connection waits so long before each request. */
export function pathsScript(bench: Bench, paths: readonly string[], pause?: number): string {
  const file = bench.path('paths.lua');
  const requests = paths.map((path) => `wrk.format("GET", "${path}")`).join(', ');
  const lines = [
    'local requests',
    'local at = 0',
    `function init() requests = { ${requests} } end`,
    'function request() at = at % #requests + 1; return requests[at] end',
    ...(pause === undefined ? [] : [`function delay() return ${pause} end`]),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
