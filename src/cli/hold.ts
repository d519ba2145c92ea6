/** `serai hold`: what is held and why, and a person's release of a version from its hold. */
import type { Config } from '../config.ts';
import { type DenialEntry, denials, describeDenial } from '../mirror/policy/decisions.ts';
import { type Hold, timedHolds } from '../mirror/policy/holds.ts';
import { type Released, release } from '../mirror/policy/release.ts';
import { tellFailures } from './deny.ts';
import { printable } from './output.ts';
import { firstOf, requireReason, requireRepository, withMirror } from './with-mirror.ts';

/** Versions named under one rule of one repository; `--json` has all. */
const SHOWN = 20;

/** Resolves to the exit code. */
export async function listHolds(
  config: Config,
  repository: string | undefined,
  { json }: { readonly json: boolean },
): Promise<0> {
  requireRepository(config, repository);
  const names = repository === undefined ? Object.keys(config.repository) : [repository];
  const { holds, denied } = await withMirror(config, async (mirror) => ({
    holds: await timedHolds(names, mirror),
    denied: await denials(repository, mirror),
  }));
  process.stdout.write(
    json
      ? `${JSON.stringify({ holds, denials: denied }, undefined, 2)}\n`
      : `${describeAll(names, holds, denied).join('\n')}\n`,
  );
  return 0;
}

function describeAll(
  names: readonly string[],
  holds: readonly Hold[],
  denied: readonly DenialEntry[],
): readonly string[] {
  const lines: string[] = [];
  for (const name of names) {
    const own = holds.filter(({ repository }) => repository === name);
    lines.push(own.length === 0 ? `${name}: nothing is held` : `${name}: ${own.length} held`);
    for (const [rule, group] of Map.groupBy(own, (hold) => hold.rule)) {
      lines.push(`  ${rule} (${group.length})`);
      lines.push(...firstOf(group.map(describeHold), SHOWN).map((line) => `    ${line}`));
    }
  }
  if (denied.length > 0) lines.push('denied');
  lines.push(
    ...firstOf(
      denied.map((each) => printable(describeDenial(each))),
      SHOWN,
    ).map((line) => `  ${line}`),
  );
  return lines;
}

function describeHold({ version, reason, served, since, until }: Hold): string {
  const what = served === 'last-good' ? 'served in its last good form: ' : '';
  const times = [
    ...(since === undefined ? [] : [`since ${since}`]),
    ...(until === undefined ? [] : [`until ${until}`]),
  ];
  return `${version}: ${what}${printable(reason)}${times.length === 0 ? '' : ` (${times.join(', ')})`}`;
}

export interface ReleaseFlags {
  readonly reason: string;
  readonly json: boolean;
}

/** Resolves to the exit code: 1 when no release ends this hold, or something still holds the version. */
export async function releaseHold(
  config: Config,
  repository: string,
  version: string,
  { reason, json }: ReleaseFlags,
): Promise<0 | 1> {
  requireRepository(config, repository);
  const request = { repository, version, reason: requireReason(reason) };
  const outcome = await withMirror(config, (mirror) => release(request, mirror));
  if (json) process.stdout.write(`${JSON.stringify(outcome, undefined, 2)}\n`);
  if (outcome.kind === 'not-released') {
    const { hold, remedy } = outcome;
    process.stderr.write(
      `serai: ${outcome.version} cannot be released from ${hold.rule}: ${printable(hold.reason)}\n  what would help: ${remedy}\n`,
    );
    return 1;
  }
  if (!json) process.stdout.write(`${describeRelease(outcome).join('\n')}\n`);
  tellFailures(outcome.repositories);
  const failed = outcome.repositories.some(({ failure }) => failure !== undefined);
  return failed || (outcome.waits === undefined && outcome.remaining.length > 0) ? 1 : 0;
}

function describeRelease({ version, hold, waits, remaining, repositories }: Released): readonly string[] {
  const from = `${version} is released from ${hold.rule}`;
  if (waits !== undefined)
    return [
      `${from}, and takes effect with the next sync that succeeds: the bytes have to come from the upstream`,
      `  which cannot be had now: ${printable(waits.message)} [${waits.code}]`,
    ];
  if (remaining.length > 0)
    return [
      `${from}, but something holds it still:`,
      ...remaining.map(({ rule, reason }) => `  ${rule}: ${printable(reason)}`),
    ];
  const where = repositories.filter(({ added }) => added.length > 0).map(({ repository }) => repository);
  return [
    where.length === 0
      ? `${from}; it is served as the upstream has it`
      : `${from}; it is served in ${where.join(', ')}`,
  ];
}
