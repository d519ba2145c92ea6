/** The real repository in git, as it is and several times as large, and changes of a few of its versions. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { readIndexFile } from '../../src/upstream/folder-tree.ts';
import { REAL_INDEX } from '../real-index.ts';
import type { Bench } from './bench.ts';

const OPAM_PATH = /^packages\/([^/]+)\/([^/]+)\/opam$/;
const CHECKSUM = /(md5|sha256|sha512)=([0-9a-f]{4})/g;
const WHO = 'bench <bench@example.org> 1780000000 +0000';

/** Prime, so that every file has its turn before one has another. */
const STRIDE = 7919;

interface RealFile {
  readonly path: string;
  readonly bytes: Buffer;
}

export class RealHistory {
  /** Bare. */
  readonly folder: string;
  readonly #files: readonly RealFile[];

  private constructor(folder: string, files: readonly RealFile[]) {
    this.folder = folder;
    this.#files = files;
  }

  /** Branches x1, x4 … for the given scales, each one commit that holds the repository so many times. */
  static async create(bench: Bench, scales: readonly number[] = [1]): Promise<RealHistory> {
    const index = await readIndexFile(REAL_INDEX, DEFAULT_LIMITS);
    const files: RealFile[] = [];
    for await (const [path, bytes] of index.read(index.files.keys()))
      files.push({ path, bytes: Buffer.from(bytes) });
    const folder = bench.path('history.git');
    await bench.run('git', ['init', '--quiet', '--bare', folder]);
    const history = new RealHistory(folder, files);
    await history.#import((stream) => history.#writeScales(stream, scales));
    return history;
  }

  /** Versions at scale 1. */
  get versions(): number {
    return this.#files.filter(({ path }) => OPAM_PATH.test(path)).length;
  }

  upstream(scale: number): string {
    return `git+file://${this.folder}#x${scale}`;
  }

  /** The tip of the branch as an index.tar.gz. */
  async tar(bench: Bench, scale: number): Promise<string> {
    const file = bench.path('index.tar.gz');
    await bench.run('git', ['archive', '--format=tar.gz', `--output=${file}`, `x${scale}`], {
      cwd: this.folder,
    });
    return file;
  }

  /**
   * A branch `steps` of so many first-parent commits from x1 on, each of which alters one published version or adds
   * one, in the ways that real ones do.
   */
  async makeSteps(count: number): Promise<void> {
    const opam = this.#files.filter(({ path }) => OPAM_PATH.test(path));
    await this.#import(async (stream) => {
      for (let step = 0; step < count; step++) {
        const file = opam[(step * STRIDE) % opam.length];
        if (file === undefined) throw new Error('the repository has no opam files');
        const from = step === 0 ? 'from refs/heads/x1^0\n' : '';
        await write(stream, `commit refs/heads/steps\ncommitter ${WHO}\ndata 0\n${from}`);
        const { path, bytes } = stepOf(file, step);
        await write(stream, `M 100644 inline ${path}\n${data(bytes)}`);
      }
    });
  }

  /** One more commit that alters so many opam files standing side by side, as an update of one author's would. */
  async change(scale: number, count: number, label: string): Promise<void> {
    const opam = this.#files.filter(({ path }) => OPAM_PATH.test(path));
    // Another place each time, and every file still its own.
    const from = Math.abs(hash(label)) % Math.max(1, opam.length - count);
    await this.#import(async (stream) => {
      const ref = `refs/heads/x${scale}`;
      await write(stream, `commit ${ref}\ncommitter ${WHO}\ndata ${label.length}\n${label}\nfrom ${ref}^0\n`);
      for (const { path, bytes } of opam.slice(from, from + count)) {
        const changed = Buffer.concat([bytes, Buffer.from(`x-bench: "${label}"\n`)]);
        await write(stream, `M 100644 inline ${path}\n${data(changed)}`);
      }
    });
  }

  async #writeScales(stream: Writable, scales: readonly number[]): Promise<void> {
    const largest = Math.max(...scales);
    const marked: { readonly copy: number; readonly line: string }[] = [];
    for (let copy = 0; copy < largest; copy++) {
      for (const file of this.#files) {
        const renamed = copyOf(file, copy);
        if (renamed === undefined) continue;
        const mark = marked.length + 1;
        await write(stream, `blob\nmark :${mark}\n${data(renamed.bytes)}`);
        marked.push({ copy, line: `M 100644 :${mark} ${renamed.path}\n` });
      }
    }
    for (const scale of scales) {
      await write(stream, `commit refs/heads/x${scale}\ncommitter ${WHO}\ndata 0\n`);
      for (const { copy, line } of marked) if (copy < scale) await write(stream, line);
    }
  }

  async #import(fill: (stream: Writable) => Promise<void>): Promise<void> {
    const args = ['-c', 'core.compression=1', 'fast-import', '--quiet', '--depth=0', '--date-format=raw'];
    const child = spawn('git', args, { cwd: this.folder, stdio: ['pipe', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const ended = once(child, 'close');
    await fill(child.stdin);
    child.stdin.end();
    const [code]: unknown[] = await ended;
    if (code !== 0) throw new Error(`git fast-import ended with ${String(code)}: ${errors}`);
  }
}

/**
 * The file under another name; with other bytes and other checksums, so that nothing is known of it from the original.
 * Files beside the packages are there once.
 */
function copyOf({ path, bytes }: RealFile, copy: number): RealFile | undefined {
  if (copy === 0) return { path, bytes };
  if (!path.startsWith('packages/')) return undefined;
  const renamed = path.replace(
    /^packages\/([^/]+)\/([^/.]+)/,
    (_, name: string, again: string) => `packages/${name}-copy${copy}/${again}-copy${copy}`,
  );
  const text = bytes
    .toString('latin1')
    .replace(/^name: "([^"]+)"$/m, `name: "$1-copy${copy}"`)
    .replace(CHECKSUM, (_, kind: string, hex: string) => {
      const other = (Number.parseInt(hex, 16) ^ copy).toString(16).padStart(4, '0');
      return `${kind}=${other}`;
    });
  return { path: renamed, bytes: Buffer.from(`${text}x-copy: "${copy}"\n`, 'latin1') };
}

/** Of five: a new version, two changed constraints, a changed description, a moved address. */
function stepOf({ path, bytes }: RealFile, step: number): RealFile {
  const text = bytes.toString('latin1');
  const altered = (changed: string): RealFile => ({ path, bytes: Buffer.from(changed, 'latin1') });
  switch (step % 5) {
    case 0:
      return { path: path.replace(/\/opam$/, `.step${step}/opam`), bytes };
    case 1:
      return altered(`${text}x-step: "${step}"\n`);
    case 2:
      return altered(text.replace(/^( *src:\s*"https?:\/\/)/m, `$1step${step}.example.org/`));
    default:
      return altered(text.replace(/^depends: \[/m, `depends: [\n  "step-${step}"`));
  }
}

function data(bytes: Buffer): string {
  return `data ${bytes.length}\n${bytes.toString('latin1')}\n`;
}

async function write(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text, 'latin1')) await once(stream, 'drain');
}

function hash(text: string): number {
  let value = 0;
  for (const letter of text) value = (value * 31 + letter.charCodeAt(0)) | 0;
  return value;
}
