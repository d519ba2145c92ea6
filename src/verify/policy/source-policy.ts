/** What policy makes of a version's sources: weak and missing hashes, and the mirror's own address in their place. */
import type { Checksum, HashKind } from '../../hashes.ts';
import type { SourceEdit } from '../../opam/source-edits.ts';
import { type DeclaredSource, isChecked, isStrong, pinKey, showSource } from './declared-source.ts';
import type { PolicyHold, PolicyRule, PolicyWarning } from './holds.ts';

export type HashAction = 'allow' | 'strengthen' | 'warn' | 'hold';

export interface SourcePolicy {
  /** For archives with weak checksums only. */
  readonly weakHashes: HashAction;
  /** For archives without any checksum that clients compare, and checkouts, which have none. */
  readonly missingHashes: HashAction;
  /** Strong hashes by {@link pinKey}. */
  readonly pins: ReadonlyMap<string, readonly Checksum[]>;
  /** The address of this repository's `cache`, without a slash at its end, with `rewrite_sources`. */
  readonly cacheUrl: string | undefined;
}

export interface SourceDecision {
  readonly hold?: PolicyHold;
  readonly warnings: readonly PolicyWarning[];
  readonly edits: readonly SourceEdit[];
}

/** The kind whose address the mirror is asked by: the one that blobs are stored by comes first. */
const ADDRESS_KINDS: readonly HashKind[] = ['sha256', 'sha512', 'md5'];

/** A version that a person released is warned of where it would be held; nothing releases from `outside-source`. */
export function decideSources(
  sources: readonly DeclaredSource[],
  released: boolean,
  policy: SourcePolicy,
): SourceDecision {
  const holds: PolicyHold[] = [];
  const warnings: PolicyWarning[] = [];
  const edits: SourceEdit[] = [];
  for (const source of sources) {
    const added = addedChecksums(source, policy);
    for (const rule of hashRules(source)) {
      const action = rule === 'weak-hashes' ? policy.weakHashes : policy.missingHashes;
      if (action === 'allow' || (action === 'strengthen' && added.length > 0)) continue;
      const found = hashReason(source, rule);
      if (action === 'hold' && !released) holds.push({ rule, reason: found });
      else warnings.push({ rule, reason: `${found}; ${servedAllTheSame(source, action)}` });
    }
    const src = policy.cacheUrl === undefined ? undefined : addressOf(source, added, policy.cacheUrl);
    if (policy.cacheUrl !== undefined && src === undefined) holds.push(outside(source));
    if (added.length > 0 || src !== undefined) edits.push(edit(source, added, src));
  }
  const hold = holds.find(({ rule }) => rule !== 'outside-source') ?? holds[0];
  return hold === undefined ? { warnings, edits } : { hold, warnings: [], edits: [] };
}

/**
 * The rules that the source falls under. A malformed checksum makes clients compare nothing, as if none were
 * there, and must not get weak ones past the rule that is about them.
 */
function hashRules(source: DeclaredSource): readonly PolicyRule[] {
  const strong = source.checksums.some(isStrong);
  if (isChecked(source)) return strong ? [] : ['weak-hashes'];
  const weak = source.kind === 'archive' && source.checksums.length > 0 && !strong;
  return weak ? ['weak-hashes', 'missing-hashes'] : ['missing-hashes'];
}

/** The pinned hashes where they are wanted and known. */
function addedChecksums(source: DeclaredSource, policy: SourcePolicy): readonly Checksum[] {
  const action = source.checksums.length > 0 ? policy.weakHashes : policy.missingHashes;
  const key = action === 'strengthen' ? pinKey(source) : undefined;
  return key === undefined ? [] : (policy.pins.get(key) ?? []).filter(isStrong);
}

function hashReason(source: DeclaredSource, rule: PolicyRule): string {
  const what = showSource(source);
  if (source.kind === 'version-control') return `${what} comes from version control, without a checksum`;
  if (source.malformed.length > 0)
    return `${what} has a malformed checksum, so that clients compare none of them`;
  return rule === 'weak-hashes' ? `${what} has only weak checksums (md5)` : `${what} has no checksum`;
}

function servedAllTheSame(source: DeclaredSource, action: HashAction): string {
  if (action === 'hold') return 'a person released it';
  if (action === 'warn') return 'it is served as it is';
  return pinKey(source) === undefined
    ? 'it cannot be strengthened, and is served as it is'
    : 'it could not be fetched yet to add strong ones, and is served as it is';
}

/** Where the mirror gives it; undefined where it cannot, or where there is no room to keep what stood there. */
function addressOf(source: DeclaredSource, added: readonly Checksum[], cacheUrl: string): string | undefined {
  if (source.inUrlFile || (!isChecked(source) && added.length === 0)) return undefined;
  const all = [...added, ...source.checksums];
  for (const kind of ADDRESS_KINDS) {
    const hex = all.find((checksum) => checksum.kind === kind)?.hex;
    if (hex !== undefined) return `${cacheUrl}/${kind}/${hex.slice(0, 2)}/${hex}`;
  }
  return undefined;
}

function outside(source: DeclaredSource): PolicyHold {
  const why =
    source.kind === 'version-control'
      ? 'it comes from version control'
      : source.malformed.length > 0
        ? 'it has a malformed checksum'
        : source.checksums.length === 0
          ? 'it has no checksum; missing_hashes = "strengthen" adds one'
          : 'it stands in a url file of format 1.2, whose address cannot be replaced';
  return { rule: 'outside-source', reason: `${showSource(source)} cannot come from this mirror: ${why}` };
}

function edit(source: DeclaredSource, added: readonly Checksum[], src: string | undefined): SourceEdit {
  return {
    ...(source.name === undefined ? {} : { name: source.name }),
    ...(added.length === 0 ? {} : { checksums: added }),
    ...(src === undefined ? {} : { src }),
  };
}
