/** `serai explain`: why a version is served, or is not. */
import type { Config } from '../config.ts';
import { type Explanation, explain as explainVersions } from '../mirror/report/explain.ts';
import { describeLines } from './diff.ts';
import { printable } from './output.ts';
import { requireRepository, withMirror } from './with-mirror.ts';

/** Resolves to the exit code: 0 when all that was asked for is served, 1 when some of it is not. */
export async function explain(
  config: Config,
  repository: string,
  what: string,
  { json }: { readonly json: boolean },
): Promise<0 | 1> {
  requireRepository(config, repository);
  const explanations = await withMirror(config, (mirror) => explainVersions(mirror, repository, what));
  process.stdout.write(
    json ? `${JSON.stringify(explanations, undefined, 2)}\n` : explanations.map(describe).join('\n'),
  );
  return explanations.every(({ served }) => served) ? 0 : 1;
}

function describe(explanation: Explanation): string {
  const { version, served } = explanation;
  const lines = [
    `${version}: ${served ? 'served' : 'NOT SERVED'}`,
    ...verdictLines(explanation),
    ...policyLines(explanation),
    ...pastLines(explanation),
    ...archiveLines(explanation),
  ];
  return `${lines.join('\n')}\n`;
}

function verdictLines({ rule, reason, level, signers, chain }: Explanation): readonly string[] {
  const lines: string[] = [];
  if (rule !== undefined) lines.push(`  because  ${rule}: ${printable(reason ?? '')}`);
  if (level !== undefined) lines.push(`  level    ${level}`);
  if (signers !== undefined)
    lines.push(`  signers  ${signers.length === 0 ? 'none that count' : signers.join(', ')}`);
  return [...lines, ...labelled('chain', chain ?? [])];
}

function policyLines({ keptBack, removedAt, warnings, advisories }: Explanation): readonly string[] {
  const lines: string[] = [];
  if (keptBack !== undefined)
    lines.push(
      `  kept     in its last good form since ${keptBack.since}: ${keptBack.rule}: ${printable(keptBack.reason)}`,
    );
  if (removedAt !== undefined) lines.push(`  removed  upstream since ${removedAt}`);
  lines.push(
    ...labelled(
      'warning',
      warnings.map(({ rule, reason }) => `${rule}: ${printable(reason)}`),
    ),
  );
  const known = advisories.map(({ id, aliases, summary }) => {
    const also = aliases.length === 0 ? '' : ` (${aliases.join(', ')})`;
    return printable(`${id}${also}: ${summary}`);
  });
  return [...lines, ...labelled('advisory', known)];
}

function pastLines({ firstSeen, identities, history }: Explanation): readonly string[] {
  const lines: string[] = [];
  if (firstSeen !== undefined)
    lines.push(`  seen     first ${firstSeen.at}${firstSeen.baseline ? ', in the first tree of all' : ''}`);
  // One identity is what stands below as its archives.
  if (identities.length > 1)
    lines.push(
      ...labelled(
        'was',
        identities.map(
          ({ since, archives }) => `since ${since}: ${archives.join('; ') || 'without archives'}`,
        ),
      ),
    );
  const told = history.map(
    ({ at, kind, rule, reason }) =>
      `${at} ${kind}: ${rule}${reason === undefined ? '' : `: ${printable(reason)}`}`,
  );
  return [...lines, ...labelled('log', told)];
}

function archiveLines({ archives, rewritten }: Explanation): readonly string[] {
  const lines: string[] = [];
  for (const { path, rules, ...changes } of rewritten)
    lines.push(
      `  changed  ${path}: ${rules.join(', ')}`,
      ...describeLines(changes).map((line) => `         ${line}`),
    );
  for (const { checksums, sources, stored } of archives) {
    lines.push(`  archive  ${checksums.join(' ')}`);
    lines.push(
      `           ${stored ? 'in the store' : 'not fetched yet'}; from ${sources.join(', ') || 'caches only'}`,
    );
  }
  return lines;
}

/** The label at the first of the lines. */
function labelled(label: string, lines: readonly string[]): readonly string[] {
  return lines.map((line, index) => `  ${(index === 0 ? label : '').padEnd(8)} ${line}`);
}
