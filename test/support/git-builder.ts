/**
 * Makes git repositories for tests: commits through one `git fast-import`, so that thousands are cheap, and
 * raw objects for what git itself would not write. What a few small files say is written without git: to start a process
 * takes ten times as long, and tests make hundreds of repositories.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';

/** What a file is in a commit; `null` removes it. */
export type FileSpec =
  | string
  | Uint8Array
  | null
  | { readonly executable: string }
  | { readonly symlink: string }
  | { readonly submodule: string };

/** A commit that was asked for, before its id is known. */
export type CommitMark = number & { readonly commitMark: unique symbol };

export interface CommitSpec {
  /** By path (latin1, one character a byte); the other files are those of the first parent. */
  readonly files?: Readonly<Record<string, FileSpec>>;
  /** Default: the commit before; `[]` begins a new history. */
  readonly parents?: readonly CommitMark[];
  /** Default: `main`. */
  readonly branch?: string;
  /** In seconds since 1970. Default: a minute after the commit before. */
  readonly date?: number;
  readonly message?: string;
}

export interface TagSpec {
  /** The ref is `refs/tags/NAME`. */
  readonly name: string;
  /** The object's id. */
  readonly target: string;
  /** Default: `commit`. */
  readonly type?: string;
  /** The tag object's own name. Default: the ref's. */
  readonly innerName?: string;
  /** Exactly these bytes stand after the blank line. */
  readonly message: string | Uint8Array;
}

type ObjectFormat = 'sha1' | 'sha256';

const CORE = '\tfilemode = true\n\tbare = true\n';

const CONFIG: Readonly<Record<ObjectFormat, string>> = {
  sha1: `[core]\n\trepositoryformatversion = 0\n${CORE}`,
  sha256: `[core]\n\trepositoryformatversion = 1\n${CORE}[extensions]\n\tobjectformat = sha256\n`,
};

const FIRST_DATE = 1_700_000_000;
const PLAIN_PATH = /^[A-Za-z0-9._+~/@-]+$/;

export class GitBuilder {
  readonly dir: string;
  readonly #format: ObjectFormat;
  readonly #pieces: Buffer[] = [];
  readonly #ids = new Map<number, string>();
  #marks = 0;
  #date = FIRST_DATE;

  private constructor(dir: string, format: ObjectFormat) {
    this.dir = dir;
    this.#format = format;
  }

  /** A new bare repository in `dir`, whose HEAD is `main` (gitrepository-layout(5)). */
  static async create(dir: string, format: ObjectFormat = 'sha1'): Promise<GitBuilder> {
    for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags'])
      await mkdir(join(dir, folder), { recursive: true });
    await writeFile(join(dir, 'HEAD'), 'ref: refs/heads/main\n');
    await writeFile(join(dir, 'config'), CONFIG[format]);
    return new GitBuilder(dir, format);
  }

  /** Takes note of a commit; `write` makes it. */
  commit(spec: CommitSpec = {}): CommitMark {
    const mark = ++this.#marks as CommitMark;
    this.#date = spec.date ?? this.#date + 60;
    const branch = `refs/heads/${spec.branch ?? 'main'}`;
    const [first, ...others] = spec.parents ?? (mark === 1 ? [] : [mark - 1]);
    if (first === undefined) this.#line(`reset ${branch}\n`);
    this.#line(`commit ${branch}\nmark :${mark}\ncommitter Tester <test@example.org> ${this.#date} +0000`);
    this.#data(spec.message ?? `commit ${mark}`);
    if (first !== undefined) this.#line(`from :${first}`);
    for (const other of others) this.#line(`merge :${other}`);
    for (const [path, file] of Object.entries(spec.files ?? {})) this.#file(path, file);
    return mark;
  }

  /** Makes all commits that were asked for. */
  async write(): Promise<void> {
    const marks = join(this.dir, 'marks');
    const args = [
      'fast-import',
      '--quiet',
      '--force',
      `--import-marks-if-exists=${marks}`,
      `--export-marks=${marks}`,
    ];
    await this.git(args, Buffer.concat(this.#pieces.splice(0)));
    for (const line of (await readFile(marks, 'latin1')).split('\n')) {
      const [, mark, id = ''] = /^:([0-9]+) ([0-9a-f]+)$/.exec(line) ?? [];
      if (mark !== undefined) this.#ids.set(Number(mark), id);
    }
  }

  /** The id of a commit that was written. */
  id(mark: CommitMark | undefined): string {
    const id = mark === undefined ? undefined : this.#ids.get(mark);
    if (id === undefined) throw new Error(`commit ${mark} was not written yet`);
    return id;
  }

  /** An annotated tag, byte for byte as asked for. Returns the tag object's id. */
  async tag(spec: TagSpec): Promise<string> {
    const header = `object ${spec.target}\ntype ${spec.type ?? 'commit'}\ntag ${spec.innerName ?? spec.name}\ntagger Tester <test@example.org> ${FIRST_DATE} +0000\n\n`;
    const id = await this.object('tag', Buffer.concat([Buffer.from(header), Buffer.from(spec.message)]));
    await this.ref(`refs/tags/${spec.name}`, id);
    return id;
  }

  /** An object of any bytes, malformed ones too. Returns its id. */
  async object(type: 'blob' | 'tree' | 'commit' | 'tag', bytes: string | Uint8Array): Promise<string> {
    const content = Buffer.from(bytes);
    const object = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
    const id = createHash(this.#format).update(object).digest('hex');
    await this.#put(`objects/${id.slice(0, 2)}/${id.slice(2)}`, deflateSync(object));
    return id;
  }

  /** A tree of any entries, in the order given, with modes as they are written. Returns its id. */
  async tree(entries: readonly (readonly [mode: string, name: string, id: string])[]): Promise<string> {
    const pieces = entries.flatMap(([mode, name, id]) => [
      Buffer.from(`${mode} ${name}\0`, 'latin1'),
      Buffer.from(id, 'hex'),
    ]);
    return this.object('tree', Buffer.concat(pieces));
  }

  /** A commit of a tree made by `tree`, with `extra` header lines. Returns its id. */
  async commitTree(
    tree: string,
    parents: readonly string[] = [],
    message = 'made by hand\n',
  ): Promise<string> {
    const person = `Tester <test@example.org> ${FIRST_DATE} +0000`;
    const lines = parents.map((parent) => `parent ${parent}\n`).join('');
    return this.object('commit', `tree ${tree}\n${lines}author ${person}\ncommitter ${person}\n\n${message}`);
  }

  /** Puts a ref, of any name, at an object. */
  async ref(name: string, id: string): Promise<void> {
    await this.#put(name, `${id}\n`);
  }

  /** A pack of all objects in the repository, whether or not git can make sense of them. */
  async packOfAll(): Promise<Uint8Array> {
    const ids = await this.git(['cat-file', '--batch-all-objects', '--batch-check=%(objectname)']);
    return Buffer.from(await this.git(['pack-objects', '--stdout', '-q'], Buffer.from(ids)), 'latin1');
  }

  /** Runs git in the repository; returns what it prints (latin1). */
  git(args: readonly string[], input: Uint8Array = new Uint8Array()): Promise<string> {
    return runTestGit(this.dir, args, input);
  }

  async #put(path: string, content: string | Uint8Array): Promise<void> {
    await mkdir(dirname(join(this.dir, path)), { recursive: true });
    await writeFile(join(this.dir, path), content);
  }

  #file(path: string, file: FileSpec): void {
    const name = PLAIN_PATH.test(path) ? path : quoted(path);
    if (file === null) this.#line(`D ${name}`);
    else if (typeof file === 'string' || file instanceof Uint8Array) this.#blob('100644', name, file);
    else if ('executable' in file) this.#blob('100755', name, file.executable);
    else if ('symlink' in file) this.#blob('120000', name, file.symlink);
    else this.#line(`M 160000 ${file.submodule} ${name}`);
  }

  #blob(mode: string, name: string, content: string | Uint8Array): void {
    this.#line(`M ${mode} inline ${name}`);
    this.#data(content);
  }

  #data(content: string | Uint8Array): void {
    const bytes = Buffer.from(content);
    this.#line(`data ${bytes.length}`);
    this.#pieces.push(bytes);
    this.#line('');
  }

  #line(text: string): void {
    this.#pieces.push(Buffer.from(`${text}\n`, 'latin1'));
  }
}

/** As git-fast-import reads a path in quotes: each byte that is not plain in octal. */
function quoted(path: string): string {
  const escaped = path.replace(
    /[^A-Za-z0-9._+~/@ -]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `"${escaped}"`;
}

/** git on `gitDir`, away from the configuration of whoever runs the tests. Returns what it prints (latin1). */
export function runTestGit(
  gitDir: string,
  args: readonly string[],
  input: Uint8Array = new Uint8Array(),
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'git',
      // Nobody needs it after a power cut.
      ['-c', 'core.fsync=none', `--git-dir=${gitDir}`, ...args],
      { env: testGitEnvironment(), encoding: 'latin1', maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`git ${args[0]}: ${stderr}`, { cause: error }));
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

export function testGitEnvironment(): Record<string, string> {
  const { PATH = '/usr/local/bin:/usr/bin:/bin' } = process.env;
  return {
    PATH,
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    LC_ALL: 'C',
  };
}

/** A new folder below the system's temporary one, and how to remove it. */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'serai-git-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
