/** `serai log`: what happened on this mirror, from its append-only log, and whether the log is whole. */
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { scanEvents, startOfLast, verifyLog } from '../mirror/report/event-scan.ts';
import type { Catalogue, LoggedEvent } from '../store/catalogue.ts';
import { describeEvent } from './event-words.ts';
import { Lines } from './lines.ts';
import { requireRepository, withMirror } from './with-mirror.ts';

export interface LogFlags {
  readonly json: boolean;
  readonly verify: boolean;
  readonly from?: string | undefined;
  readonly last?: string | undefined;
}

/** Resolves to the exit code: 1 when the log is broken, or nobody reads on. */
export async function log(config: Config, repository: string | undefined, flags: LogFlags): Promise<0 | 1> {
  requireRepository(config, repository);
  const from = countOf('--from', flags.from);
  const last = countOf('--last', flags.last);
  if (from !== undefined && last !== undefined)
    throw new SeraiError('usage', '--from and --last both say where to begin; give one of them');
  if (!flags.verify)
    return withMirror(config, ({ catalogue }) => print(repository, { from, last }, flags.json, catalogue));
  if (repository !== undefined || from !== undefined || last !== undefined)
    throw new SeraiError('usage', '--verify looks at the whole log, from its first event to the last');
  return withMirror(config, ({ catalogue }) => verify(flags.json, catalogue));
}

async function print(
  repository: string | undefined,
  { from, last }: { readonly from: number | undefined; readonly last: number | undefined },
  json: boolean,
  catalogue: Catalogue,
): Promise<0 | 1> {
  // What is denied everywhere concerns each repository.
  const isWanted = (event: LoggedEvent): boolean =>
    repository === undefined || event.repository === repository || event.repository === '';
  const begin = last === undefined ? (from ?? 1) : await startOfLast(last, isWanted, catalogue);
  const lines = new Lines();
  for await (const event of scanEvents(catalogue, begin)) {
    if (lines.signal.aborted) return 1;
    if (isWanted(event)) await lines.add(json ? jsonOf(event) : lineOf(event));
  }
  await lines.flush();
  return lines.signal.aborted ? 1 : 0;
}

function lineOf(event: LoggedEvent): string {
  const { at, repository, kind } = event;
  return `${timeOf(at)}  ${repository === '' ? '(all)' : repository}  ${kind}  ${describeEvent(event)}`;
}

function jsonOf({ sequence, at, repository, kind, detail, previous, hash }: LoggedEvent): string {
  // A text that is no JSON was never written by this program, and is shown as it stands.
  const parsed = parseJson(detail) ?? detail;
  return JSON.stringify({ sequence, at: timeOf(at), repository, kind, detail: parsed, previous, hash });
}

/** A time that no calendar has was never written by this program. */
function timeOf(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}

async function verify(json: boolean, catalogue: Catalogue): Promise<0 | 1> {
  const { events, last, broken } = await verifyLog(catalogue);
  if (json) process.stdout.write(`${JSON.stringify({ events, last, broken: broken ?? null })}\n`);
  else if (broken === undefined) {
    process.stdout.write(`${events} events, the last hash is ${last}\n`);
    process.stderr.write(
      'keep that hash elsewhere: events that are cut off at the end leave no other trace\n',
    );
  }
  if (broken === undefined) return 0;
  process.stderr.write(
    `serai: the log is broken: event ${broken} does not follow from the ${events} before it; it was changed, or ` +
      'events before it were taken out. Compare it with a copy of the data folder\n',
  );
  return 1;
}

function countOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count;
  throw new SeraiError('usage', `${flag} ${text}: expected a whole number from 1 on`);
}
