/**
 * What pinned hashes say about the change of a version. Where upstream had weak checksums or none, its files alone
 * cannot tell a strong hash that is added for the same bytes from one for others; the pin can (issue 4, point 4).
 */
import type { Checksum } from '../../hashes.ts';
import { showChecksum } from '../../hashes.ts';
import { parseChecksum } from '../../opam/sources.ts';
import { gravestReasons, type Reason } from '../../verify/guard/classes.ts';
import type { SourceView, VersionSources } from '../../verify/guard/sources.ts';
import { pinKey } from '../../verify/policy/declared-source.ts';

/** Strong hashes by what they are kept under. */
export type Pins = ReadonlyMap<string, readonly Checksum[]>;

/** The gravest that the pins hold against it, undefined for nothing; `returns` for a version that was gone. */
export function pinReason(
  before: VersionSources,
  after: VersionSources,
  returns: boolean,
  pins: Pins,
): Reason | undefined {
  if (pins.size === 0) return undefined;
  const reasons: Reason[] = [];
  const altered = returns ? 'version-reborn' : 'archive-altered';
  const archive = contradiction(before.archive, after.archive, pins);
  if (archive !== undefined) reasons.push({ class: altered, ...archive });
  for (const [name, view] of before.extras) {
    const extra = contradiction(view, after.extras.get(name), pins);
    if (extra !== undefined) reasons.push({ class: 'extra-source-altered', ...extra });
  }
  return gravestReasons(reasons)[0];
}

/** A hash of a kind that is pinned, with another value. */
function contradiction(
  before: SourceView | undefined,
  after: SourceView | undefined,
  pins: Pins,
): Pick<Reason, 'before' | 'after'> | undefined {
  const key = before === undefined ? undefined : keyOf(before);
  const pinned = key === undefined ? undefined : pins.get(key);
  for (const { kind, hex } of pinned ?? []) {
    const other = checksumsOf(after).find((checksum) => checksum.kind === kind && checksum.hex !== hex);
    if (other !== undefined)
      return { before: `${showChecksum({ kind, hex })} (pinned)`, after: showChecksum(other) };
  }
  return undefined;
}

function keyOf(view: SourceView): string | undefined {
  const { src, malformed } = view;
  return pinKey({ src, kind: 'archive', checksums: checksumsOf(view), malformed, inUrlFile: false });
}

function checksumsOf(view: SourceView | undefined): Checksum[] {
  return (view?.checksums ?? []).flatMap((text) => parseChecksum(text) ?? []);
}
