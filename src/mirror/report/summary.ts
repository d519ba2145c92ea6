/** What a snapshot says of itself to people and to the archive fetcher; stored as JSON beside it. */
import { z } from 'zod';
import { SeraiError } from '../../errors.ts';
import { parseJson } from '../../json.ts';
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import type { PieceFiles } from '../index/standing-tree.ts';
import type { AcceptedState, HeldChange } from '../policy/accepted-state.ts';
import type { Derivation, RuledVersion } from '../policy/derivation.ts';

const summarySchema = z.object({
  packages: z.int(),
  versions: z.int(),
  archives: z.int(),
  archiveMirrors: z.array(z.string()),
  held: z.array(z.object({ version: z.string(), rule: z.string(), reason: z.string() })),
  heldByPolicy: z.int().exactOptional(),
  keptBack: z.array(z.object({ version: z.string(), rule: z.string(), reason: z.string() })),
  warned: z.array(z.object({ version: z.string(), rule: z.string(), reason: z.string() })),
  removed: z.int(),
  rules: z.string(),
  changesAt: z.int().exactOptional(),
  signedAt: z.int().exactOptional(),
  warnings: z.array(z.string()).exactOptional(),
  root: z.object({ date: z.string(), fingerprints: z.array(z.string()), quorum: z.int() }).exactOptional(),
});

export interface Summary {
  readonly packages: number;
  readonly versions: number;
  /** Distinct sets of checksums. */
  readonly archives: number;
  /** Upstream's own archive caches, absolute. */
  readonly archiveMirrors: readonly string[];
  /** Versions that upstream has and this snapshot does not, with the rule and the reason. */
  readonly held: readonly RuledVersion[];
  /** How many of `held`, the last ones, policy holds; undefined in what an older serai published. */
  readonly heldByPolicy?: number;
  /** Versions that are served in their last good form, and what is wrong with upstream's. */
  readonly keptBack: readonly RuledVersion[];
  /** What policy says of versions that are served all the same. */
  readonly warned: readonly RuledVersion[];
  /** Versions that are served although upstream removed them. */
  readonly removed: number;
  /** Digest of all that decided what is served of the accepted tree. */
  readonly rules: string;
  /** When time alone may change that; milliseconds since the epoch. */
  readonly changesAt?: number;
  /** The date that the upstream signed, in milliseconds since the epoch; undefined where it signs none. */
  readonly signedAt?: number;
  /** What verification says loudly although it refuses nothing. */
  readonly warnings?: readonly string[];
  /** Who is at the root of the trust, where the upstream is signed. */
  readonly root?: {
    readonly date: string;
    readonly fingerprints: readonly string[];
    readonly quorum: number;
  };
}

export function encodeSummary(summary: Summary): string {
  return JSON.stringify(summary);
}

/** Throws `store-corrupt` when the text is not what {@link encodeSummary} wrote. */
export function decodeSummary(text: string): Summary {
  const parsed = summarySchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SeraiError('store-corrupt', 'the catalogue holds a snapshot summary that cannot be read', {
    cause: parsed.error,
  });
}

/** How many there are in a tree. */
export type Counts = Pick<Summary, 'packages' | 'versions' | 'archives'>;

/** Packages and versions in these pieces; a package is whole in one. */
export function countVersions(pieces: readonly PieceFiles[]): Pick<Counts, 'packages' | 'versions'> {
  const packages = new Set<string>();
  const versions = new Set<string>();
  for (const { files } of pieces) {
    for (const { path } of files) {
      const place = packageIdOfPath(path);
      if (place?.file !== 'opam') continue;
      packages.add(place.id.name);
      versions.add(showPackageId(place.id));
    }
  }
  return { packages: packages.size, versions: versions.size };
}

export interface SummaryInput {
  readonly counts: Counts;
  readonly state: AcceptedState;
  readonly derivation: Derivation;
  /** Whether clients get the version. */
  readonly serves: (version: string) => boolean;
  readonly rules: string;
}

/** Of what is served, and of what is known of the accepted tree behind it. */
export function summarize({ counts, state, derivation, serves, rules }: SummaryInput): Summary {
  const ofChange = ({ version, class: rule, before, after }: HeldChange): RuledVersion => ({
    version,
    rule,
    reason: `${before} → ${after}`,
  });
  const byPolicy = new Set(derivation.held.map(({ version }) => version));
  const isServed = ({ version }: HeldChange): boolean => serves(version);
  const isOut = (change: HeldChange): boolean => !isServed(change) && !byPolicy.has(change.version);
  return {
    ...counts,
    archiveMirrors: state.archiveMirrors,
    held: [
      ...state.withheld,
      ...state.unreadable,
      ...state.held.filter(isOut).map(ofChange),
      ...derivation.held,
    ],
    heldByPolicy: derivation.held.length,
    // Its last good form may itself be held by policy, or have been removed for too long.
    keptBack: state.held.filter(isServed).map(ofChange),
    warned: derivation.warnings,
    removed: Object.keys(state.removed).filter(serves).length,
    rules,
    ...(derivation.changesAt === undefined ? {} : { changesAt: derivation.changesAt }),
    ...(state.signedAt === undefined ? {} : { signedAt: state.signedAt }),
    ...(state.warnings.length === 0 ? {} : { warnings: state.warnings }),
    ...(state.root === undefined ? {} : { root: state.root }),
  };
}
