/** How `keys/root` moves on (point 3), and the quorums of root keys that it takes. */
import { FUTURE_TOLERANCE, showDate } from './dates.ts';
import type { SignedFile, ValidFile } from './form.ts';
import { type Problem, problem } from './problem.ts';
import { countDistinct, idsOf, isExpired, type RoleKey, signersAmong } from './role-keys.ts';
import type { RootFile } from './root-file.ts';
import type { SignedText } from './signed-text.ts';

/** Why `next` may not take the place of the trusted file; undefined when it may. */
export function rootStepProblem(
  trusted: ValidFile<RootFile>,
  next: SignedFile<RootFile> | undefined,
  now: number,
): Problem | undefined {
  if (next === undefined) return problem('P3', 'keys/root was removed');
  if (!next.valid) return problem(next.rule, next.reason);
  // Once accepted it stays so, also when its signers expire.
  if (next.signed.text === trusted.signed.text) return undefined;
  return (
    rollbackProblem(trusted, next) ??
    rootSelfProblem(next, now) ??
    trustedQuorumProblem(trusted.content, next.signed, now)
  );
}

/** It moves forward only: a newer date, or the same canonical bytes. */
export function rollbackProblem(
  trusted: ValidFile<RootFile>,
  next: ValidFile<RootFile>,
): Problem | undefined {
  if (next.signed.text === trusted.signed.text || next.content.date > trusted.content.date) return undefined;
  const dates = `${showDate(next.content.date)}, the trusted one is of ${showDate(trusted.content.date)}`;
  return problem('P3', `keys/root is not newer than the one it replaces: it is of ${dates}`);
}

/** What every new `keys/root` has to fulfil by itself: no date from the future, a quorum of its own keys. */
export function rootSelfProblem({ content, signed }: ValidFile<RootFile>, now: number): Problem | undefined {
  if (content.date > now + FUTURE_TOLERANCE) {
    return problem(
      'P3',
      `keys/root is dated ${showDate(content.date)}, more than five minutes ahead of the clock`,
    );
  }
  return quorumProblem(
    signed,
    content.rootKeys,
    content.rootQuorum,
    now,
    'the root keys that keys/root lists',
  );
}

function trustedQuorumProblem(trusted: RootFile, signed: SignedText, now: number): Problem | undefined {
  const found = quorumProblem(
    signed,
    trusted.rootKeys,
    trusted.rootQuorum,
    now,
    'the root keys trusted before',
  );
  if (found === undefined) return undefined;
  const living = trusted.rootKeys.filter((key) => !isExpired(key, now));
  if (countDistinct(living) >= trusted.rootQuorum)
    return found.rule === 'P2' ? { ...found, rule: 'P3' } : found;
  // Nothing that anyone could sign would do: only the user can say whom to trust from here on.
  const message = `${found.message}: a quorum of them has expired since they were trusted, so give new trust anchors`;
  return problem('P3', message, found.keys);
}

/** Why the text does not bear the quorum. The rule is the first that would have made the difference. */
function quorumProblem(
  signed: SignedText,
  keys: readonly RoleKey[],
  quorum: number,
  now: number,
  whose: string,
): Problem | undefined {
  const holding = signersAmong(signed, keys);
  const living = holding.filter((key) => !isExpired(key, now));
  const count = countDistinct(living);
  if (count >= quorum) return undefined;
  const message = `keys/root needs ${quorum} of ${whose}, and ${count} signed`;
  // Point 3: an expired key stops counting.
  if (countDistinct(holding) >= quorum) return problem('P3', `${message}; others have expired`, idsOf(keys));
  const claimed = keys.filter((key) => signed.mentions(key.folded));
  if (countDistinct(claimed) >= quorum)
    return problem('SIG', `${message}; other signatures do not hold`, idsOf(keys));
  return problem('P2', message, idsOf(keys));
}
