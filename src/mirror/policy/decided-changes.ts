/** What policy makes of the guard's findings: a change passes, is held, or refuses the update. */
import { createHash } from 'node:crypto';
import { SeraiError } from '../../errors.ts';
import type { Tree } from '../../opam/tree.ts';
import type { Finding } from '../../verify/guard/guard.ts';
import type { ChangePolicy } from '../../verify/policy/changes.ts';
import { listingLine } from '../index/file-facts.ts';
import { sha256Of } from '../index/snapshot-id.ts';
import type { AcceptedState, ChangeRecord, HeldChange } from './accepted-state.ts';

/** Changes that a refusal names. */
const REFUSED_SHOWN = 20;

export interface DecisionInput {
  readonly repository: string;
  readonly candidate: Tree;
  readonly policy: ChangePolicy;
  /** Whether a person released this form of the version. */
  readonly released: (version: string, form: string) => boolean;
  readonly now: number;
}

export interface DecidedChanges {
  readonly held: readonly Omit<HeldChange, 'served'>[];
  /** Allowed or warned of, in the order of the findings. */
  readonly passed: readonly ChangeRecord[];
  readonly warned: ReadonlySet<string>;
}

/** Throws `snapshot-refused` when policy refuses a change. `offered` are paths by version. */
export async function decideChanges(
  input: DecisionInput,
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
