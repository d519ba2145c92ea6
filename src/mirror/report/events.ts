/** The closed set of what the append-only log tells, and the shape of each kind's details. */
import { z } from 'zod';
import { parseJson } from '../../json.ts';
import type { EventInput } from '../../store/catalogue.ts';

export const EVENT_KINDS = [
  /** A snapshot became the present one. */
  'published',
  /** Policy let changes of published versions pass: `allow`, and with a warning `warn`. */
  'changed',
  'warned',
  /** Versions are held from now on, or no longer. */
  'held',
  'unheld',
  /** A whole update was refused. */
  'refused',
  /** A person's decisions. */
  'denied',
  'undenied',
  'released',
  'trust-accepted',
  'trust-forgotten',
  /** Strong hashes of an archive were found, and are demanded for ever. */
  'pinned',
  /** A stored blob no longer had its hash, and was put aside. */
  'blob-quarantined',
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

export function eventOf(kind: EventKind, at: number, repository: string, detail: unknown): EventInput {
  return { at, repository, kind, detail: JSON.stringify(detail) };
}

/** Of `changed`, `warned`, `held` and `unheld`: one version, or many by the same rule of which the first are named. */
const ruledDetail = z.union([
  z.object({ version: z.string(), rule: z.string(), reason: z.string() }),
  z.object({ rule: z.string(), count: z.int(), versions: z.array(z.string()) }),
]);

/** What an event says of versions. */
export interface RuledDetail {
  readonly rule: string;
  /** Of one version alone. */
  readonly reason?: string;
  /** At most the first thousand. */
  readonly versions: readonly string[];
  readonly count: number;
}

/** Undefined for an event that says nothing of versions. */
export function ruledDetailOf({ detail }: Pick<EventInput, 'detail'>): RuledDetail | undefined {
  const parsed = ruledDetail.safeParse(parseJson(detail));
  if (!parsed.success) return undefined;
  if ('versions' in parsed.data) return parsed.data;
  const { version, rule, reason } = parsed.data;
  return { rule, reason, versions: [version], count: 1 };
}
