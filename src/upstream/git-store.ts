/**
 * The bare repository that an upstream is fetched into: its creation, its refs, what killed runs left in it,
 * and its growth. Only one process works in it at a time; the caller sees to that.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asSeraiError } from '../errors.ts';
import { runGit } from './git-run.ts';

/** Our own names: nothing that the upstream calls its refs stands beside them. */
export const FETCHED_HEAD = 'refs/serai/head';
export const FETCHED_TAGS = 'refs/serai/tags/';
/** The commit that was accepted last: kept, whatever the upstream's refs come to. */
const ACCEPTED = 'refs/serai/accepted';

/** One pack for each fetch that brought something; lookups slow down with their number. */
const MAX_PACKS = 50;

/** Ten thousand refs of 64 hex digits, with their names, are 2 MB. */
const ANSWER_BYTES = 8 * 1024 * 1024;

/** What git leaves when it is killed: locks, half a pack, half an object, a `.keep` that nobody lifts. */
const LEFT_OVER = /\.lock$|^tmp_|^\.tmp-|^shallow_|\.keep$/;

export class GitStore {
  readonly dir: string;
  /** Where the packs lie. */
  readonly packs: string;
  readonly #signal: AbortSignal | undefined;

  constructor(dir: string, signal?: AbortSignal) {
    this.dir = dir;
    this.packs = join(dir, 'objects', 'pack');
    this.#signal = signal;
  }

  /** Creates the repository where there is none, and frees it of what killed runs left. `idLength`: 40 or 64. */
  async prepare(idLength: number): Promise<void> {
    await this.sweep();
    if (await this.#isMade()) return;
    const format = idLength === 64 ? 'sha256' : 'sha1';
    // Safe to repeat, and repairs a creation that was cut short (git-init).
    await this.#git(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`]);
  }

  /** What git makes last: with these nothing of the creation is missing (git, create_object_directory). */
  async #isMade(): Promise<boolean> {
    const made = await Promise.all(
      ['HEAD', 'config', 'refs', 'objects/info', 'objects/pack'].map((name) =>
        stat(join(this.dir, name)).then(
          () => true,
          () => false,
        ),
      ),
    );
    return made.every((each) => each);
  }

  /** Removes what killed runs left. */
  async sweep(): Promise<void> {
    try {
      const entries = await readdir(this.dir, { recursive: true, withFileTypes: true }).catch(() => []);
      const leftOver = entries.filter((entry) => entry.isFile() && LEFT_OVER.test(entry.name));
      await Promise.all(leftOver.map((entry) => rm(join(entry.parentPath, entry.name), { force: true })));
    } catch (error) {
      throw asSeraiError(error, 'store-failed', `the git store ${this.dir} cannot be cleaned`);
    }
  }

  /** The refs below `prefix`, unpeeled, by full name. */
  async refs(prefix: string): Promise<ReadonlyMap<string, string>> {
    const text = await this.#git(['for-each-ref', '--format=%(refname) %(objectname)', prefix]);
    const lines = text.split('\n').filter((line) => line !== '');
    return new Map(
      lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
    );
  }

  async deleteRef(ref: string): Promise<void> {
    await this.#git(['update-ref', '--no-deref', '-d', ref]);
  }

  /** Keeps `commit` and the history behind it, when it is here. */
  async keepAccepted(commit: string): Promise<void> {
    if ((await this.typesOf([commit])).get(commit) !== 'commit') return;
    await this.#git(['update-ref', '--no-deref', ACCEPTED, commit]);
  }

  /** The types of those objects that are here. */
  async typesOf(oids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (oids.length === 0) return new Map();
    const format = '--batch-check=%(objectname) %(objecttype)';
    const text = await this.#git(['cat-file', format], `${oids.join('\n')}\n`);
    const pairs = text.split('\n').map((line) => line.split(' '));
    return new Map(
      pairs.flatMap(([oid = '', type = 'missing']) => (type === 'missing' ? [] : [[oid, type]])),
    );
  }

  /** The commits whose parents are not here, though they have some (gitformat-shallow: one id a line). */
  async shallowBoundary(): Promise<ReadonlySet<string>> {
    const text = await readFile(join(this.dir, 'shallow'), 'latin1').catch(() => '');
    return new Set(text.split('\n').filter((line) => line !== ''));
  }

  /**
   * Makes one pack of many, now and then: keeps lookups quick, and drops what no ref reaches any more, so
   * that an upstream that rewrites its history again and again does not fill the disk.
   */
  async compact(maxPacks = MAX_PACKS): Promise<void> {
    const names = await readdir(this.packs).catch(() => []);
    if (names.filter((name) => name.endsWith('.pack')).length <= maxPacks) return;
    await this.#git(['pack-refs', '--all']);
    await this.#git(['repack', '-a', '-d', '-q']);
  }

  async #git(args: readonly string[], input?: string): Promise<string> {
    const bound = { what: `git ${args[0]} in the git store ${this.dir}`, maxBytes: ANSWER_BYTES };
    const command = {
      gitDir: this.dir,
      args,
      signal: this.#signal,
      ...(input === undefined ? {} : { input }),
    };
    const answer = await runGit(command, bound);
    return answer.toString('latin1');
  }
}
