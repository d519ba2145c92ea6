/** `serai trust`: shows what is trusted of a signed repository, and takes a person's decision about it. */
import { createInterface } from 'node:readline/promises';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { type Mirror, openMirror } from '../mirror/mirror.ts';
import {
  acceptAnchors,
  forgetTrust,
  offeredRoot,
  type TrustState,
  trustState,
} from '../mirror/trust/trust.ts';
import type { RootOfTrust } from '../verify/dialect.ts';

export interface TrustFlags {
  readonly accept: readonly string[];
  readonly quorum?: string | undefined;
  readonly forget?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Resolves to the exit code: 1 when nothing is trusted at the end. */
export async function trust(config: Config, repository: string, flags: TrustFlags): Promise<0 | 1> {
  const mirror = await openMirror(config, systemClock);
  try {
    const state = await trustState(mirror, repository);
    if (flags.forget === true) {
      await forgetTrust(mirror, repository);
      say(`${repository}: nothing is trusted any more; the next sync begins anew`);
      return 1;
    }
    if (flags.accept.length > 0) return await accept(mirror, repository, state, flags);
    if (state.kind !== 'first-use' || state.accepted !== undefined) return show(repository, state, flags);
    return await firstUse(mirror, repository, flags);
  } finally {
    await mirror.close();
  }
}

async function accept(
  mirror: Mirror,
  repository: string,
  state: TrustState,
  flags: TrustFlags,
): Promise<0 | 1> {
  if (state.kind !== 'first-use')
    throw new SeraiError(
      'usage',
      `the configuration says whom to trust of ${repository}; --accept goes with trust = "first-use"`,
    );
  const offered = await offeredRoot(mirror, repository);
  const stranger = flags.accept.find((fingerprint) => !offered.fingerprints.includes(fingerprint));
  if (stranger !== undefined)
    throw new SeraiError(
      'usage',
      `the upstream's keys/root does not list ${stranger}; it lists ${offered.fingerprints.join(', ')}`,
    );
  const quorum = quorumOf(flags, offered);
  await acceptAnchors(mirror, repository, { fingerprints: flags.accept, quorum });
  say(`${repository}: accepted; ${quorum} of these must have signed keys/root:`);
  for (const fingerprint of new Set(flags.accept)) say(`  ${fingerprint}`);
  return 0;
}

/** Without --quorum what the root file itself demands, as far as so many were accepted. */
function quorumOf(flags: TrustFlags, offered: RootOfTrust): number {
  const distinct = new Set(flags.accept).size;
  if (flags.quorum === undefined) return Math.min(offered.quorum, distinct);
  const quorum = Number(flags.quorum);
  if (Number.isInteger(quorum) && quorum >= 1 && quorum <= distinct) return quorum;
  throw new SeraiError(
    'usage',
    `--quorum ${flags.quorum} is not within 1 to ${distinct}, the number of keys accepted`,
  );
}

async function firstUse(mirror: Mirror, repository: string, flags: TrustFlags): Promise<0 | 1> {
  const offered = await offeredRoot(mirror, repository);
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ repository, accepted: null, offered }, undefined, 2)}\n`);
    return 1;
  }
  say(`${repository}: nothing is trusted yet. The upstream offers these root keys, of ${offered.date};`);
  say(
    `${offered.quorum} of them must sign. Compare them with what the repository's maintainers publish elsewhere:`,
  );
  for (const fingerprint of offered.fingerprints) say(`  ${fingerprint}`);
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    say('To accept them:');
    say(
      `  serai trust ${repository}${offered.fingerprints.map((fingerprint) => ` --accept ${fingerprint}`).join('')}`,
    );
    return 1;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question('Trust these keys? [y/N] ');
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) return 1;
  await acceptAnchors(mirror, repository, { fingerprints: offered.fingerprints, quorum: offered.quorum });
  say(`${repository}: accepted`);
  return 0;
}

function show(repository: string, state: TrustState, flags: TrustFlags): 0 | 1 {
  if (flags.json === true)
    process.stdout.write(`${JSON.stringify({ repository, ...state }, undefined, 2)}\n`);
  else for (const line of describe(repository, state)) say(line);
  return state.root === undefined && state.accepted === undefined ? 1 : 0;
}

function describe(repository: string, { kind, accepted, root }: TrustState): string[] {
  const beginnings = {
    anchors: 'trust begins with the anchors of the configuration',
    'first-use': 'trust begins with what was accepted on first use',
    none: 'NOTHING proves that the root keys are those of the repository: trust = "none"',
  };
  const lines = [`${repository}: ${beginnings[kind]}`];
  if (accepted !== undefined) {
    lines.push(`  accepted, ${accepted.quorum} of them must have signed:`);
    lines.push(...accepted.fingerprints.map((fingerprint) => `    ${fingerprint}`));
  }
  if (root === undefined) lines.push('  no signed snapshot was accepted yet');
  else {
    lines.push(`  keys/root of ${root.date}, ${root.quorum} of these must sign the next one:`);
    lines.push(...root.fingerprints.map((fingerprint) => `    ${fingerprint}`));
  }
  return lines;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
