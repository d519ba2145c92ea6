/** `serai deny` and `serai undeny`: packages that are not served, whatever the upstreams have. */
import type { Config } from '../config.ts';
import {
  type DenialOutcome,
  denialPattern,
  deny as denyPackages,
  undeny as undenyPackages,
} from '../mirror/policy/decisions.ts';
import type { Followed } from '../mirror/policy/following.ts';
import { printable } from './output.ts';
import { firstOf, requireReason, requireRepository, withMirror } from './with-mirror.ts';

export interface DenyFlags {
  readonly repository?: string | undefined;
  readonly json: boolean;
}

/** Versions named of one repository; `--json` has all. */
const SHOWN = 20;

/** Resolves to the exit code: 1 when a repository could not follow at once. */
export async function deny(
  config: Config,
  subject: string,
  { reason, repository, json }: DenyFlags & { readonly reason: string },
): Promise<0 | 1> {
  requireRepository(config, repository);
  const why = requireReason(reason);
  const pattern = denialPattern(subject);
  const outcome = await withMirror(config, (mirror) =>
    denyPackages({ pattern, repository, reason: why }, mirror),
  );
  return tell(outcome, json, `${outcome.subject} is denied`, describeDenied);
}

/** Resolves to the exit code: 1 when there is no such denial, or a repository could not follow at once. */
export async function undeny(
  config: Config,
  subject: string,
  { repository, json }: DenyFlags,
): Promise<0 | 1> {
  requireRepository(config, repository);
  const pattern = denialPattern(subject);
  const outcome = await withMirror(config, (mirror) => undenyPackages({ pattern, repository }, mirror));
  return tell(outcome, json, `${outcome.subject} is not denied any more`, describeUndenied);
}

function tell(
  outcome: DenialOutcome,
  json: boolean,
  first: string,
  describe: (followed: Followed) => readonly string[],
): 0 | 1 {
  const lines = [first, ...outcome.repositories.flatMap((followed) => describe(followed))];
  process.stdout.write(json ? `${JSON.stringify(outcome, undefined, 2)}\n` : `${lines.join('\n')}\n`);
  tellFailures(outcome.repositories);
  return outcome.repositories.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

/** To standard error: repositories that could not follow a decision at once. */
export function tellFailures(repositories: readonly Followed[]): void {
  for (const { repository, failure } of repositories)
    if (failure !== undefined)
      process.stderr.write(
        `serai: ${repository} could not follow yet: ${printable(failure.message)} [${failure.code}]\n` +
          '  the decision is recorded, and holds there with its next sync\n',
      );
}

function describeDenied({ repository, published, dropped, failure }: Followed): readonly string[] {
  if (failure !== undefined) return [];
  if (!published) return [`  ${repository}: nothing is published of it yet`];
  if (dropped.length === 0)
    return [`  ${repository}: serves no such version; those that come later are denied too`];
  return [
    `  ${repository}: ${count(dropped)} no longer served, nor ${dropped.length === 1 ? 'its archives' : 'their archives'}`,
    ...firstOf(dropped, SHOWN).map((version) => `    ${version}`),
  ];
}

function describeUndenied({ repository, published, added, held, failure }: Followed): readonly string[] {
  if (failure !== undefined) return [];
  if (!published) return [`  ${repository}: nothing is published of it yet`];
  const lines =
    added.length === 0
      ? [`  ${repository}: no version comes back`]
      : [`  ${repository}: ${count(added)} served again`];
  lines.push(...firstOf(added, SHOWN).map((version) => `    ${version}`));
  if (held.length > 0) lines.push('    not served all the same:');
  const why = held.map(({ version, rule, reason }) => `${version}: ${rule}: ${printable(reason)}`);
  return [...lines, ...firstOf(why, SHOWN).map((line) => `      ${line}`)];
}

function count({ length }: readonly string[]): string {
  return length === 1 ? '1 version is' : `${length} versions are`;
}
