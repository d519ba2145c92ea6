/** `serai verify`: a repository on disk, judged; for people, or as one JSON object. */
import { systemClock } from '../clock.ts';
import { SeraiError } from '../errors.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { ClaimThread } from '../mirror/trust/claim-thread.ts';
import { VerdictFile } from '../mirror/trust/verdict-file.ts';
import { type VerifyRequest, verifyPath } from '../mirror/trust/verify-path.ts';
import { compareBytewise } from '../opam/tree.ts';
import { parseDuration } from '../units.ts';
import type { Verdict } from '../verify/dialect.ts';
import { parseDate } from '../verify/signed/dates.ts';
import { createSignedDialect } from '../verify/signed/dialect.ts';
import type { Trust } from '../verify/signed/first-trust.ts';
import type { Threshold } from '../verify/signed/version-verdict.ts';

export interface VerifyFlags {
  readonly dialect: string;
  readonly anchor: readonly string[];
  readonly quorum?: string | undefined;
  readonly level: string;
  readonly now?: string | undefined;
  readonly from?: string | undefined;
  readonly trusted?: string | undefined;
  readonly floor?: string | undefined;
  readonly maxAge?: string | undefined;
  readonly acceptWeak?: boolean | undefined;
  readonly memory?: string | undefined;
  readonly json?: boolean | undefined;
}

const THRESHOLDS: readonly Threshold[] = ['any', 'signed', 'verified-key', 'verified-developer'];

/** Withheld versions named one by one to a person; the rest are counted. */
const WITHHELD_SHOWN = 20;

/** Resolves to the exit code: 0 accepted, 1 refused. Throws `usage` for flags that mean nothing. */
export async function verify(path: string, flags: VerifyFlags): Promise<0 | 1> {
  if (flags.dialect !== 'signed')
    throw new SeraiError('usage', `there is no dialect ${flags.dialect}; choose signed`);
  const trust = trustOf(flags);
  const threshold = thresholdOf(flags.level);
  const acceptWeak = flags.acceptWeak ?? false;
  const kept = flags.memory === undefined ? undefined : await VerdictFile.open(flags.memory);
  const checker = new ClaimThread();
  const verdict = await judge({
    path,
    limits: DEFAULT_LIMITS,
    now: flags.now === undefined ? systemClock.now() : dateOf('--now', flags.now),
    from: flags.from,
    trusted: flags.trusted,
    memory: kept,
    floor: flags.floor === undefined ? undefined : dateOf('--floor', flags.floor),
    dialect: createSignedDialect({
      trust,
      threshold,
      acceptWeak,
      checker,
      ...(flags.maxAge === undefined ? {} : { maxAge: ageOf(flags.maxAge) }),
      ...(kept === undefined ? {} : { cache: kept.memory }),
    }),
  }).finally(() => checker.close());
  // What a refused tree led to is not worth keeping: the next one is judged from what was accepted.
  if (verdict.violations.length === 0) await kept?.save();
  for (const warning of warningsOf(trust, flags)) process.stderr.write(`serai: warning: ${warning}\n`);
  process.stdout.write(flags.json === true ? `${JSON.stringify(plain(verdict))}\n` : describe(path, verdict));
  return verdict.violations.length === 0 ? 0 : 1;
}

/** A path where nothing is, is a mistake of the one who typed it. */
async function judge(request: VerifyRequest): Promise<Verdict> {
  try {
    return await verifyPath(request);
  } catch (error) {
    if (error instanceof SeraiError && error.code === 'not-found')
      throw new SeraiError('usage', error.message, { cause: error });
    throw error;
  }
}

/** Strict majority of the anchors without --quorum, as the format has it for every quorum (point 2). */
function trustOf(flags: VerifyFlags): Trust {
  const fingerprints = [...new Set(flags.anchor)];
  if (fingerprints.length === 0) {
    if (flags.quorum !== undefined)
      throw new SeraiError('usage', '--quorum counts anchors; give --anchor too');
    return { kind: 'none' };
  }
  const quorum = flags.quorum === undefined ? Math.floor(fingerprints.length / 2) + 1 : Number(flags.quorum);
  if (!Number.isInteger(quorum) || quorum < 1 || quorum > fingerprints.length)
    throw new SeraiError(
      'usage',
      `--quorum ${flags.quorum} is not within 1 to ${fingerprints.length}, the number of anchors`,
    );
  const malformed = fingerprints.find((fingerprint) => !/^sha256=[0-9a-f]{64}$/.test(fingerprint));
  if (malformed !== undefined)
    throw new SeraiError('usage', `--anchor ${malformed} is not sha256= and 64 lower-case hex digits`);
  return { kind: 'anchors', fingerprints, quorum };
}

function thresholdOf(level: string): Threshold {
  const threshold = THRESHOLDS.find((known) => known === level);
  if (threshold !== undefined) return threshold;
  throw new SeraiError('usage', `--level ${level} is none of ${THRESHOLDS.join(', ')}`);
}

function dateOf(flag: string, text: string): number {
  const date = parseDate(text);
  if (date !== undefined) return date;
  throw new SeraiError('usage', `${flag} ${text} is no date; write it as 2026-11-20T12:00:00Z`);
}

function ageOf(text: string): number {
  const age = parseDuration(text);
  if (age !== undefined) return age;
  throw new SeraiError('usage', `--max-age ${text} is no duration; write it as 36h or 7d`);
}

function warningsOf(trust: Trust, flags: VerifyFlags): readonly string[] {
  if (trust.kind !== 'none') return [];
  const whose =
    flags.from !== undefined || flags.trusted !== undefined ? 'of the old tree' : 'of the tree itself';
  return [`without --anchor the root keys ${whose} are taken: nothing proves that they are the repository's`];
}

interface Judged {
  readonly served: readonly string[];
  readonly withheld: readonly {
    readonly version: string;
    readonly level: string;
    readonly rule: string;
    readonly reason: string;
  }[];
}

function judged(verdict: Verdict): Judged {
  const versions = [...verdict.versions.values()].sort((a, b) => compareBytewise(a.version, b.version));
  return {
    served: versions.filter(({ withheld }) => withheld === undefined).map(({ version }) => version),
    withheld: versions.flatMap(({ version, level, withheld }) =>
      withheld === undefined ? [] : [{ version, level, rule: withheld.rule, reason: withheld.reason }],
    ),
  };
}

function plain(verdict: Verdict): unknown {
  const { violations, root } = verdict;
  return {
    verdict: violations.length === 0 ? 'accept' : 'refuse',
    stale: verdict.stale ?? false,
    violations: violations.map(({ rule, path, commit, message }) => ({ rule, path, commit, message })),
    ...judged(verdict),
    root: root === undefined ? null : { date: root.date, fingerprints: root.fingerprints },
  };
}

function describe(path: string, verdict: Verdict): string {
  const { violations, root, stale, snapshot } = verdict;
  const { served, withheld } = judged(verdict);
  const lines = [`${path}: ${violations.length === 0 ? 'accepted' : 'REFUSED'}`];
  for (const { rule, path: where, commit, message, keys } of violations) {
    lines.push(`  ${rule} ${where}${commit === undefined ? '' : ` at ${commit}`}: ${message}`);
    if (keys.length > 0) lines.push(`     keys: ${keys.join(', ')}`);
  }
  if (root !== undefined) {
    lines.push(`  root      of ${root.date}, ${root.quorum} of these have to sign it:`);
    for (const fingerprint of root.fingerprints) lines.push(`            ${fingerprint}`);
  }
  if (violations.length === 0) {
    const freshness =
      stale === undefined ? 'unknown: the upstream carries no signed date' : stale ? 'STALE' : 'fresh';
    lines.push(
      `  snapshot  ${snapshot === undefined ? 'none' : `${snapshot.commit} of ${new Date(snapshot.date).toISOString()}`}`,
    );
    lines.push(`  freshness ${freshness}`);
    lines.push(`  versions  ${served.length} served, ${withheld.length} withheld`);
    for (const { version, level, rule, reason } of withheld.slice(0, WITHHELD_SHOWN))
      lines.push(`            ${version} (${level}): ${rule} ${reason}`);
    if (withheld.length > WITHHELD_SHOWN)
      lines.push(`            and ${withheld.length - WITHHELD_SHOWN} more; --json has all`);
  }
  return `${lines.join('\n')}\n`;
}
