/** The whole real repository, signed by 500 developers: what did not change is not verified again. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { VerdictMemory } from '../../src/mirror/trust/verdict-memory.ts';
import { createSignedDialect } from '../../src/verify/signed/dialect.ts';
import { root1, root2 } from '../support/signed-keys.ts';
import { changeOne, signReal, treeOf } from '../support/signed-real.ts';

const REAL_INDEX = new URL('../../../shared/data/full-index.tar.gz', import.meta.url).pathname;
const there = existsSync(REAL_INDEX);
if (!there) console.warn(`SKIPPED: the signed real repository: ${REAL_INDEX} is not there`);

describe.skipIf(!there)('the real repository, signed', () => {
  it('is verified whole, then one version of it, then nothing, also after a restart', {
    timeout: 180_000,
  }, async () => {
    const now = Date.parse('2026-06-02T00:00:00Z');
    const trust = {
      kind: 'anchors',
      fingerprints: [root1.fingerprint, root2.fingerprint],
      quorum: 2,
    } as const;
    const real = await signReal(REAL_INDEX);
    const before = treeOf(real);
    const cache = new VerdictMemory([]);
    const dialect = createSignedDialect({ trust, threshold: 'verified-developer', cache });

    cache.begin();
    const first = await dialect.verify({ tree: before }, undefined, now);
    expect(first.violations).toEqual([]);
    expect([...first.versions.values()].filter(({ withheld }) => withheld !== undefined)).toEqual([]);
    expect([first.versions.size, cache.made]).toEqual([real.versions, 18_793]);
    const stored = cache.changes();
    expect(stored.replaced).toHaveLength(18_793);
    cache.settle();

    const after = treeOf(changeOne(real, 'packages/0install/0install.2.18/opam'));
    cache.begin();
    const second = await dialect.verify({ tree: after, previous: before }, first.trusted, now);
    expect([second.violations, cache.made]).toEqual([[], 1]);
    expect(cache.changes().replaced.map(({ version }) => version)).toEqual(['0install.2.18']);

    const restarted = new VerdictMemory(stored.replaced);
    restarted.begin();
    const again = createSignedDialect({ trust, threshold: 'verified-developer', cache: restarted });
    expect((await again.verify({ tree: before, previous: before }, first.trusted, now)).versions.size).toBe(
      18_793,
    );
    expect(restarted.made).toBe(0);
  });
});
