/**
 * What one `serai verify` leaves for the next, in a file: verdicts, whom delegations name, and the tree of the index that
 * was judged last. A kept verdict is found only where all that it depends on is the same (`VerdictKeys`: keys/root, the
 * delegation, the keys it names, every file of the version, the policy), and a kept tree by the SHA-256 of its whole
 * index, so each is what reading and judging anew would give. That holds as long as nobody else writes the file.
 */
import { SeraiError } from '../../errors.ts';
import type { Sha256 } from '../../hashes.ts';
import type { Tree } from '../../opam/tree.ts';
import type { StoredVerdict } from '../../store/catalogue.ts';
import { packKept, unpackKept } from '../../upstream/kept-tree.ts';
import type { PackedTree } from '../../upstream/packed-tree.ts';
import { joinSections, type Sections, splitSections } from './memory-sections.ts';
import { readOwnFile, replaceOwnFile } from './own-file.ts';
import { type StoredDelegates, VerdictMemory } from './verdict-memory.ts';

interface KeptTree {
  readonly index: Sha256;
  readonly tree: PackedTree;
}

/** The memory of verdicts in the file at `path`; an empty one where there is none yet. */
export class VerdictFile {
  readonly memory: VerdictMemory;
  readonly #path: string;
  /** Lines of verdicts, as they are in the file. */
  readonly #lines: Map<string, string>;
  #tree: KeptTree | undefined;
  /** Of the verification under way; the old one may still be asked for. */
  #next: KeptTree | undefined;

  private constructor(path: string, sections: Sections | undefined) {
    this.#path = path;
    const lines = linesOf(sections?.verdicts);
    this.#lines = new Map(lines.map((line) => [versionIn(line), line]));
    this.memory = new VerdictMemory(lines.map(storedIn), linesOf(sections?.delegations).map(delegatesIn));
    this.#tree = sections?.tree;
  }

  /** Throws `usage` for a file that is something else, is damaged, or that others may write. */
  static async open(path: string): Promise<VerdictFile> {
    const bytes = await readOwnFile(path);
    const sections = typeof bytes === 'object' ? splitSections(bytes) : bytes;
    if (typeof sections !== 'string') return new VerdictFile(path, sections);
    throw new SeraiError(
      'usage',
      `${path} cannot be the memory of verdicts: ${sections}; name a file of your own, or one that is not there yet`,
    );
  }

  /** What was kept of the tree in an index with these bytes. */
  treeOf(index: Sha256): Tree | undefined {
    return this.#tree?.index === index ? unpackKept(this.#tree.tree) : undefined;
  }

  keepTree(index: Sha256, tree: Tree): void {
    if (this.#tree?.index === index) return;
    this.#next = { index, tree: packKept(tree) };
  }

  /** Puts what is known now in the place of the file, if that is something else; once, when all is judged. */
  async save(): Promise<void> {
    const { replaced, dropped } = this.memory.changes();
    if (replaced.length === 0 && dropped.length === 0 && this.#next === undefined) return;
    this.#tree = this.#next ?? this.#tree;
    this.#next = undefined;
    for (const version of dropped) this.#lines.delete(version);
    for (const stored of replaced) this.#lines.set(stored.version, lineOf(stored));
    const delegations = this.memory.storedDelegates.map(([name, named]) => [name, ...named].join(' '));
    const tree = this.#tree === undefined ? {} : { tree: this.#tree };
    const texts = { verdicts: textOf(this.#lines.values()), delegations: textOf(delegations) };
    await replaceOwnFile(this.#path, joinSections({ ...texts, ...tree }));
  }
}

function linesOf(text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : text.split('\n');
}

function textOf(lines: Iterable<string>): string {
  return [...lines].join('\n');
}

/** `version key verdict`: neither of the first two has a blank in it. */
function lineOf({ version, key, verdict }: StoredVerdict): string {
  return `${version} ${key} ${verdict}`;
}

function versionIn(line: string): string {
  return line.slice(0, line.indexOf(' '));
}

function storedIn(line: string): StoredVerdict {
  const version = versionIn(line);
  const end = line.indexOf(' ', version.length + 1);
  return { version, key: line.slice(version.length + 1, end), verdict: line.slice(end + 1) };
}

/** The name has three words. */
function delegatesIn(line: string): StoredDelegates[number] {
  const words = line.split(' ');
  return [words.slice(0, 3).join(' '), words.slice(3)];
}
