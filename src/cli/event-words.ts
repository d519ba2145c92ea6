/** What an event of the log says, in words. */
import { z } from 'zod';
import { parseJson } from '../json.ts';
import { type EventKind, ruledDetailOf } from '../mirror/report/events.ts';
import type { LoggedEvent } from '../store/catalogue.ts';
import { printable } from './output.ts';

/** Versions named of an event about many; `--json` has all. */
const NAMED = 5;

const published = z.object({
  snapshot: z.string(),
  versions: z.int(),
  held: z.int(),
  added: z.object({ count: z.int(), versions: z.array(z.string()) }).optional(),
});
const refused = z.object({ code: z.string(), message: z.string() });
const denied = z.object({ subject: z.string(), reason: z.string().optional() });
const released = z.object({ version: z.string(), rule: z.string(), reason: z.string() });
const anchors = z.object({ fingerprints: z.array(z.string()), quorum: z.int() });
const quarantined = z.object({ blob: z.string(), reason: z.string() });
const pinned = z.object({ key: z.string(), checksums: z.array(z.string()) });

const WORDS: Readonly<Record<EventKind, (detail: unknown, event: LoggedEvent) => string | undefined>> = {
  published: told(published, ({ snapshot, versions, held, added }) => {
    const without = held === 0 ? '' : `, ${held} held`;
    const news = added === undefined ? '' : `, new: ${named(added.versions, added.count)}`;
    return `${versions} versions as ${snapshot.slice(0, 16)}…${without}${news}`;
  }),
  changed: (_, event) => ruled(event),
  warned: (_, event) => ruled(event),
  held: (_, event) => ruled(event),
  unheld: (_, event) => ruled(event),
  refused: told(refused, ({ code, message }) => `the update was refused: ${message} [${code}]`),
  denied: told(denied, ({ subject, reason }) => `${subject}${reason === undefined ? '' : `: ${reason}`}`),
  undenied: told(denied, ({ subject }) => subject),
  released: told(released, ({ version, rule, reason }) => `${version} from ${rule}: ${reason}`),
  'trust-accepted': told(
    anchors,
    ({ fingerprints, quorum }) => `${quorum} of these root keys must have signed: ${fingerprints.join(', ')}`,
  ),
  'trust-forgotten': () => 'all that was trusted of it; the next sync begins anew',
  'blob-quarantined': told(quarantined, ({ blob, reason }) => `${blob} was put aside: ${reason}`),
  pinned: told(pinned, ({ key, checksums }) => `${key} is ${checksums.join(' ')} from now on`),
};

/** One line; what is not understood is shown as it stands. */
export function describeEvent(event: LoggedEvent): string {
  const { kind, detail } = event;
  const words = isKnown(kind) ? WORDS[kind](parseJson(detail), event) : undefined;
  return printable(words ?? detail);
}

function isKnown(kind: string): kind is EventKind {
  return Object.hasOwn(WORDS, kind);
}

function told<Detail>(
  schema: z.ZodType<Detail>,
  words: (detail: Detail) => string,
): (detail: unknown) => string | undefined {
  return (detail) => {
    const parsed = schema.safeParse(detail);
    return parsed.success ? words(parsed.data) : undefined;
  };
}

function ruled(event: LoggedEvent): string | undefined {
  const detail = ruledDetailOf(event);
  if (detail === undefined) return undefined;
  const { rule, reason, versions, count } = detail;
  if (reason !== undefined) return `${versions.join(', ')}: ${rule}: ${reason}`;
  return `${rule}: ${count} versions: ${named(versions, count)}`;
}

/** The first few of `count` versions. */
function named(versions: readonly string[], count: number): string {
  const shown = versions.slice(0, NAMED);
  const more = count > shown.length ? ` and ${count - shown.length} more` : '';
  return `${shown.join(', ')}${more}`;
}
