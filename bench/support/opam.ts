/** The opam client in a root of its own, as a person or a CI job would use it. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from '../report.ts';
import type { Bench } from './bench.ts';

/**
 * What a client writes stays in memory where that can be: `opam init` of the real repository makes tens of thousands of
 * files and removes them again, and ext4 looks past what was removed just before when the next one makes as many.
 */
const IN_MEMORY = '/dev/shm';

export class Opam {
  readonly #bench: Bench;
  readonly #home: string;
  readonly #core: number | undefined;
  #sources = 0;

  /** All that it starts runs on this core, by the kernel's number; without one wherever there is room. */
  constructor(bench: Bench, core?: number) {
    this.#bench = bench;
    this.#core = core;
    this.#home = existsSync(IN_MEMORY) ? mkdtempSync(join(IN_MEMORY, 'serai-bench-')) : bench.path('opam');
    mkdirSync(join(this.#home, 'tmp'), { recursive: true });
  }

  /** A new root, with this repository alone. */
  init(address: string): Promise<Figure> {
    return this.#run('init', '--bare', '--no-setup', '--disable-sandboxing', address);
  }

  /** `opam source` wants a switch. */
  async makeSwitch(): Promise<void> {
    await this.#run('switch', 'create', 'bench', '--empty');
  }

  /** The sources of each in turn, the client's own cache of downloads forgotten before. */
  async sources(ids: readonly string[]): Promise<Figure> {
    rmSync(join(this.#home, 'root', 'download-cache'), { recursive: true, force: true });
    const total = { value: 0, memory: 0 };
    for (const id of ids) {
      const dir = join(this.#home, `source-${this.#sources++}`);
      const { value, memory = 0 } = await this.#run('source', id, `--dir=${dir}`);
      total.value += value;
      total.memory = Math.max(total.memory, memory);
    }
    return total;
  }

  remove(): void {
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** Without CPU-seconds: those of a child are not told from what ends beside it. */
  async #run(...args: readonly string[]): Promise<Pick<Figure, 'value' | 'memory'>> {
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: this.#home,
      TMPDIR: join(this.#home, 'tmp'),
      OPAMROOT: join(this.#home, 'root'),
      OPAMROOTISOK: '1',
      OPAMYES: '1',
      OPAMCOLOR: 'never',
    };
    const command = ['opam', ...args];
    const [program = '', ...rest] =
      this.#core === undefined ? command : ['taskset', '--cpu-list', String(this.#core), ...command];
    const { value, memory } = await this.#bench.run(program, rest, { env, cwd: this.#bench.folder });
    return memory === undefined ? { value } : { value, memory };
  }
}
