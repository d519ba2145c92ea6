/** The opam client in a root of its own, as a person or a CI job would use it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from '../report.ts';
import type { Bench } from './bench.ts';

export class Opam {
  readonly #bench: Bench;
  readonly #home: string;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.#home = bench.path('opam');
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
    const total = { value: 0, cpu: 0, memory: 0 };
    for (const id of ids) {
      const {
        value,
        cpu = 0,
        memory = 0,
      } = await this.#run('source', id, `--dir=${this.#bench.path('source')}`);
      total.value += value;
      total.cpu += cpu;
      total.memory = Math.max(total.memory, memory);
    }
    return total;
  }

  remove(): void {
    rmSync(this.#home, { recursive: true, force: true });
  }

  #run(...args: readonly string[]): Promise<Figure> {
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: this.#home,
      OPAMROOT: join(this.#home, 'root'),
      OPAMROOTISOK: '1',
      OPAMYES: '1',
      OPAMCOLOR: 'never',
    };
    return this.#bench.run('opam', args, { env, cwd: this.#bench.folder });
  }
}
