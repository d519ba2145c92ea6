/** Repositories for tests as plain objects of path and text, in every form in which an upstream offers them. */
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compareBytewise, memoryTree, type Tree } from '../../src/opam/tree.ts';
import { GitBuilder } from './git-builder.ts';
import { longName, tar } from './tar.ts';

/** By path; bytes, or text that stands for its UTF-8 bytes. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

export const REPO: Files = { repo: 'opam-version: "2.0"\n' };

export interface VersionOptions {
  readonly sources?: readonly string[];
  /** Whole checksums; one made from the version's name unless given. */
  readonly checksums?: readonly string[];
  /** Lines to add. */
  readonly more?: string;
}

/** The opam file of one version, with an archive; `id` is `name.version`. */
export function version(id: string, options: VersionOptions = {}): Files {
  const { sources = [`https://archives.example/${id}.tgz`], checksums = [checksumOf(id)] } = options;
  const [first = '', ...mirrors] = sources.map((source) => JSON.stringify(source));
  const lines = [
    'opam-version: "2.0"',
    `synopsis: "${id}"`,
    ...(options.more === undefined ? [] : [options.more]),
    'url {',
    `  src: ${first}`,
    ...(mirrors.length === 0 ? [] : [`  mirrors: [${mirrors.join(' ')}]`]),
    `  checksum: [${checksums.map((checksum) => `"${checksum}"`).join(' ')}]`,
    '}',
  ];
  return { [opamPath(id)]: `${lines.join('\n')}\n` };
}

export function opamPath(id: string): string {
  return `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`;
}

/** `sha256=…` of any text. */
export function checksumOf(text: string): string {
  return `sha256=${sha256(text)}`;
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** A repository of these versions. */
export function repositoryOf(...ids: readonly string[]): Files {
  return Object.assign({}, REPO, ...ids.map((id) => version(id)));
}

/** `count` packages `p0` on, each in the versions 1 and 2. */
export function manyPackages(count: number): Files {
  const ids = Array.from({ length: count }, (_, index) => [`p${index}.1`, `p${index}.2`]).flat();
  return repositoryOf(...ids);
}

/** As from an index or a folder: ids of the kind `sha256:`. */
export function treeOf(files: Files): Tree {
  return memoryTree(
    Object.entries(files).map(([path, content]) => {
      const bytes = Buffer.from(content);
      return { path, size: bytes.length, id: `sha256:${sha256(bytes)}`, bytes };
    }),
  );
}

/** As from git: ids of the kind `git:`. */
export function gitTreeOf(files: Files): Tree {
  return memoryTree(
    Object.entries(files).map(([path, content]) => {
      const bytes = Buffer.from(content);
      const header = `blob ${bytes.length}\0`;
      const oid = createHash('sha1').update(header).update(bytes).digest('hex');
      return { path, size: bytes.length, id: `git:${oid}`, bytes };
    }),
  );
}

/** All paths of a tree, in C order: what is admitted where nothing is held. */
export function allPaths(tree: Tree): string[] {
  return [...tree.files.keys()].sort(compareBytewise);
}

export function indexOf(files: Files): Buffer {
  const entries = Object.entries(files).flatMap(([name, content]) => {
    const entry = { name, content: Buffer.from(content) };
    return name.length > 100 ? [longName(name), entry] : [entry];
  });
  return gzipSync(tar(...entries));
}

/** The folder holds exactly these files afterwards. */
export async function writeFolder(folder: string, files: Files): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** A bare git repository whose every commit has exactly the files given. */
export class GitUpstream {
  readonly #builder: GitBuilder;
  #paths: readonly string[] = [];

  private constructor(builder: GitBuilder) {
    this.#builder = builder;
  }

  static async create(folder: string): Promise<GitUpstream> {
    return new GitUpstream(await GitBuilder.create(folder));
  }

  /** For the configuration. */
  get url(): string {
    return `git+file://${this.#builder.dir}`;
  }

  /** Returns the commit's id. */
  async commit(files: Files): Promise<string> {
    const removed = this.#paths.filter((path) => !(path in files)).map((path) => [path, null] as const);
    const mark = this.#builder.commit({ files: { ...Object.fromEntries(removed), ...files } });
    this.#paths = Object.keys(files);
    await this.#builder.write();
    return this.#builder.id(mark);
  }
}
