/** A repository's state while it moves on from step to step: its files, and who has which authority. */
import { SeraiError } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { FileId, Tree } from '../../opam/tree.ts';
import type { Violation } from '../dialect.ts';
import { Authorities, type AuthorityChanges } from './authorities.ts';
import { delegationProblem } from './delegation-rules.ts';
import { FileIndex } from './file-index.ts';
import type { FileReader, FileRef } from './file-reader.ts';
import type { ValidFile } from './form.ts';
import { keyProblem, type StepAuthorities } from './key-rules.ts';
import { placeOf, type Subject, versionPlace } from './places.ts';
import { type Problem, problem, violation } from './problem.ts';
import { ROOT_PATH, type RootFile, type RootReading } from './root-file.ts';
import { type ParsedFiles, readSignedFiles } from './signed-files.ts';
import type { FileChange, TreeStep } from './step.ts';
import { judgeVersions, type Removal } from './touched-versions.ts';
import type { TouchedVersion } from './version-rules.ts';

export type ReadingLimits = Pick<Limits, 'opam_depth' | 'key_file' | 'opam_file' | 'other_file'>;

/**
 * Why `keys/root` may not become what a step makes of it; undefined when it may. Without a judge the root stays
 * what it is, because the last one is trusted already.
 */
export type RootJudge = (trusted: ValidFile<RootFile>, next: ParsedFiles['root']) => Problem | undefined;

export interface RepositoryOptions {
  readonly reader: FileReader;
  readonly reading: RootReading;
  readonly limits: ReadingLimits;
}

export interface StepOutcome {
  readonly violations: readonly Violation[];
  /** What no rule allows without an RM tag. */
  readonly removals: readonly Removal[];
}

/** A step's changes by what they concern. */
interface GroupedChanges {
  root?: FileChange;
  readonly keys: FileChange[];
  readonly delegations: {
    readonly change: FileChange;
    readonly subject: Subject;
    readonly hadVersions: boolean;
  }[];
  /** Folders. */
  readonly versions: Set<string>;
}

export class Repository {
  readonly #options: RepositoryOptions;
  readonly #index: FileIndex;
  #authorities: Authorities;

  private constructor(options: RepositoryOptions, index: FileIndex, authorities: Authorities) {
    this.#options = options;
    this.#index = index;
    this.#authorities = authorities;
  }

  /** The state that a tree is in, under a `keys/root` that is trusted; reads its keys and delegations. */
  static async of(tree: Tree, root: ValidFile<RootFile>, options: RepositoryOptions): Promise<Repository> {
    const index = new FileIndex(tree.files.values());
    const refs: FileRef[] = [];
    for (const [path, id] of index.others()) {
      const { kind } = placeOf(path);
      if (kind === 'developer-key' || kind === 'delegation') refs.push({ path, id });
    }
    const parsed = await readSignedFiles(options.reader, refs, options.limits.key_file, options.reading);
    const delegations = new Map(
      [...parsed.delegations].map(([subject, { file }]) => [subject, file] as const),
    );
    const authorities = new Authorities(root, options.reading.ring).with({ keys: parsed.keys, delegations });
    return new Repository(options, index, authorities);
  }

  get authorities(): Authorities {
    return this.#authorities;
  }

  get index(): FileIndex {
    return this.#index;
  }

  /** Moves on by one step, and says what is wrong with it; after a violation the state is of no more use. */
  async advance(step: TreeStep, judgeRoot: RootJudge | undefined): Promise<StepOutcome> {
    try {
      return await this.#advance(step, judgeRoot);
    } catch (error) {
      const tooLarge = tooLargeIn(step, error);
      if (tooLarge === undefined) throw error;
      return { violations: [tooLarge], removals: [] };
    }
  }

  async #advance(step: TreeStep, judgeRoot: RootJudge | undefined): Promise<StepOutcome> {
    const refused = step.changes.flatMap(({ path, refused: problem }) =>
      problem ? [violation(problem, path)] : [],
    );
    if (refused.length > 0) return { violations: refused, removals: [] };
    // A file whose mode alone changed has the same bytes.
    const altered = step.changes.filter(({ before, after }) => before !== after);
    const changes = this.#group(altered, judgeRoot !== undefined);
    const parsed = await this.#read([
      changes.root,
      ...changes.keys,
      ...changes.delegations.map((one) => one.change),
    ]);
    // Root changes first: they decide which signatures of the rest hold.
    const rootProblem = changes.root && judgeRoot?.(this.#authorities.rootFile, parsed.root);
    if (rootProblem !== undefined) return { violations: [violation(rootProblem, ROOT_PATH)], removals: [] };
    const authorities = this.#moveAuthorities(changes, parsed);
    const touched = this.#moveFiles(altered, changes.versions);
    const versions = await judgeVersions(touched, authorities.after, this.#index, this.#options);
    const violations = [...fileViolations(changes, authorities), ...versions.violations];
    return { violations, removals: [...fileRemovals(changes), ...versions.removals] };
  }

  #group(changes: readonly FileChange[], withRoot: boolean): GroupedChanges {
    const grouped: GroupedChanges = { keys: [], delegations: [], versions: new Set() };
    for (const change of changes) {
      const place = placeOf(change.path);
      if (place.kind === 'root' && withRoot) grouped.root = change;
      else if (place.kind === 'developer-key') grouped.keys.push(change);
      else if (place.kind === 'version') grouped.versions.add(place.folder);
      else if (place.kind === 'delegation') {
        const hadVersions = this.#index.foldersOf(place.subject.key).size > 0;
        grouped.delegations.push({ change, subject: place.subject, hadVersions });
      }
    }
    return grouped;
  }

  async #read(changes: readonly (FileChange | undefined)[]): Promise<ParsedFiles> {
    const refs = changes.flatMap((change) =>
      change?.after === undefined ? [] : [{ path: change.path, id: change.after }],
    );
    const { reader, limits, reading } = this.#options;
    return readSignedFiles(reader, refs, limits.key_file, reading);
  }

  #moveAuthorities({ root, keys, delegations }: GroupedChanges, parsed: ParsedFiles): StepAuthorities {
    const before = this.#authorities;
    const changes: AuthorityChanges = {
      ...(root !== undefined && parsed.root?.valid === true ? { root: parsed.root } : {}),
      ...(keys.length === 0 ? {} : { keys: new Map(keys.map(({ path }) => [path, parsed.keys.get(path)])) }),
      ...(delegations.length === 0
        ? {}
        : {
            delegations: new Map(
              delegations.map(({ subject: { key } }) => [key, parsed.delegations.get(key)?.file]),
            ),
          }),
    };
    if (Object.keys(changes).length > 0) this.#authorities = before.with(changes);
    return { before, after: this.#authorities };
  }

  #moveFiles(changes: readonly FileChange[], folders: ReadonlySet<string>): readonly TouchedVersion[] {
    const before = new Map<string, ReadonlyMap<string, FileId>>();
    for (const folder of folders) before.set(folder, new Map(this.#index.version(folder)));
    for (const { path, after } of changes) this.#index.set(path, after);
    return [...before].map(([folder, files]) => ({
      place: versionPlace(folder),
      before: files,
      after: this.#index.version(folder),
    }));
  }
}

/** TREE: the sizes of a step's files are not known before they are read. */
function tooLargeIn({ changes }: TreeStep, error: unknown): Violation | undefined {
  if (!(error instanceof SeraiError) || error.code !== 'limit-exceeded') return undefined;
  const file = changes.find(({ after }) => after === `git:${error.subject}`);
  return file && violation(problem('TREE', error.message), file.path);
}

function fileViolations(
  { keys, delegations }: GroupedChanges,
  authorities: StepAuthorities,
): readonly Violation[] {
  const { before, after } = authorities;
  const violations: Violation[] = [];
  for (const { path } of keys) {
    const change = { path, before: before.keyFiles.at(path), after: after.keyFiles.at(path) };
    const found = keyProblem(change, authorities);
    if (found !== undefined) violations.push(violation(found, path));
  }
  for (const { change, subject, hadVersions } of delegations) {
    const files = {
      before: before.delegationFiles.get(subject.key)?.read(),
      after: after.delegationFiles.get(subject.key)?.read(),
    };
    const found = delegationProblem({ subject, hadVersions, ...files }, authorities);
    if (found !== undefined) violations.push(violation(found, change.path));
  }
  return violations;
}

/** L1 and T2, T3. */
function fileRemovals({ keys, delegations }: GroupedChanges): readonly Removal[] {
  const removedKeys = keys.filter(({ after }) => after === undefined);
  const removedDelegations = delegations.filter(({ change }) => change.after === undefined);
  return [
    ...removedKeys.map(({ path }) => ({ rule: 'T2' as const, path })),
    ...removedDelegations.map(({ change }) => ({ rule: 'T3' as const, path: change.path })),
  ];
}
