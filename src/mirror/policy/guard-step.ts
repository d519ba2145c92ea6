/** One step from the accepted tree to what the upstream offers now, judged by the guard: changed versions only. */

import { SeraiError } from '../../errors.ts';
import { type PackageId, packageIdOfPath, parsePackageId, showPackageId } from '../../opam/package-id.ts';
import { OpamSyntaxError } from '../../opam/syntax.ts';
import type { Tree, TreeFile } from '../../opam/tree.ts';
import { compareGravity } from '../../verify/guard/classes.ts';
import { type FileFacts as FormFacts, readFacts, unreadableFacts } from '../../verify/guard/facts.ts';
import { type Finding, Guard } from '../../verify/guard/guard.ts';
import { orderKey } from '../../verify/guard/order-key.ts';
import type { VersionChange, VersionFiles } from '../../verify/guard/published-versions.ts';
import { sourcesOfForm, type VersionSources } from '../../verify/guard/sources.ts';
import type { Change, ChangeSide } from '../../verify/history.ts';
import { type FileFacts, requireText } from '../index/file-facts.ts';
import { packageNameOf } from '../index/version-files.ts';
import { identityOfSources, sourcesOfIdentity } from './archive-identity.ts';
import { type Pins, pinReason } from './pin-changes.ts';

export interface StepInput {
  /** Versions that may be other than they stand: those whose files differ, that came, or that went. */
  readonly touched: Iterable<string>;
  /** Facts of the files that stand, by path, of all versions of the packages concerned; and their bytes. */
  readonly before: { readonly facts: ReadonlyMap<string, FileFacts>; readonly read: Tree['read'] };
  /** Their files by version. */
  readonly standing: ReadonlyMap<string, readonly string[]>;
  /** Of those, the ones that upstream removed earlier. */
  readonly removed: (version: string) => boolean;
  /** What the upstream offers of the touched versions. */
  readonly now: Tree;
  /** By version, of all versions of the packages concerned. */
  readonly offered: ReadonlyMap<string, readonly string[]>;
  /** Versions that verification withholds: neither there nor removed. */
  readonly withheld: (version: string) => boolean;
  /** Whether a file that stands is the same as the upstream offers at its path. */
  readonly isSame: (path: string) => boolean;
  /** Archive identities that were ever accepted of the versions of a package, the last one first. */
  readonly identities: (packageName: string) => Promise<ReadonlyMap<string, readonly string[]>>;
  readonly pins: Pins;
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

export async function judgeStep(input: StepInput): Promise<JudgedStep> {
  const { standing, offered, removed, withheld } = input;
  const added: string[] = [];
  const changed: string[] = [];
  const gone: string[] = [];
  for (const version of input.touched) {
    const before = standing.get(version);
    const after = offered.get(version);
    if (after !== undefined) {
      if (before === undefined || removed(version)) added.push(version);
      else if (!sameFiles(before, after, input)) changed.push(version);
    } else if (before !== undefined && !removed(version) && !withheld(version)) gone.push(version);
  }
  const findings = new Map<string, Finding>();
  if (added.length + changed.length + gone.length > 0)
    for (const finding of await findingsOf(input, [...added, ...changed, ...gone], added))
      findings.set(showPackageId(finding.id), finding);
  // One that comes back while its last good form still stands is also measured by all that this form said: being away
  // for one step must not let through what would be held as a change.
  const back = added.filter((version) => standing.has(version) && !findings.has(version));
  if (back.length > 0)
    for (const finding of await findingsOf({ ...input, removed: () => false }, back, []))
      findings.set(showPackageId(finding.id), finding);
  return { findings, added, changed, gone };
}

function sameFiles(before: readonly string[], after: readonly string[], { isSame }: StepInput): boolean {
  return before.length === after.length && after.every((path) => isSame(path));
}

async function findingsOf(
  input: StepInput,
  touched: readonly string[],
  added: readonly string[],
): Promise<Finding[]> {
  const { standing, offered, removed } = input;
  const guard = new Guard();
  const names = new Set(touched.map(packageNameOf));
  const begins: Change[] = [];
  for (const [version, paths] of standing) {
    if (removed(version) || !names.has(packageNameOf(version))) continue;
    for (const path of paths) begins.push({ path, after: sideOf(input.before.facts.get(path)) });
  }
  guard.begin(begins);
  const recalled = await recallAll(guard, input, added);
  const changesIn = (versions: readonly string[]): readonly Change[] =>
    versions.flatMap((version) => {
      const before = removed(version) ? [] : (standing.get(version) ?? []);
      return changesOf(new Set([...before, ...(offered.get(version) ?? [])]), new Set(before), input);
    });
  // What stands still after it was removed is there before what comes: that is the one which clients cannot tell from it.
  const isNew = new Set(added.filter((version) => !standing.has(version)));
  const observed = [
    ...guard.observe(changesIn(touched.filter((version) => !isNew.has(version)))),
    ...guard.observe(changesIn([...isNew])),
  ];
  const forms = await readForms(new Set(observed.flatMap(({ needs }) => needs)), touched, input);
  const factsOf = (id: string): FormFacts => {
    const facts = forms.get(id);
    if (facts === undefined) throw new SeraiError('internal', `${id} was judged without having been read`);
    return facts;
  };
  return observed.flatMap((change) => {
    const finding = guard.judge(change, factsOf);
    return graver(finding, pinFinding(change, recalled, factsOf, input.pins)) ?? [];
  });
}

/** What the files alone do not tell. */
function pinFinding(
  change: VersionChange,
  recalled: ReadonlyMap<string, VersionSources>,
  factsOf: (id: string) => FormFacts,
  pins: Pins,
): Finding | undefined {
  if (change.kind === 'removed' || change.needs.length === 0) return undefined;
  const { id, kind } = change;
  const before = kind === 'added' ? recalled.get(showPackageId(id)) : sourcesOfFiles(change.before, factsOf);
  if (before === undefined) return undefined;
  const reason = pinReason(before, sourcesOfFiles(change.after, factsOf), kind === 'added', pins);
  return reason && { id, ...reason };
}

function sourcesOfFiles({ opam, url }: VersionFiles, factsOf: (id: string) => FormFacts): VersionSources {
  return sourcesOfForm({ opam: factsOf(opam), ...(url === undefined ? {} : { url: factsOf(url) }) });
}

function graver(a: Finding | undefined, b: Finding | undefined): Finding | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareGravity(a.class, b.class) >= 0 ? a : b;
}

function changesOf(paths: ReadonlySet<string>, before: ReadonlySet<string>, input: StepInput): Change[] {
  const changes: Change[] = [];
  for (const path of paths) {
    const facts = before.has(path) ? input.before.facts.get(path) : undefined;
    const file = input.now.files.get(path);
    if (facts !== undefined && file !== undefined && input.isSame(path)) continue;
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

/**
 * What the guard asked to know, of a version's unchanged files too: of the new side from the upstream, the rest from
 * the store.
 */
async function readForms(
  needs: ReadonlySet<string>,
  touched: readonly string[],
  { before, standing, removed, now, offered, depth }: StepInput,
): Promise<ReadonlyMap<string, FormFacts>> {
  const idByPath = { now: new Map<string, string>(), before: new Map<string, string>() };
  const fresh = new Set<string>();
  for (const version of touched) {
    for (const path of offered.get(version) ?? []) {
      const id = now.files.get(path)?.id ?? '';
      if (!needs.has(id)) continue;
      idByPath.now.set(path, id);
      fresh.add(id);
    }
  }
  for (const version of touched) {
    for (const path of removed(version) ? [] : (standing.get(version) ?? [])) {
      const id = sideOf(before.facts.get(path)).oid;
      if (needs.has(id) && !fresh.has(id)) idByPath.before.set(path, id);
    }
  }
  const forms = new Map<string, FormFacts>();
  for (const [tree, ids] of [[now, idByPath.now] as const, [before, idByPath.before] as const])
    for await (const [path, bytes] of tree.read(ids.keys()))
      forms.set(ids.get(path) ?? '', readForm(bytes, depth));
  return forms;
}

/** What is no text cannot be read in the index either. */
function readForm(bytes: Uint8Array, depth: number): FormFacts {
  try {
    requireText(bytes);
  } catch (error) {
    if (error instanceof OpamSyntaxError) return unreadableFacts(error.message);
    throw error;
  }
  return readFacts(bytes, depth);
}

/** Versions that come back are measured by what they last were, or by whatever they once were that they are again. */
async function recallAll(
  guard: Guard,
  input: StepInput,
  added: readonly string[],
): Promise<ReadonlyMap<string, VersionSources>> {
  const recalled = new Map<string, VersionSources>();
  const byName = Map.groupBy(added, packageNameOf);
  for (const [name, versions] of byName) {
    const known = await input.identities(name);
    for (const version of versions) {
      const id = parsePackageId(version);
      if (id === undefined) continue;
      const identities = identitiesOf(
        id,
        known,
        (other) => !input.removed(other) && input.offered.has(other),
      );
      if (identities.length === 0) continue;
      const coming = identities.length === 1 ? undefined : await identityNow(version, input);
      const identity = identities.find((each) => each === coming) ?? identities[0] ?? '';
      const sources = sourcesOfIdentity(identity);
      recalled.set(version, sources);
      guard.recall(id, sources);
    }
  }
  return recalled;
}

/**
 * Its own, or where it has none those of versions that clients cannot tell from it and that are gone: another spelling
 * makes no new version. While such a one `stays`, that both are there is what there is to say.
 */
function identitiesOf(
  id: PackageId,
  known: ReadonlyMap<string, readonly string[]>,
  stays: (version: string) => boolean,
): readonly string[] {
  const own = (known.get(showPackageId(id)) ?? []).filter((identity) => identity !== '');
  if (own.length > 0) return own;
  const key = orderKey(id.version);
  return [...known].flatMap(([version, identities]) => {
    const other = parsePackageId(version);
    if (other === undefined || orderKey(other.version) !== key || stays(version)) return [];
    return identities.filter((identity) => identity !== '');
  });
}

async function identityNow(version: string, { offered, now, depth }: StepInput): Promise<string> {
  const forms = new Map<string, FormFacts>();
  const wanted = (offered.get(version) ?? []).filter((path) => isForm(packageIdOfPath(path)?.file));
  for await (const [path, bytes] of now.read(wanted))
    forms.set(packageIdOfPath(path)?.file ?? '', readForm(bytes, depth));
  const opam = forms.get('opam');
  const url = forms.get('url');
  if (opam === undefined) return '';
  return identityOfSources(sourcesOfForm(url === undefined ? { opam } : { opam, url }));
}

function isForm(file: string | undefined): boolean {
  return file === 'opam' || file === 'url';
}
