/** One step from the accepted tree to what the upstream offers now, judged by the guard: changed versions only. */
import { parsePackageId, showPackageId } from '../opam/package-id.ts';
import type { Tree, TreeFile } from '../opam/tree.ts';
import { type FileFacts as FormFacts, readFacts } from '../verify/guard/facts.ts';
import { type Finding, Guard } from '../verify/guard/guard.ts';
import { sourcesOfForm } from '../verify/guard/sources.ts';
import type { Change, ChangeSide } from '../verify/history.ts';
import { identityOfSources, sourcesOfIdentity } from './archive-identity.ts';
import { type FileFacts, sameBytes } from './file-facts.ts';
import type { PiecesTree } from './pieces-tree.ts';
import { sha256Of } from './snapshot-id.ts';

export interface StepInput {
  /** The accepted tree, and its files by version. */
  readonly before: PiecesTree;
  readonly standing: ReadonlyMap<string, readonly string[]>;
  /** Of those, the ones that upstream removed earlier. */
  readonly removed: (version: string) => boolean;
  /** What the upstream offers, by version. */
  readonly now: Tree;
  readonly offered: ReadonlyMap<string, readonly string[]>;
  /** Versions that verification withholds: neither there nor removed. */
  readonly withheld: (version: string) => boolean;
  /** Archive identities that were ever accepted of the versions of a package, the last one first. */
  readonly identities: (packageName: string) => Promise<ReadonlyMap<string, readonly string[]>>;
  /** Nesting allowed in an opam file. */
  readonly depth: number;
}

export interface JudgedStep {
  /** By version. */
  readonly findings: ReadonlyMap<string, Finding>;
  /** Versions whose files differ, in no order. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly gone: readonly string[];
}

/** As handed in, with what had to be measured to compare the two trees. */
interface Step extends StepInput {
  /** Of files whose ids are of another kind than they were: the upstream was an index and is git, or so. */
  readonly measured: ReadonlyMap<string, string>;
}

export async function judgeStep(given: StepInput): Promise<JudgedStep> {
  const input = { ...given, measured: await measure(given) };
  const { standing, offered, removed, withheld } = input;
  const added: string[] = [];
  const changed: string[] = [];
  const gone: string[] = [];
  for (const [version, paths] of offered) {
    const before = standing.get(version);
    if (before === undefined || removed(version)) added.push(version);
    else if (!sameFiles(before, paths, input)) changed.push(version);
  }
  for (const version of standing.keys())
    if (!offered.has(version) && !removed(version) && !withheld(version)) gone.push(version);
  const findings = new Map<string, Finding>();
  if (added.length + changed.length + gone.length > 0)
    for (const finding of await findingsOf(input, [...added, ...changed, ...gone], added))
      findings.set(showPackageId(finding.id), finding);
  return { findings, added, changed, gone };
}

function sameFiles(before: readonly string[], after: readonly string[], step: Step): boolean {
  if (before.length !== after.length) return false;
  return after.every((path) => isSame(step.before.facts.get(path), step.now.files.get(path), step));
}

function isSame(facts: FileFacts | undefined, file: TreeFile | undefined, { measured }: Step): boolean {
  if (facts === undefined || file === undefined) return false;
  return sameBytes(facts, file) || measured.get(file.path) === facts.sha256;
}

/** SHA-256 of the files that cannot be compared by their ids. */
async function measure({ before, now }: StepInput): Promise<ReadonlyMap<string, string>> {
  const paths: string[] = [];
  for (const file of now.files.values()) {
    const facts = before.facts.get(file.path);
    if (facts !== undefined && !file.id.startsWith('sha256:') && kindOf(facts.id) !== kindOf(file.id))
      paths.push(file.path);
  }
  const measured = new Map<string, string>();
  for await (const [path, bytes] of now.read(paths)) measured.set(path, sha256Of(bytes));
  return measured;
}

function kindOf(id: string): string {
  return id.slice(0, id.indexOf(':'));
}

async function findingsOf(
  input: Step,
  touched: readonly string[],
  added: readonly string[],
): Promise<Finding[]> {
  const { standing, offered, removed } = input;
  const guard = new Guard();
  const names = new Set(touched.map((version) => version.slice(0, version.indexOf('.'))));
  const begins: Change[] = [];
  for (const [version, paths] of standing) {
    if (removed(version) || !names.has(version.slice(0, version.indexOf('.')))) continue;
    for (const path of paths) begins.push({ path, after: sideOf(input.before.facts.get(path)) });
  }
  guard.begin(begins);
  await recallAll(guard, input, added);
  const changes = touched.flatMap((version) => {
    const before = removed(version) ? [] : (standing.get(version) ?? []);
    return changesOf(new Set([...before, ...(offered.get(version) ?? [])]), new Set(before), input);
  });
  const observed = guard.observe(changes);
  const facts = await readForms(new Set(observed.flatMap(({ needs }) => needs)), changes, input);
  return observed.flatMap(
    (change) => guard.judge(change, (id) => facts.get(id) ?? readFacts(new Uint8Array())) ?? [],
  );
}

function changesOf(paths: ReadonlySet<string>, before: ReadonlySet<string>, input: Step): Change[] {
  const changes: Change[] = [];
  for (const path of paths) {
    const facts = before.has(path) ? input.before.facts.get(path) : undefined;
    const file = input.now.files.get(path);
    if (isSame(facts, file, input)) continue;
    changes.push({
      path,
      ...(facts === undefined ? {} : { before: sideOf(facts) }),
      ...(file === undefined ? {} : { after: sideOfFile(file) }),
    });
  }
  return changes;
}

/** Every tree that is read has plain files only. */
function sideOf(facts: FileFacts | undefined): ChangeSide {
  return { oid: `sha256:${facts?.sha256 ?? ''}`, mode: '100644' };
}

function sideOfFile(file: TreeFile): ChangeSide {
  return { oid: file.id, mode: '100644' };
}

/** What the guard asked to know: of the old side from the store, of the new side from the upstream. */
async function readForms(
  needs: ReadonlySet<string>,
  changes: readonly Change[],
  { before, now, depth }: StepInput,
): Promise<ReadonlyMap<string, FormFacts>> {
  const forms = new Map<string, FormFacts>();
  const read = async (tree: Tree, idByPath: ReadonlyMap<string, string>): Promise<void> => {
    for await (const [path, bytes] of tree.read(idByPath.keys())) {
      const id = idByPath.get(path);
      if (id !== undefined && !forms.has(id)) forms.set(id, readFacts(bytes, depth));
    }
  };
  const side = (pick: (change: Change) => ChangeSide | undefined): Map<string, string> =>
    new Map(
      changes.flatMap((change): [string, string][] => {
        const found = pick(change);
        return found !== undefined && needs.has(found.oid) ? [[change.path, found.oid]] : [];
      }),
    );
  await read(
    before,
    side((change) => change.before),
  );
  await read(
    now,
    side((change) => change.after),
  );
  return forms;
}

/** Versions that come back are measured by what they last were, or by whatever they once were that they are again. */
async function recallAll(guard: Guard, input: StepInput, added: readonly string[]): Promise<void> {
  const byName = Map.groupBy(added, (version) => version.slice(0, version.indexOf('.')));
  for (const [name, versions] of byName) {
    const known = await input.identities(name);
    for (const version of versions) {
      const id = parsePackageId(version);
      const identities = (known.get(version) ?? []).filter((identity) => identity !== '');
      if (id === undefined || identities.length === 0) continue;
      const coming = identities.length === 1 ? undefined : await identityNow(version, input);
      const identity = identities.find((each) => each === coming) ?? identities[0] ?? '';
      guard.recall(id, sourcesOfIdentity(identity));
    }
  }
}

async function identityNow(version: string, { offered, now, depth }: StepInput): Promise<string> {
  const forms = new Map<string, FormFacts>();
  const wanted = (offered.get(version) ?? []).filter((path) => /\/[^/]+\/[^/]+\/(opam|url)$/.test(path));
  for await (const [path, bytes] of now.read(wanted))
    forms.set(path.slice(path.lastIndexOf('/') + 1), readFacts(bytes, depth));
  const opam = forms.get('opam');
  const url = forms.get('url');
  if (opam === undefined) return '';
  return identityOfSources(sourcesOfForm(url === undefined ? { opam } : { opam, url }));
}
