/** The closed set of what the append-only log tells, and the shape of each kind's details. */
import type { EventInput } from '../store/catalogue.ts';

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
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

export function eventOf(kind: EventKind, at: number, repository: string, detail: unknown): EventInput {
  return { at, repository, kind, detail: JSON.stringify(detail) };
}
