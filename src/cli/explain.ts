/** `serai explain`: why a version is served, or is not. */
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { type Explanation, explain as explainVersions } from '../mirror/explain.ts';
import { openMirror } from '../mirror/mirror.ts';
import { requireData } from './config-file.ts';

/** Resolves to the exit code: 0 when all that was asked for is served, 1 when some of it is not. */
export async function explain(
  config: Config,
  repository: string,
  what: string,
  flags: { readonly json: boolean },
): Promise<0 | 1> {
  if (config.repository[repository] === undefined)
    throw new SeraiError('usage', `there is no repository ${repository} in the configuration`);
  requireData(config);
  const mirror = await openMirror(config, systemClock);
  try {
    const explanations = await explainVersions(mirror.catalogue, repository, what);
    process.stdout.write(
      flags.json ? `${JSON.stringify(explanations, undefined, 2)}\n` : explanations.map(describe).join('\n'),
    );
    return explanations.every(({ served }) => served) ? 0 : 1;
  } finally {
    await mirror.close();
  }
}

function describe({ version, served, level, signers, chain, reason, archives }: Explanation): string {
  const lines = [`${version}: ${served ? 'served' : 'NOT SERVED'}`];
  if (reason !== undefined) lines.push(`  because  ${reason}`);
  if (level !== undefined) lines.push(`  level    ${level}`);
  if (signers !== undefined)
    lines.push(`  signers  ${signers.length === 0 ? 'none that count' : signers.join(', ')}`);
  for (const [index, line] of (chain ?? []).entries())
    lines.push(`  ${index === 0 ? 'chain    ' : '         '}${line}`);
  for (const { checksums, sources, stored } of archives) {
    lines.push(`  archive  ${checksums.join(' ')}`);
    lines.push(
      `           ${stored ? 'in the store' : 'not fetched yet'}; from ${sources.join(', ') || 'caches only'}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
