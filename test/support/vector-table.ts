/**
 * Vectors of SIGNED-FORMAT.md: repositories on disk, judged as `serai verify` judges them, and what is expected
 * of each in one line. A rule may be written `P3|P4` where the page names more than one for the case.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { verifyPath } from '../../src/mirror/trust/verify-path.ts';
import type { Verdict } from '../../src/verify/dialect.ts';
import { createSignedDialect, type SignedOptions } from '../../src/verify/signed/dialect.ts';
import { root1, root2, type Signer } from './signed-keys.ts';
import type { SignedRepository } from './signed-repository.ts';
import { signed } from './signed-texts.ts';

export const NOW = '2026-06-01T13:00:00Z';

export interface VectorOptions extends Partial<Omit<SignedOptions, 'trust'>> {
  readonly now?: string;
  /** Root keys that the user trusts; `[]` for none. Default: root-1 and root-2. */
  readonly anchors?: readonly Signer[];
  /** Of the anchors. Default: all of them. */
  readonly quorum?: number;
  readonly trusted?: string;
  readonly floor?: string;
}

/** What the first reading of a tree says. */
export type TreeVector = readonly [
  title: string,
  content: SignedRepository,
  expected: string,
  options?: VectorOptions,
];

/** What one step from an old tree to a new one says. */
export type StepVector = readonly [
  title: string,
  old: SignedRepository,
  content: SignedRepository,
  expected: string,
  options?: VectorOptions,
];

export function treeVectors(name: string, vectors: readonly TreeVector[]): void {
  describe(name, () => {
    test.each(vectors.map((vector) => ({ vector, title: vector[0] })))('$title', ({ vector }) =>
      inFolder(async (dir) => {
        const [, content, expected, options = {}] = vector;
        const path = await written(join(dir, 'new'), content);
        matches(await judge(path, undefined, options), expected);
      }),
    );
  });
}

export function stepVectors(name: string, vectors: readonly StepVector[]): void {
  describe(name, () => {
    test.each(vectors.map((vector) => ({ vector, title: vector[0] })))('$title', ({ vector }) =>
      inFolder(async (dir) => {
        const [, old, content, expected, options = {}] = vector;
        const path = await written(join(dir, 'new'), content);
        matches(await judge(path, await written(join(dir, 'old'), old), options), expected);
      }),
    );
  });
}

export async function inFolder<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'serai-vector-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The repository as files in a folder; resolves to the folder. */
export async function written(dir: string, content: SignedRepository): Promise<string> {
  await mkdir(dir, { recursive: true });
  for (const [path, text] of content.files) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), Buffer.from(text, 'latin1'));
  }
  return dir;
}

export function judge(path: string, from: string | undefined, options: VectorOptions): Promise<Verdict> {
  const { now = NOW, anchors = [root1, root2], quorum = anchors.length, trusted, floor, ...rest } = options;
  const fingerprints = anchors.map((key) => key.fingerprint);
  const trust =
    anchors.length === 0 ? { kind: 'none' as const } : { kind: 'anchors' as const, fingerprints, quorum };
  return verifyPath({
    path,
    from,
    trusted,
    floor: floor === undefined ? undefined : Date.parse(floor),
    limits: DEFAULT_LIMITS,
    now: Date.parse(now),
    dialect: createSignedDialect({ threshold: 'signed', ...rest, trust }),
  });
}

/** `refuse RULE PATH` for each violation; else `serve NAME.VERSION`, `hold NAME.VERSION RULE`, and `stale`. */
export function outcome(verdict: Verdict): string[] {
  const refused = verdict.violations.map(({ rule, path }) => `refuse ${rule} ${path}`);
  if (refused.length > 0) return refused.sort();
  const versions = [...verdict.versions.values()].map(({ version, withheld, level }) =>
    withheld === undefined ? `serve ${version} ${level}` : `hold ${version} ${withheld.rule}`,
  );
  return [...(verdict.stale === true ? ['stale'] : []), ...versions.sort()];
}

export function matches(verdict: Verdict, expected: string): void {
  const wanted = expected.split('; ').filter((one) => one !== 'accept');
  const open = outcome(verdict);
  const missing = wanted.filter((one) => {
    const at = open.findIndex((said) => fits(said, one));
    if (at >= 0) open.splice(at, 1);
    return at < 0;
  });
  const said = {
    missing,
    unexpected: open,
    reasons: missing.length + open.length === 0 ? [] : reasons(verdict),
  };
  expect(said).toEqual({ missing: [], unexpected: [], reasons: [] });
}

/** Word by word; a word of alternatives fits each of them, and an expectation may leave the last words out. */
function fits(said: string, expected: string): boolean {
  const words = said.split(' ');
  return expected.split(' ').every((word, index) => word.split('|').includes(words[index] ?? ''));
}

function reasons(verdict: Verdict): string[] {
  const withheld = [...verdict.versions.values()].flatMap((one) => one.withheld?.reason ?? []);
  return [...verdict.violations.map(({ message }) => message), ...withheld];
}

/** The text with a `signature:` over a canonical text that the vector spells out itself. */
export function signedOver(body: string, canonical: string, by: readonly Signer[]): string {
  return `${body}signature: [${by.map((signer) => signer.entry(canonical)).join(' ')}]\n`;
}

/** As `signed`, with entries before and after the right ones. */
export function signedWith(body: string, by: readonly Signer[], others: string): string {
  return signed(body, by).includes('signature: [')
    ? signed(body, by).replace('signature: [', `signature: [${others} `)
    : `${body}signature: [${others}]\n`;
}
