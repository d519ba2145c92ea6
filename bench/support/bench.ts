/** What a part of the benchmark works with: a folder of its own, and processes that end with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Figure, Row } from '../report.ts';
import { cpuOfEndedChildren, peakOf, resetPeak } from './proc.ts';

export type Part = (bench: Bench) => Promise<readonly Row[]>;

/** Says loudly that a part was not measured, and why. */
export class Skipped extends Error {}

export interface Ran extends Figure {
  /** Milliseconds from start to end. */
  readonly value: number;
  readonly cpu: number;
  /** 0 when it ended before anybody looked. */
  readonly memory: number;
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Whether what it prints is kept, or goes to /dev/null. */
  readonly output?: 'kept' | 'dropped';
}

export interface Started {
  readonly pid: number;
  /** Resolves with the nth line, past or coming, that contains the text; rejects when it ends before. */
  said(text: string, nth?: number): Promise<string>;
  /** All lines so far. */
  printed(): string;
  /** Sends the signal; resolves when it has ended, killed when it takes its time. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Between two looks at a running command's memory, in milliseconds; each reads all of /proc. */
const LOOK = 100;
/** What a server gets to end in. */
const PATIENCE = 20_000;
/** Output kept of one command. */
const KEPT = 64 * 2 ** 20;

export class Bench {
  /** Removed at the end. */
  readonly folder: string;
  /** The built command. */
  readonly program: string;
  readonly #quick: boolean;
  readonly #started = new Set<Started>();
  readonly #children = new Set<ChildProcess>();
  readonly versions: Record<string, string> = {};
  #folders = 0;

  constructor(options: { readonly temporary: string; readonly program: string; readonly quick: boolean }) {
    this.folder = mkdtempSync(join(options.temporary, 'serai-bench-'));
    this.program = options.program;
    this.#quick = options.quick;
  }

  /** So many, or 1 in a quick run. */
  rounds(usual: number): number {
    return this.#quick ? 1 : usual;
  }

  /** So much, or what a quick run makes do with. */
  amount<T>(usual: T, quick: T): T {
    return this.#quick ? quick : usual;
  }

  say(text: string): void {
    process.stderr.write(`  … ${text}\n`);
  }

  /** A path for a new folder or file. */
  path(name: string): string {
    this.#folders += 1;
    return join(this.folder, `${this.#folders}-${name}`);
  }

  /** Runs a command to its end; throws when it fails. CPU and memory are of it and its children. */
  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const kept = options.output !== 'dropped';
    const cpuBefore = cpuOfEndedChildren();
    const begun = performance.now();
    const child = spawn(command, args, {
      stdio: ['ignore', kept ? 'pipe' : 'ignore', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    this.#children.add(child);
    const out = collect(child.stdout);
    const err = collect(child.stderr);
    let memory = 0;
    const look = (): void => {
      if (child.pid !== undefined) memory = Math.max(memory, peakOf(child.pid));
    };
    const looking = setInterval(look, LOOK);
    // Short commands have shown most of what they take by then.
    const early = setTimeout(look, LOOK / 5);
    try {
      const closed = once(child, 'close');
      closed.catch(() => undefined);
      const [code]: unknown[] = await once(child, 'exit');
      const value = performance.now() - begun;
      await closed;
      const exitCode = typeof code === 'number' ? code : null;
      const cpu = cpuOfEndedChildren() - cpuBefore;
      const ran = { value, cpu, memory, exitCode, stdout: out(), stderr: err() };
      if (exitCode !== 0)
        throw new Error(`${command} ${args.join(' ')} ended with ${exitCode}:\n${ran.stderr || ran.stdout}`);
      return ran;
    } finally {
      clearInterval(looking);
      clearTimeout(early);
      this.#children.delete(child);
    }
  }

  /** Starts what runs until it is stopped, at the latest at the end of the part. */
  start(command: string, args: readonly string[], options: { readonly cwd?: string } = {}): Started {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.#children.add(child);
    const ended = once(child, 'close').catch(() => undefined);
    const { said, lines } = watchLines(child, ended, command);
    const { pid } = child;
    if (pid === undefined) throw new Error(`${command} could not be started`);
    const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
      this.#started.delete(started);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        const late = setTimeout(() => {
          process.stderr.write(`  … ${command} did not end by itself:\n${lines.slice(-5).join('\n')}\n`);
          child.kill('SIGKILL');
        }, PATIENCE);
        await ended;
        clearTimeout(late);
      }
      this.#children.delete(child);
    };
    const started: Started = { pid, said, stop, printed: () => lines.join('\n') };
    this.#started.add(started);
    return started;
  }

  /** CPU, memory and milliseconds of what is done in this process itself, and by children that end within it. */
  async measure(work: () => void | Promise<void>): Promise<Figure> {
    resetPeak(process.pid);
    const before = process.cpuUsage();
    const childrenBefore = cpuOfEndedChildren();
    const begun = performance.now();
    await work();
    const value = performance.now() - begun;
    const { user, system } = process.cpuUsage(before);
    const cpu = (user + system) / 1e6 + cpuOfEndedChildren() - childrenBefore;
    return { value, cpu, memory: peakOf(process.pid) };
  }

  /** Ends everything that was started, and removes the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.#started].map((started) => started.stop()));
    this.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** At once, for when there is no time left; by their ids, and nothing else. */
  kill(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= KEPT) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function watchLines(
  child: ChildProcess,
  ended: Promise<unknown>,
  command: string,
): { said: Started['said']; lines: readonly string[] } {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  for (const input of [child.stdout, child.stderr]) {
    if (input === null) continue;
    createInterface({ input }).on('line', (line) => {
      lines.push(line);
      for (const look of waiting) look();
    });
  }
  const said = (text: string, nth = 1): Promise<string> => {
    const coming = new Promise<string>((resolve) => {
      const look = (): void => {
        const line = lines.filter((candidate) => candidate.includes(text))[nth - 1];
        if (line === undefined) return;
        waiting.delete(look);
        resolve(line);
      };
      waiting.add(look);
      look();
    });
    const died = ended.then(() => {
      throw new Error(`${command} ended before it said «${text}»:\n${lines.join('\n')}`);
    });
    died.catch(() => undefined);
    return Promise.race([coming, died]);
  };
  return { said, lines };
}
