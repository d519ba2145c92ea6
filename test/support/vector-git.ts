/** Vectors in real git repositories: commits of signed contents, tags of any form. */
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { type CommitMark, type FileSpec, GitBuilder } from './git-builder.ts';
import { type Signer, snapshot1 } from './signed-keys.ts';
import type { SignedRepository } from './signed-repository.ts';
import { signed } from './signed-texts.ts';
import { inFolder, judge, matches, type VectorOptions } from './vector-table.ts';

export interface TagVector {
  readonly date?: string;
  readonly by?: readonly Signer[];
  /** The fields of the message. */
  readonly body?: string;
  /** After the signed message. */
  readonly after?: string;
  readonly innerName?: string;
  readonly type?: string;
  /** What is tagged, and named in the message, instead of the commit. */
  readonly target?: string;
  readonly says?: string;
  readonly name?: string;
}

export type GitVector = readonly [
  title: string,
  build: (git: VectorGit) => Promise<VectorOptions | undefined>,
  expected: string,
];

export function gitVectors(name: string, vectors: readonly GitVector[]): void {
  describe(name, () => {
    test.each(vectors.map((vector) => ({ vector, title: vector[0] })))('$title', ({ vector }) =>
      inFolder(async (dir) => {
        const [, build, expected] = vector;
        const git = new VectorGit(await GitBuilder.create(join(dir, 'git')));
        const options = (await build(git)) ?? {};
        matches(await judge(git.builder.dir, undefined, options), git.named(expected));
      }),
    );
  });
}

export class VectorGit {
  readonly builder: GitBuilder;
  readonly #commits = new Map<string, { readonly mark: CommitMark; readonly content: SignedRepository }>();
  /** Of the last commit. */
  last = '';

  constructor(builder: GitBuilder) {
    this.builder = builder;
  }

  /** A commit of the whole content on top of the parents; returns its id. */
  async commit(
    content: SignedRepository,
    parents: readonly string[] = [],
    more: Readonly<Record<string, FileSpec>> = {},
  ): Promise<string> {
    const known = parents.map((parent) => {
      const commit = this.#commits.get(parent);
      if (commit === undefined) throw new Error(`no commit ${parent}`);
      return commit;
    });
    const files: Record<string, FileSpec> = {};
    for (const path of known[0]?.content.files.keys() ?? []) if (!content.files.has(path)) files[path] = null;
    for (const [path, text] of content.files) files[path] = Buffer.from(text, 'latin1');
    const mark = this.builder.commit({
      files: { ...files, ...more },
      parents: known.map((commit) => commit.mark),
    });
    await this.builder.write();
    this.last = this.builder.id(mark);
    this.#commits.set(this.last, { mark, content });
    return this.last;
  }

  /** Commits of these contents, each the child of the one before; returns their ids. */
  async line(...contents: readonly SignedRepository[]): Promise<string[]> {
    const ids: string[] = [];
    for (const content of contents) ids.push(await this.commit(content, ids.slice(-1)));
    return ids;
  }

  /** The tag `signed-snapshot` at a commit; returns the tag object's id. */
  snapshot(commit: string, spec: TagVector = {}): Promise<string> {
    const body =
      spec.body ?? `commit: "${spec.says ?? commit}"\ndate: "${spec.date ?? '2026-06-01T12:00:00Z'}"\n`;
    return this.tag('signed-snapshot', commit, body, { by: [snapshot1], ...spec });
  }

  /** A tag `rm/<commit>`. */
  allow(commit: string, by: readonly Signer[], spec: TagVector = {}): Promise<string> {
    const body = spec.body ?? `commit: "${spec.says ?? commit}"\n`;
    return this.tag(`rm/${commit}`, commit, body, { by, ...spec });
  }

  tag(name: string, commit: string, body: string, spec: TagVector): Promise<string> {
    const { by = [], after = '', target = commit, innerName, type } = spec;
    return this.builder.tag({
      name: spec.name ?? name,
      target,
      message: Buffer.from(`${signed(body, by)}${after}`, 'latin1'),
      ...(innerName === undefined ? {} : { innerName }),
      ...(type === undefined ? {} : { type }),
    });
  }

  /** `LAST` in an expectation is the last commit. */
  named(expected: string): string {
    return expected.replaceAll('LAST', this.last);
  }
}
