/**
 * Real history (../shared/data/history-slice.bundle) as an upstream that moves on: the mirror holds what the audit, which
 * shares the guard with it and nothing of the pipeline, says of the same steps, and everything else is upstream's.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { type AuditFinding, auditHistory } from '../../src/mirror/audit/audit.ts';
import { openAuditSource } from '../../src/mirror/audit/audit-source.ts';
import { changePolicyOf } from '../../src/verify/policy/changes.ts';
import { runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { collect } from '../support/git-samples.ts';
import { opamPath } from '../support/tree-builder.ts';
import { TestMirror } from './test-mirror.ts';

const BUNDLE = resolve(import.meta.dirname, '../../../shared/data/history-slice.bundle');
if (!existsSync(BUNDLE)) console.warn(`SKIPPED: the real history is not here: ${BUNDLE}`);

/** Commits that one sync leaps over; 301 in all. */
const LEAP = 15;
const POLICY = changePolicyOf('unsigned', {});

describe.skipIf(!existsSync(BUNDLE))('a real history, some commits at a time', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let gitDir: string;
  let leaps: readonly string[];
  let findings: readonly AuditFinding[];

  beforeAll(async () => {
    folder = await temporaryFolder();
    gitDir = join(folder.path, 'up.git');
    await runTestGit(gitDir, ['init', '--quiet', '--bare', '--initial-branch=master']);
    await runTestGit(gitDir, ['fetch', '--quiet', BUNDLE, 'master:all']);
    const all = (await runTestGit(gitDir, ['rev-list', '--first-parent', '--reverse', 'all']))
      .trim()
      .split('\n');
    const chosen = all.filter((_, index) => index % LEAP === 0 || index === all.length - 1);
    leaps = await asHistory(chosen);
    await runTestGit(gitDir, ['update-ref', 'refs/heads/master', leaps.at(-1) ?? '']);
    const source = await openAuditSource(gitDir, { limits: DEFAULT_LIMITS });
    findings = await collect(
      auditHistory({ ...source, limits: DEFAULT_LIMITS, from: leaps[0], to: leaps.at(-1) ?? '' }),
    );
    await source.close();
  });
  afterAll(() => folder.remove());

  /** The trees of the commits as a history of their own, each the only parent of the next. */
  async function asHistory(commits: readonly string[]): Promise<string[]> {
    const made: string[] = [];
    for (const commit of commits) {
      const parent = made.at(-1);
      const parents = parent === undefined ? [] : ['-p', parent];
      const identity = ['-c', 'user.name=Tester', '-c', 'user.email=test@example.org'];
      const args = [...identity, 'commit-tree', `${commit}^{tree}`, ...parents, '-m', 'a leap'];
      made.push((await runTestGit(gitDir, args)).trim());
    }
    return made;
  }

  /** Of the commit's files below `packages/`, the git ids by path. */
  async function idsOf(commit: string): Promise<Map<string, string>> {
    const lines = (await runTestGit(gitDir, ['ls-tree', '-r', commit, 'packages/'])).trim().split('\n');
    return new Map(
      lines.map((line) => {
        const [, id = '', path = ''] = /^\d+ blob (\w+)\t(.*)$/.exec(line) ?? [];
        return [path, id];
      }),
    );
  }

  test('what is held at each leap is what the audit says, and nothing else is kept from moving on', async () => {
    expect(findings.length).toBeGreaterThan(100);
    // Archives are fetched from the hosts of the real world, which no test asks.
    const mirror = await TestMirror.with({
      upstream: `git+file://${gitDir}`,
      weak_hashes: 'allow',
      keep_removed: 'forever',
    });
    const seen: { leap: number; told: readonly string[] }[] = [];
    const held = new Set<string>();
    for (const [leap, commit] of leaps.entries()) {
      await runTestGit(gitDir, ['update-ref', 'refs/heads/master', commit]);
      const before = (await mirror.told()).length;
      await mirror.publish();
      const told = (await mirror.told()).slice(before);
      seen.push({ leap, told: told.sort() });
      for (const { version } of (await mirror.state()).held) held.add(version);
    }
    const expected = leaps.map((commit, leap) => ({
      leap,
      told: findings
        .filter((finding) => finding.commit === commit)
        .map((finding) => {
          const action = POLICY[finding.class];
          const kind = action === 'hold' ? 'held' : action === 'warn' ? 'warned' : 'changed';
          return `${kind} ${finding.package}.${finding.version} ${finding.class}`;
        })
        .sort(),
    }));
    expect(seen).toEqual(expected);
    expect([...held].sort()).toEqual(
      findings
        .filter((finding) => POLICY[finding.class] === 'hold')
        .map((finding) => `${finding.package}.${finding.version}`)
        .sort(),
    );

    const served = await mirror.files();
    const offered = await idsOf(leaps.at(-1) ?? '');
    const { removed } = await mirror.state();
    for (const [path, id] of offered) {
      const version = path.split('/')[2] ?? '';
      const text = Buffer.from(served[path] ?? '', 'latin1');
      const isSame = createHash('sha1').update(`blob ${text.length}\0`).update(text).digest('hex') === id;
      expect(isSame || held.has(version), path).toBe(true);
    }
    const kept = Object.keys(served).filter((path) => path.startsWith('packages/') && !offered.has(path));
    expect(kept.sort()).toEqual(Object.keys(removed).map(opamPath).sort());
  }, 60_000);
});
