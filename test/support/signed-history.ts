/** A git history in memory: the seam of src/verify/history.ts over commits and tags that a test makes. */
import { createHash } from 'node:crypto';
import type { Tree } from '../../src/opam/tree.ts';
import type { Change, History, Step, Tag } from '../../src/verify/history.ts';
import { type Signer, snapshot1 } from './signed-keys.ts';
import type { SignedRepository } from './signed-repository.ts';
import { signed } from './signed-texts.ts';

interface Commit {
  readonly id: string;
  readonly parents: readonly string[];
  readonly tree: Tree;
  /** Paths whose entries are of another mode than 100644. */
  readonly modes: Readonly<Record<string, string>>;
}

export interface SnapshotSpec {
  readonly date?: string;
  readonly by?: readonly Signer[];
  /** What the message says where it should not say the truth. */
  readonly commit?: string;
  readonly treeSha256?: string;
  readonly tag?: Partial<Extract<Tag, { kind: 'annotated' }>>;
}

export class MemoryHistory implements History {
  readonly #commits = new Map<string, Commit>();
  readonly #tags = new Map<string, Tag>();
  /** How many blobs were asked for. */
  blobsRead = 0;

  /** A new commit; its first parent is the step that it makes. */
  commit(content: SignedRepository, parents: readonly string[] = [], modes: Commit['modes'] = {}): string {
    const tree = content.tree('git');
    const text = [...parents, ...[...tree.files.values()].map(({ path, id }) => `${path} ${id}`)].join('\n');
    const id = createHash('sha1').update(`${text}\n${this.#commits.size}`).digest('hex');
    this.#commits.set(id, { id, parents, tree, modes });
    return id;
  }

  /** A line of commits, each the child of the one before. */
  line(...contents: readonly SignedRepository[]): string[] {
    const ids: string[] = [];
    for (const content of contents) ids.push(this.commit(content, ids.slice(-1)));
    return ids;
  }

  setTag(name: string, tag: Tag): this {
    this.#tags.set(name, tag);
    return this;
  }

  /** The tag `signed-snapshot` at a commit. */
  snapshot(commit: string, spec: SnapshotSpec = {}): this {
    const sum = spec.treeSha256 === undefined ? '' : `tree-sha256: "${spec.treeSha256}"\n`;
    const body = `commit: "${spec.commit ?? commit}"\ndate: "${spec.date ?? '2026-06-01T12:00:00Z'}"\n${sum}`;
    const message = Buffer.from(signed(body, spec.by ?? [snapshot1]), 'latin1');
    return this.setTag('signed-snapshot', {
      ...{ kind: 'annotated', object: commit, type: 'commit', tag: 'signed-snapshot', message },
      ...spec.tag,
    });
  }

  /** The tag `rm/<commit>`. */
  allowRemoval(commit: string, by: readonly Signer[], spec: Omit<SnapshotSpec, 'by' | 'date'> = {}): this {
    const message = Buffer.from(signed(`commit: "${spec.commit ?? commit}"\n`, by), 'latin1');
    const tag: Tag = {
      kind: 'annotated',
      object: commit,
      type: 'commit',
      tag: `rm/${commit}`,
      message,
      ...spec.tag,
    };
    return this.setTag(`rm/${commit}`, tag);
  }

  treeOf(commit: string): Tree {
    return this.#at(commit).tree;
  }

  async tag(name: string): Promise<Tag | undefined> {
    return this.#tags.get(name);
  }

  async isAncestor(ancestor: string, commit: string): Promise<boolean> {
    const open = [commit];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === ancestor) return true;
      open.push(...this.#at(next).parents);
    }
    return false;
  }

  async isOnFirstParentChain(ancestor: string, commit: string): Promise<boolean> {
    return this.#chain(commit).includes(ancestor);
  }

  async *firstParentSteps(from: string, to: string): AsyncIterable<Step> {
    const chain = this.#chain(to);
    for (const commit of chain.slice(0, chain.indexOf(from)).reverse()) {
      const [parent] = this.#at(commit).parents;
      if (parent !== undefined) yield { commit, changes: this.#changes(parent, commit) };
    }
  }

  async *diff(from: string, to: string): AsyncIterable<Change> {
    yield* this.#changes(from, to);
  }

  async treeAt(commit: string): Promise<Tree | undefined> {
    return this.#commits.get(commit)?.tree;
  }

  async *readBlobs(oids: Iterable<string>): AsyncIterable<readonly [string, Uint8Array]> {
    for (const oid of oids) {
      this.blobsRead++;
      yield [oid, await this.#blob(oid)];
    }
  }

  pathProblem(path: string): string | undefined {
    return /^[A-Za-z0-9._+~/@-]+$/.test(path) ? undefined : 'the path has a character that may not be';
  }

  async #blob(oid: string): Promise<Uint8Array> {
    for (const { tree } of this.#commits.values()) {
      const file = [...tree.files.values()].find(({ id }) => id === `git:${oid}`);
      if (file === undefined) continue;
      for await (const [, bytes] of tree.read([file.path])) return bytes;
    }
    throw new Error(`no blob ${oid} in the test's history`);
  }

  #chain(commit: string): string[] {
    const chain: string[] = [];
    for (let at: string | undefined = commit; at !== undefined; at = this.#at(at).parents[0]) chain.push(at);
    return chain;
  }

  #changes(from: string, to: string): Change[] {
    const before = this.#at(from).tree.files;
    const { tree, modes } = this.#at(to);
    const paths = new Set([...before.keys(), ...tree.files.keys()]);
    const side = (id: string | undefined, mode = '100644') =>
      id === undefined ? undefined : { oid: id.slice(4), mode };
    return [...paths].sort().flatMap((path) => {
      const old = side(before.get(path)?.id);
      const young = side(tree.files.get(path)?.id, modes[path]);
      if (old?.oid === young?.oid && modes[path] === undefined) return [];
      return [
        {
          path,
          ...(old === undefined ? {} : { before: old }),
          ...(young === undefined ? {} : { after: young }),
        },
      ];
    });
  }

  #at(commit: string): Commit {
    const found = this.#commits.get(commit);
    if (found === undefined) throw new Error(`no commit ${commit} in the test's history`);
    return found;
  }
}
