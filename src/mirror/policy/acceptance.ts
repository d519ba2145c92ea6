/**
 * From a verdict to the accepted tree: what happens to published versions is judged by the guard, and policy says
 * what becomes of it (issue 4, points 2 and 3). A version that is held stays in its last good form, or out.
 */

import { createHash } from 'node:crypto';
import { SeraiError } from '../../errors.ts';
import { parsePackageId } from '../../opam/package-id.ts';
import { compareBytewise, type Tree } from '../../opam/tree.ts';
import type { EventInput, FirstSeen } from '../../store/catalogue.ts';
import type { Verdict } from '../../verify/dialect.ts';
import type { Finding } from '../../verify/guard/guard.ts';
import { orderKey } from '../../verify/guard/order-key.ts';
import type { ChangePolicy } from '../../verify/policy/changes.ts';
import { joinTrees } from '../index/joined-tree.ts';
import { listingLine } from '../index/pieces.ts';
import type { PiecesTree } from '../index/pieces-tree.ts';
import { sha256Of } from '../index/snapshot-id.ts';
import { filesByVersion } from '../index/version-files.ts';
import { admit } from '../trust/admission.ts';
import type { AcceptedState, ChangeRecord, HeldChange } from './accepted-state.ts';
import { changeEvents } from './change-events.ts';
import type { RuledVersion } from './derivation.ts';
import { judgeStep } from './guard-step.ts';
import { withoutMisplaced } from './misplaced.ts';
import type { Pins } from './pin-changes.ts';

/** Changes that passed are remembered for people, so many; the log has all. */
const PASSED_KEPT = 200;
/** Changes that a refusal names. */
const REFUSED_SHOWN = 20;

export interface AcceptanceInput {
  readonly repository: string;
  readonly candidate: Tree;
  readonly verdict: Verdict;
  /** Versions that the candidate lacks because they are held where it comes from. */
  readonly heldElsewhere?: readonly RuledVersion[] | undefined;
  /** Undefined before anything was accepted: then everything is taken for granted. */
  readonly previous?: { readonly tree: PiecesTree; readonly state: AcceptedState } | undefined;
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

export interface Acceptance {
  readonly tree: Tree;
  /** In C order, without `repo`. */
  readonly paths: readonly string[];
  readonly state: Pick<AcceptedState, 'removed' | 'held' | 'passed' | 'withheld' | 'offered'>;
  /** Versions that are held out of the tree, and were seen all the same. */
  readonly seen: readonly string[];
  readonly events: readonly EventInput[];
}

/** Throws `snapshot-refused` when policy refuses a change. */
export async function acceptTree(input: AcceptanceInput): Promise<Acceptance> {
  const { candidate, verdict, previous, now, repository } = input;
  const admitted = admit(verdict);
  const { paths, misplaced } = withoutMisplaced(admitted.paths.filter((path) => path !== 'repo'));
  const offered = filesByVersion(paths);
  const withheld = [
    ...admitted.held.map(({ version, rule, reason }) => ({ version, rule, reason })),
    ...(input.heldElsewhere ?? []),
    ...misplaced,
  ];
  const base = { withheld, offered: offered.size };
  if (previous === undefined) {
    const state = { ...base, removed: {}, held: [], passed: [] };
    return { tree: joinTrees(paths, candidate, undefined, new Set()), paths, state, seen: [], events: [] };
  }

  const { tree: before, state: last } = previous;
  const standing = filesByVersion(before.files.keys());
  const withheldVersions = new Set(withheld.map(({ version }) => version));
  const wasRemoved = new Map(Object.entries(last.removed));
  const { findings, added } = await judgeStep({
    before,
    standing,
    removed: (version) => wasRemoved.has(version),
    now: candidate,
    offered,
    withheld: (version) => withheldVersions.has(version),
    identities: async (name) => identitiesOf(await input.firstSeen(name)),
    pins: input.pins,
    depth: input.depth,
  });
  const decided = await decide(input, findings, offered, last);
  const heldVersions = new Map(decided.held.map((change) => [change.version, change]));

  const kept = new Set<string>();
  const keptVersions = new Set<string>();
  const removed: Record<string, number> = {};
  const came = new Set(added.filter((version) => !heldVersions.has(version)).map(equalityKey));
  for (const [version, files] of standing) {
    const isHeld = heldVersions.has(version);
    if (withheldVersions.has(version) || (offered.has(version) && !isHeld)) continue;
    const since = wasRemoved.get(version) ?? (isHeld ? undefined : now);
    // One that takes its place, and that clients could not tell from it, ends its stay.
    const isReplaced = !isHeld && came.has(equalityKey(version));
    if (since !== undefined && (isReplaced || now - since >= input.keepRemoved)) continue;
    if (since !== undefined) removed[version] = since;
    keptVersions.add(version);
    for (const path of files) kept.add(path);
  }
  // A held version's new files stay out; those that were there are kept, mostly under the same paths.
  const heldOut = new Set([...heldVersions.keys()].flatMap((version) => offered.get(version) ?? []));
  const fresh = paths.filter((path) => !kept.has(path) && !heldOut.has(path));
  const all = [...fresh, ...kept].sort(compareBytewise);
  return {
    tree: joinTrees(all, candidate, before, kept),
    paths: all,
    state: {
      ...base,
      removed,
      held: decided.held.map((change) => ({
        ...change,
        served: keptVersions.has(change.version) ? ('last-good' as const) : ('none' as const),
      })),
      passed: [...decided.passed, ...last.passed].slice(0, PASSED_KEPT),
    },
    seen: decided.held.map(({ version }) => version).filter((version) => !standing.has(version)),
    events: changeEvents(repository, now, decided, last.held),
  };
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
