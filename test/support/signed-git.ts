/** Signed repositories in a real git repository, with a real tag `signed-snapshot` on each state. */
import { type CommitMark, GitBuilder } from './git-builder.ts';
import { type Signer, snapshot1 } from './signed-keys.ts';
import type { SignedRepository } from './signed-repository.ts';
import { signed } from './signed-texts.ts';

export interface PublishedState {
  readonly content: SignedRepository;
  readonly mark: CommitMark;
  readonly commit: string;
}

export interface StateSpec {
  /** Of the snapshot. */
  readonly date: string;
  readonly by?: readonly Signer[];
  readonly treeSha256?: string;
  /** What the tag's message says instead of the commit that it tags. */
  readonly says?: string;
}

export class SignedGit {
  readonly builder: GitBuilder;

  private constructor(builder: GitBuilder) {
    this.builder = builder;
  }

  static async create(dir: string): Promise<SignedGit> {
    return new SignedGit(await GitBuilder.create(dir));
  }

  /** Commits the content as the child of `before`, moves `main` there, and tags it. */
  async publish(
    content: SignedRepository,
    before: PublishedState | undefined,
    spec: StateSpec,
  ): Promise<PublishedState> {
    const files: Record<string, Uint8Array | null> = {};
    for (const [path, text] of content.files) files[path] = Buffer.from(text, 'latin1');
    for (const path of before?.content.files.keys() ?? []) if (!content.files.has(path)) files[path] = null;
    const mark = this.builder.commit({ files, parents: before === undefined ? [] : [before.mark] });
    await this.builder.write();
    const state = { content, mark, commit: this.builder.id(mark) };
    await this.tag(state, spec);
    return state;
  }

  /** Tags a state anew, and moves `main` back to it. */
  async tag({ commit }: PublishedState, spec: StateSpec): Promise<void> {
    await this.builder.ref('refs/heads/main', commit);
    const sum = spec.treeSha256 === undefined ? '' : `tree-sha256: "${spec.treeSha256}"\n`;
    const body = `commit: "${spec.says ?? commit}"\ndate: "${spec.date}"\n${sum}`;
    await this.builder.tag({
      name: 'signed-snapshot',
      target: commit,
      message: Buffer.from(signed(body, spec.by ?? [snapshot1]), 'latin1'),
    });
  }
}
