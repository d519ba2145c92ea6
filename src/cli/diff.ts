/** `serai diff`: what clients get against what the upstream has, with the rule behind each difference. */
import type { Config } from '../config.ts';
import { type Difference, differences } from '../mirror/report/diff.ts';
import type { LineChanges } from '../mirror/report/line-diff.ts';
import { Lines } from './lines.ts';
import { printable } from './output.ts';
import { requireRepository, withMirror } from './with-mirror.ts';

/** Resolves to the exit code, as that of `git diff`: differences are no failure. */
export async function diff(
  config: Config,
  repository: string,
  what: string | undefined,
  { json }: { readonly json: boolean },
): Promise<0 | 1> {
  requireRepository(config, repository);
  return withMirror(config, async (mirror) => {
    const lines = new Lines();
    for await (const difference of differences(repository, what, mirror)) {
      if (lines.signal.aborted) break;
      const shown = json ? [JSON.stringify(difference)] : describe(difference);
      for (const line of shown) await lines.add(line);
    }
    await lines.flush();
    return lines.signal.aborted ? 1 : 0;
  });
}

function describe(difference: Difference): readonly string[] {
  switch (difference.kind) {
    case 'not-served': {
      const { version, rule, reason } = difference;
      return [`not served    ${version}: ${rule}: ${printable(reason)}`];
    }
    case 'kept-back': {
      const { version, rule, served, upstream, since } = difference;
      return [
        `kept back     ${version}: ${rule}, since ${since}`,
        `  served      ${printable(served)}`,
        `  upstream    ${printable(upstream)}`,
      ];
    }
    case 'still-served': {
      const { version, since, until } = difference;
      return [
        `still served  ${version}: removed upstream ${since}, served ${until === undefined ? 'for ever' : `until ${until}`}`,
      ];
    }
    case 'rewritten':
      return [
        `rewritten     ${difference.path}: ${difference.rules.join(', ')}`,
        ...describeLines(difference),
      ];
    case 'repo':
      return ['rewritten     repo: the mirror names itself, and the snapshot', ...describeLines(difference)];
  }
}

/** Lines of served files, without what could move a terminal's cursor; blanks in front stay. */
export function describeLines({ removed, added }: LineChanges): readonly string[] {
  const shown = (line: string): string => line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
  return [...removed.map((line) => `  - ${shown(line)}`), ...added.map((line) => `  + ${shown(line)}`)];
}
