/**
 * From a verdict to the accepted tree: what happens to published versions is judged by the guard, and policy says
 * what becomes of it (issue 4, points 2 and 3). A version that is held stays in its last good form, or out.
 */
import { SeraiError } from '../../errors.ts';
import type { Tree, TreeFile } from '../../opam/tree.ts';
import type { EventInput, FirstSeen } from '../../store/catalogue.ts';
import type { Verdict } from '../../verify/dialect.ts';
import type { AcceptedState } from './accepted-state.ts';
import { caseCollisions, settleCollisions } from './case-collision.ts';
import { changeEvents } from './change-events.ts';
import { concernedPackages, type StandingState } from './concerned-packages.ts';
import { type DecisionInput, decideChanges } from './decided-changes.ts';
import type { RuledVersion } from './derivation.ts';
import { judgeStep } from './guard-step.ts';
import { firstOffer, type KnownStep, stepOffer, wholeOffer } from './offer.ts';
import type { Pins } from './pin-changes.ts';
import { whatStays } from './staying-versions.ts';

/** Changes that passed are remembered for people, so many; the log has all. */
const PASSED_KEPT = 200;

export interface AcceptanceInput extends DecisionInput {
  readonly verdict: Verdict;
  /** Where it is known what changed since the tree that was accepted last: the candidate is that alone. */
  readonly step?: KnownStep | undefined;
  /** Versions that the candidate lacks because they are held where it comes from. */
  readonly heldElsewhere?: readonly RuledVersion[] | undefined;
  /** Undefined before anything was accepted: then everything is taken for granted. */
  readonly previous?: StandingState | undefined;
  /** Milliseconds; Infinity for ever. */
  readonly keepRemoved: number;
  /** All that was seen of the versions of a package. */
  readonly firstSeen: (packageName: string) => Promise<readonly FirstSeen[]>;
  readonly pins: Pins;
  readonly depth: number;
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
  const concerned = await concernedPackages(offer, more, previous);
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
  const decided = await decideChanges(input, findings, offer.offered, last);
  const heldVersions = new Set(decided.held.map(({ version }) => version));
  const { blocked, replaced } = settleCollisions(
    collisions,
    (version) => heldVersions.has(version),
    (version) => heldVersions.has(version) || offer.carried.held.some((change) => change.version === version),
  );

  const isOut = (version: string): boolean => heldVersions.has(version) || blocked.has(version);
  const { kept, leaving, removed } = whatStays({
    offer,
    concerned,
    previous,
    withheld: withheldVersions,
    held: heldVersions,
    came: added.filter((version) => !isOut(version)),
    replaced,
    isOver,
    now,
  });
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
    served: kept.has(change.version) ? ('last-good' as const) : ('none' as const),
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
