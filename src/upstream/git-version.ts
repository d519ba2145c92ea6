/** The git that is needed: an older one would not refuse what it does not know, it would leave it out in silence. */
import { SeraiError } from '../errors.ts';
import { runGit } from './git-run.ts';

/** `http.curloptResolve`, by which the checked address is the one connected to, came with 2.37 (its release notes). */
const NEEDED = [2, 38] as const;

let known: Promise<void> | undefined;

/** Throws `git-failed` where git is missing or older than 2.38. Asks once. */
export function requireGit(): Promise<void> {
  known ??= runGit({ args: ['version'] }, { what: 'asking git for its version' }).then((answer) =>
    checkVersion(answer.toString('latin1').trim()),
  );
  known.catch(() => {
    known = undefined; // it may have been installed by the next time
  });
  return known;
}

/** `text` is what `git version` prints: `git version 2.39.5`, perhaps with more after it. */
export function checkVersion(text: string): void {
  const [, major, minor] = /^git version ([0-9]+)\.([0-9]+)/.exec(text) ?? [];
  const [neededMajor, neededMinor] = NEEDED;
  if (Number(major) > neededMajor) return;
  if (Number(major) === neededMajor && Number(minor) >= neededMinor) return;
  throw new SeraiError(
    'git-failed',
    `${text} is too old, or no git: install git ${NEEDED.join('.')} or later`,
  );
}
