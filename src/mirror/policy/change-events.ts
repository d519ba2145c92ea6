/** What the log tells of the changes that one update brought. */
import type { EventInput } from '../../store/catalogue.ts';
import { type EventKind, eventOf } from '../report/events.ts';
import type { ChangeRecord, HeldChange } from './accepted-state.ts';
import type { DecidedChanges } from './decided-changes.ts';
import type { RuledVersion } from './derivation.ts';

/** More changes of one class than these are one event: an upstream that archives removes thousands at once. */
const EACH = 50;
/** Versions that such an event names; all are counted. */
const NAMED = 1000;

export function changeEvents(
  repository: string,
  at: number,
  { held, passed, warned }: DecidedChanges,
  before: readonly HeldChange[],
): EventInput[] {
  const known = new Set(before.map(({ version, form, class: found }) => `${version} ${form} ${found}`));
  const fresh = held.filter(({ version, form, class: found }) => !known.has(`${version} ${form} ${found}`));
  const still = new Set(held.map(({ version }) => version));
  const over = before.filter(({ version }) => !still.has(version));
  const told = (kind: EventKind, changes: readonly ChangeRecord[]): EventInput[] =>
    [...Map.groupBy(changes, (change) => change.class).values()].flatMap((group) =>
      grouped(kind, repository, at, group.map(ruled)),
    );
  return [
    ...told('held', fresh),
    ...told('unheld', over),
    ...told(
      'warned',
      passed.filter(({ version }) => warned.has(version)),
    ),
    ...told(
      'changed',
      passed.filter(({ version }) => !warned.has(version)),
    ),
  ];
}

/** What is held, and the changes among it, of which {@link changeEvents} tells. */
export interface Holds {
  readonly held: readonly RuledVersion[];
  readonly changes: readonly HeldChange[];
}

/** What the log tells of versions that are held from now on, and of those that are not any more. */
export function servingEvents(repository: string, at: number, was: Holds, is: Holds): EventInput[] {
  const before = withoutChanges(was);
  const after = withoutChanges(is);
  const minus = (all: readonly RuledVersion[], known: readonly RuledVersion[]): readonly RuledVersion[] => {
    const keys = new Set(known.map(({ version, rule }) => `${version} ${rule}`));
    return all.filter(({ version, rule }) => !keys.has(`${version} ${rule}`));
  };
  const told = (kind: EventKind, versions: readonly RuledVersion[]): EventInput[] =>
    [...Map.groupBy(versions, ({ rule }) => rule).values()].flatMap((group) =>
      grouped(kind, repository, at, group),
    );
  return [...told('held', minus(after, before)), ...told('unheld', minus(before, after))];
}

function withoutChanges({ held, changes }: Holds): readonly RuledVersion[] {
  const told = new Set(changes.map(({ version, class: rule }) => `${version} ${rule}`));
  return held.filter(({ version, rule }) => !told.has(`${version} ${rule}`));
}

function grouped(
  kind: EventKind,
  repository: string,
  at: number,
  told: readonly RuledVersion[],
): EventInput[] {
  if (told.length <= EACH) return told.map((one) => eventOf(kind, at, repository, one));
  const [first] = told;
  const versions = told.slice(0, NAMED).map(({ version }) => version);
  return [eventOf(kind, at, repository, { rule: first?.rule, count: told.length, versions })];
}

function ruled({ version, class: rule, before, after }: ChangeRecord): RuledVersion {
  return { version, rule, reason: `${before} → ${after}` };
}
