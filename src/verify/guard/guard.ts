/**
 * The guard: what happens to versions once they are published, for upstreams that sign nothing (issue 4).
 *
 * It judges steps from one tree to the next, each with the changes alone. Of the tree it remembers which
 * versions stand; of a version that went, its sources, so that one that comes back is recognised. It reads
 * nothing: `observe` says which files it has to know, and `judge` is given their facts. Between the two other
 * steps may be observed, so that reading can run ahead.
 */
import type { PackageId } from '../../opam/package-id.ts';
import { showPackageId } from '../../opam/package-id.ts';
import type { Change } from '../history.ts';
import { type ChangeClass, gravestReasons, type Reason } from './classes.ts';
import { type FileFacts, lookUp } from './facts.ts';
import { changeReasons } from './judge.ts';
import { PublishedVersions, type VersionChange, type VersionFiles } from './published-versions.ts';
import { returnReasons, showSource } from './source-changes.ts';
import { isReadable, sourcesOfForm, type VersionForm, type VersionSources } from './sources.ts';
import { showPair } from './texts.ts';

/** What a step does to a version that is published already. */
export interface Finding {
  readonly id: PackageId;
  readonly class: ChangeClass;
  /** Short, for people: checksums, an address, what a field says. */
  readonly before: string;
  readonly after: string;
}

/** Gives the facts of a file by its id, as `readFacts` makes them. */
export type FactsOf = (id: string) => FileFacts;

/** Texts of more reasons of one class than these are counted only. */
const REASONS_SHOWN = 3;

export class Guard {
  readonly #published = new PublishedVersions();
  /** Of versions that are gone, what they last were. By `name.version`. */
  readonly #removed = new Map<string, VersionSources>();
  /** Of standing versions that no client can read at present, what they were when it could. */
  readonly #readable = new Map<string, VersionSources>();

  /** Takes a tree for granted, file by file or in pieces: where judging begins. */
  begin(files: Iterable<Change>): void {
    this.#published.apply(files);
  }

  /** Tells of a version that stood once and does not any more, as `observe` would have noticed. */
  recall(id: PackageId, sources: VersionSources): void {
    this.#published.recall(id);
    this.#removed.set(showPackageId(id), sources);
  }

  /** What the step does to versions that are, or were, published. Each is to be judged, in this order. */
  observe(changes: Iterable<Change>): readonly VersionChange[] {
    return this.#published.apply(changes);
  }

  /** The finding for an observed change; undefined for a version that came back as it was. */
  judge(change: VersionChange, factsOf: FactsOf): Finding | undefined {
    const reasons = gravestReasons(this.#reasons(change, factsOf));
    const [first] = reasons;
    if (first === undefined) return undefined;
    const shown = reasons.slice(0, REASONS_SHOWN).map((reason) => showPair(reason.before, reason.after));
    const more = reasons.length > REASONS_SHOWN ? [`${reasons.length - REASONS_SHOWN} more`] : [];
    return {
      id: change.id,
      class: first.class,
      before: [...shown.map(([before]) => before), ...more].join('; '),
      after: [...shown.map(([, after]) => after), ...more].join('; '),
    };
  }

  #reasons(change: VersionChange, factsOf: FactsOf): Iterable<Reason> {
    const key = showPackageId(change.id);
    if (change.kind === 'removed') return this.#goes(key, formOf(change.before, factsOf));
    if (change.kind === 'added') return this.#comes(key, change, factsOf);
    // Only other files changed: what the version says need not be known.
    if (change.needs.length === 0) return changeReasons(undefined, change.others);
    const before = formOf(change.before, factsOf);
    const after = formOf(change.after, factsOf);
    const last = this.#readable.get(key);
    if (isReadable(after)) this.#readable.delete(key);
    else if (isReadable(before)) this.#readable.set(key, sourcesOfForm(before));
    return changeReasons({ before, after, last }, change.others);
  }

  *#goes(key: string, form: VersionForm): Generator<Reason> {
    // Of what no client could read, what it was before is remembered; if it never was, nothing.
    const sources = isReadable(form) ? sourcesOfForm(form) : this.#readable.get(key);
    this.#readable.delete(key);
    if (sources !== undefined) this.#removed.set(key, sources);
    yield { class: 'version-removed', before: showSource(sources?.archive), after: 'removed' };
  }

  *#comes(key: string, change: VersionChange & { kind: 'added' }, factsOf: FactsOf): Generator<Reason> {
    if (change.equals !== undefined)
      yield { class: 'equal-version', before: change.equals, after: change.id.version };
    const before = this.#removed.get(key);
    this.#removed.delete(key);
    if (before === undefined || !change.returns) return;
    const form = formOf(change.after, factsOf);
    if (!isReadable(form)) this.#readable.set(key, before);
    yield* returnReasons(before, sourcesOfForm(form));
  }
}

function formOf({ opam, url }: VersionFiles, factsOf: FactsOf): VersionForm {
  const facts = lookUp(opam, factsOf);
  return url === undefined ? { opam: facts } : { opam: facts, url: lookUp(url, factsOf) };
}
