/**
 * From a verdict to the accepted tree: what happens to published versions is judged by the guard, and policy says
 * what becomes of it (issue 4, points 2 and 3). A version that is held stays in its last good form, or out.
 */

import { createHash } from 'node:crypto';
import { SeraiError } from '../../errors.ts';
import { packageIdOfPath, parsePackageId } from '../../opam/package-id.ts';
import type { Tree, TreeFile } from '../../opam/tree.ts';
import type { EventInput, FirstSeen } from '../../store/catalogue.ts';
import type { Verdict } from '../../verify/dialect.ts';
import type { Finding } from '../../verify/guard/guard.ts';
import { orderKey } from '../../verify/guard/order-key.ts';
import type { ChangePolicy } from '../../verify/policy/changes.ts';
import { type FileFacts, listingLine } from '../index/file-facts.ts';
import { sha256Of } from '../index/snapshot-id.ts';
import type { StandingTree } from '../index/standing-tree.ts';
import { filesByVersion, folderOf, packageNameOf } from '../index/version-files.ts';
import type { AcceptedState, ChangeRecord, HeldChange } from './accepted-state.ts';
import { caseCollisions, settleCollisions } from './case-collision.ts';
import { changeEvents } from './change-events.ts';
import type { RuledVersion } from './derivation.ts';
import { judgeStep, type StepInput } from './guard-step.ts';
import { firstOffer, type KnownStep, type Offer, stepOffer, wholeOffer } from './offer.ts';
import type { Pins } from './pin-changes.ts';

/** Changes that passed are remembered for people, so many; the log has all. */
const PASSED_KEPT = 200;
/** Changes that a refusal names. */
const REFUSED_SHOWN = 20;

export interface AcceptanceInput {
  readonly repository: string;
  readonly candidate: Tree;
  readonly verdict: Verdict;
  /** Where it is known what changed since the tree that was accepted last: the candidate is that alone. */
  readonly step?: KnownStep | undefined;
  /** Versions that the candidate lacks because they are held where it comes from. */
  readonly heldElsewhere?: readonly RuledVersion[] | undefined;
  /** Undefined before anything was accepted: then everything is taken for granted. */
  readonly previous?: StandingState | undefined;
  readonly policy: ChangePolicy;
  /** Milliseconds; Infinity for ever. */
  readonly keepRemoved: number;
  /** Whether a person released this form of the version. */
  readonly released: (version: string, form: string) => boolean;
  /** All that was seen of the versions of a package. */
  readonly firstSeen: (packageName: string) => Promise<readonly FirstSeen[]>;
  readonly pins: Pins;
  readonly depth: number;
  readonly now: number;
}

export interface StandingState {
  readonly tree: StandingTree;
  /** Reads files that stand. */
  readonly read: Tree['read'];
  readonly state: AcceptedState;
}

export interface Acceptance {
  /** Files to be taken from the candidate: new, or other than they stand. */
  readonly fresh: readonly TreeFile[];
  /** Paths that stand, and are to stand no more. */
  readonly gone: readonly string[];
  readonly state: Pick<AcceptedState, 'removed' | 'held' | 'passed' | 'withheld' | 'unreadable' | 'offered'>;
  /** Versions that are held out of the tree, and were seen all the same. */
  readonly seen: readonly string[];
  readonly events: readonly EventInput[];
}

/** Throws `snapshot-refused` when policy refuses a change. */
export async function acceptTree(input: AcceptanceInput): Promise<Acceptance> {
  const { candidate, verdict, previous, step, now, repository } = input;
  const heldElsewhere = input.heldElsewhere ?? [];
  if (previous === undefined) {
    const { offered, fresh, withheld, count } = firstOffer(verdict, heldElsewhere);
    const paths = [...offered.values()].flat().concat(fresh);
    const state = {
      withheld: [...withheld],
      offered: count,
      removed: {},
      held: [],
      passed: [],
      unreadable: [],
    };
    return { fresh: filesAt(paths, candidate), gone: [], state, seen: [], events: [] };
  }

  const { state: last } = previous;
  const offer =
    step === undefined
      ? await wholeOffer(candidate, verdict, heldElsewhere, previous.tree, last.removed)
      : await stepOffer(step, candidate, verdict, previous.tree, last);
  const isOver = (since: number): boolean => now - since >= input.keepRemoved;
  const over = Object.entries(last.removed).filter(([, since]) => isOver(since));
  const collisions = caseCollisions(offer, last);
  const more = [...over.map(([version]) => version), ...[...collisions.values()].flat()];
  const concerned = await concernedVersions(offer, more, previous);
  const { standing } = concerned;
  const withheldVersions = new Set(offer.withheld.map(({ version }) => version));
  const wasRemoved = new Map(Object.entries(last.removed));
  const { findings, added } = await judgeStep({
    ...concerned,
    touched: offer.touched,
    removed: (version) => wasRemoved.has(version),
    now: candidate,
    withheld: (version) => withheldVersions.has(version),
    isSame: offer.isSame,
    identities: async (name) => identitiesOf(await input.firstSeen(name)),
    pins: input.pins,
    depth: input.depth,
  });
  const decided = await decide(input, findings, offer.offered, last);
  const heldVersions = new Map(decided.held.map((change) => [change.version, change]));
  const { blocked, replaced } = settleCollisions(
    collisions,
    (version) => heldVersions.has(version),
    (version) => heldVersions.has(version) || offer.carried.held.some((change) => change.version === version),
  );

  const keptVersions = new Set<string>();
  const leaving = new Set<string>();
  const removed: Record<string, number> = {};
  const isOut = (version: string): boolean => heldVersions.has(version) || blocked.has(version);
  const came = new Set(added.filter((version) => !isOut(version)).map(equalityKey));
  // A version that was removed and that nothing touches stands for as long as it may.
  for (const [version, since] of wasRemoved)
    if (!concerned.names.has(packageNameOf(version)) && previous.tree.hasFolder(folderOf(version)))
      removed[version] = since;
  for (const version of new Set([...offer.touched, ...wasRemoved.keys()])) {
    const files = standing.get(version);
    if (files === undefined) continue;
    const isHeld = heldVersions.has(version);
    if (offer.offered.has(version) && !isHeld) continue;
    const since = wasRemoved.get(version) ?? (isHeld ? undefined : now);
    // One that takes its place, and that clients or their disks could not tell from it, ends its stay.
    const isReplaced = !isHeld && (came.has(equalityKey(version)) || replaced.has(version));
    const isGone = since !== undefined && (isReplaced || isOver(since));
    if (withheldVersions.has(version) || isGone) leaving.add(version);
    else {
      if (since !== undefined) removed[version] = since;
      keptVersions.add(version);
    }
  }
  const fresh = offer.fresh.filter((path) => !blocked.has(path));
  const gone: string[] = [...offer.gone];
  for (const version of leaving) gone.push(...(standing.get(version) ?? []));
  for (const [version, paths] of offer.offered) {
    // A held version's new files stay out; those that were there are kept, mostly under the same paths.
    if (!offer.touched.has(version) || isOut(version)) continue;
    const after = new Set(paths);
    fresh.push(...paths.filter((path) => !offer.isSame(path)));
    for (const path of standing.get(version) ?? []) if (!after.has(path)) gone.push(path);
  }
  const held = decided.held.map((change) => ({
    ...change,
    served: keptVersions.has(change.version) ? ('last-good' as const) : ('none' as const),
  }));
  return {
    fresh: filesAt(fresh, candidate),
    gone,
    state: {
      withheld: [...offer.withheld, ...blocked.values()],
      offered: offer.count,
      removed,
      held: [...offer.carried.held, ...held],
      passed: [...decided.passed, ...last.passed].slice(0, PASSED_KEPT),
      unreadable: [...offer.carried.unreadable],
    },
    seen: decided.held.map(({ version }) => version).filter((version) => !standing.has(version)),
    events: changeEvents(
      repository,
      now,
      { ...decided, held: [...offer.carried.held, ...decided.held] },
      last.held,
    ),
  };
}

function filesAt(paths: readonly string[], { files }: Tree): TreeFile[] {
  return paths.map((path) => {
    const file = files.get(path);
    if (file !== undefined) return file;
    throw new SeraiError('internal', `the path ${path} was admitted and is not in the tree`);
  });
}

/**
 * All versions of the packages that the offer touches, and of those that `more` are of: those that stand, with their
 * facts, and those that are offered.
 */
async function concernedVersions(
  { touched, offered }: Offer,
  more: readonly string[],
  { tree, read, state }: StandingState,
): Promise<Pick<StepInput, 'before' | 'standing' | 'offered'> & { readonly names: ReadonlySet<string> }> {
  const names = new Set([...touched, ...more].map(packageNameOf));
  const facts = new Map<string, FileFacts>();
  // A package's files are all in one piece.
  const indexes = [...new Set(Array.from(names, (name) => tree.pieceAt(lastPathOf(name))))];
  await tree.load(indexes.filter((index) => index >= 0));
  for (const index of indexes) {
    if (index < 0) continue;
    for (const file of tree.filesIn(index)) {
      const place = packageIdOfPath(file.path);
      if (place !== undefined && names.has(place.id.name)) facts.set(file.path, file);
    }
  }
  const standing = filesByVersion(facts.keys());
  const all = new Map(offered);
  // What is not touched and was not removed is offered as it stands.
  for (const [version, files] of standing)
    if (!touched.has(version) && !all.has(version) && state.removed[version] === undefined)
      all.set(version, files);
  return { names, before: { facts, read }, standing, offered: all };
}

/** Behind every path of the package, and before those of the next one. */
function lastPathOf(name: string): string {
  return `packages/${name}/\u00ff`;
}

export interface DecidedChanges {
  readonly held: readonly Omit<HeldChange, 'served'>[];
  /** Allowed or warned of, in the order of the findings. */
  readonly passed: readonly ChangeRecord[];
  readonly warned: ReadonlySet<string>;
}

async function decide(
  input: AcceptanceInput,
  findings: ReadonlyMap<string, Finding>,
  offered: ReadonlyMap<string, readonly string[]>,
  last: AcceptedState,
): Promise<DecidedChanges> {
  const { policy, now } = input;
  const held: Omit<HeldChange, 'served'>[] = [];
  const passed: ChangeRecord[] = [];
  const refused: ChangeRecord[] = [];
  const warned = new Set<string>();
  const knownHolds = new Map(last.held.map((change) => [change.version, change]));
  for (const [version, finding] of findings) {
    const { class: found, before, after } = finding;
    const change = { version, class: found, before, after, at: now };
    const action = policy[found];
    if (action === 'allow' || action === 'warn') {
      passed.push(change);
      if (action === 'warn') warned.add(version);
      continue;
    }
    const form = await formOf(input.candidate, offered.get(version) ?? []);
    if (input.released(version, form)) passed.push(change);
    else if (action === 'refuse') refused.push(change);
    else {
      const known = knownHolds.get(version);
      held.push({ ...change, form, at: known?.form === form && known.class === found ? known.at : now });
    }
  }
  if (refused.length > 0) throw refusal(input.repository, refused);
  return { held, passed, warned };
}

/** Names the version as the upstream has it, by the bytes of its files: what a person releases is this alone. */
async function formOf(candidate: Tree, paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for await (const [path, bytes] of candidate.read(paths))
    hash.update(listingLine({ path, sha256: sha256Of(bytes) }), 'latin1');
  return hash.digest('hex');
}

/** Of each version, the last one first; those of held forms are no identities. */
function identitiesOf(seen: readonly FirstSeen[]): ReadonlyMap<string, readonly string[]> {
  const byVersion = Map.groupBy(seen, ({ version }) => version);
  return new Map(
    [...byVersion].map(([version, all]) => [
      version,
      all.toSorted((a, b) => b.at - a.at).map(({ identity }) => identity),
    ]),
  );
}

/** The same for versions of a package that clients cannot tell apart. */
function equalityKey(version: string): string {
  const id = parsePackageId(version);
  return id === undefined ? version : `${id.name}.${orderKey(id.version)}`;
}

function refusal(repository: string, changes: readonly ChangeRecord[]): SeraiError {
  const lines = changes
    .slice(0, REFUSED_SHOWN)
    .map(({ version, class: found, before, after }) => `${version}: ${found}: ${before} → ${after}`);
  if (changes.length > lines.length) lines.push(`and ${changes.length - lines.length} more`);
  const first = `repository ${repository}: its policy refuses the update; what was published stays`;
  lines.push(
    'to let one of these through, set its class to "hold", sync, and release it with serai hold release',
  );
  return new SeraiError('snapshot-refused', [first, ...lines].join('\n  '));
}
