/** Verifying 18,793 signed versions, from nothing and after a change of one, beside bare node:crypto. */
import { ClaimThread } from '../../src/mirror/trust/claim-thread.ts';
import { VerdictMemory } from '../../src/mirror/trust/verdict-memory.ts';
import { createSignedDialect } from '../../src/verify/signed/dialect.ts';
import { root1, root2 } from '../../test/support/signed-keys.ts';
import { changeOne, signReal, treeOf } from '../../test/support/signed-real.ts';
import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, interleave, medianFigure, type Row } from '../report.ts';
import { bareSignatures, verifyBare } from '../support/bare-verifications.ts';
import type { Bench } from '../support/bench.ts';

const ROUNDS = 5;
const GOAL_FROM_NOTHING = 1.5;
const NOW = Date.parse('2026-06-02T00:00:00Z');

export default async function verify(bench: Bench): Promise<readonly Row[]> {
  const real = await signReal(REAL_INDEX);
  const before = treeOf(real);
  const after = treeOf(changeOne(real, 'packages/0install/0install.2.18/opam'));
  const trust = { kind: 'anchors', fingerprints: [root1.fingerprint, root2.fingerprint], quorum: 2 } as const;
  const signatures = bareSignatures();

  const one: Figure[] = [];
  const ours = async (): Promise<Figure> => {
    const cache = new VerdictMemory([]);
    const checker = new ClaimThread();
    const dialect = createSignedDialect({ trust, threshold: 'verified-developer', cache, checker });
    cache.begin();
    let trusted: string | undefined;
    const whole = await bench.measure(async () => {
      const verdict = await dialect.verify({ tree: before }, undefined, NOW);
      const served = [...verdict.versions.values()].filter(({ withheld }) => withheld === undefined).length;
      if (served !== real.versions)
        throw new Error(`only ${served} of ${real.versions} versions were served`);
      trusted = verdict.trusted;
    });
    cache.settle();
    one.push(
      await bench.measure(async () => {
        const verdict = await dialect.verify({ tree: after, previous: before }, trusted, NOW);
        if (verdict.violations.length > 0) throw new Error(verdict.violations[0]?.message);
      }),
    );
    await checker.close();
    return whole;
  };
  const theirs = (): Promise<Figure> => bench.measure(() => verifyBare(signatures, real.versions));
  const rounds = bench.rounds(ROUNDS);
  const measured = await interleave(rounds, { ours, theirs });
  const note = 'the memory is that of a process that holds the whole signed repository, for both sides';
  return [
    {
      work: `verifying ${real.versions} signed versions from nothing`,
      rival: 'as many bare node:crypto verifications',
      unit: 'ms',
      ...measured,
      rounds,
      goal: atMost(GOAL_FROM_NOTHING),
      note,
    },
    {
      work: 'verifying after a change of one version',
      rival: 'verifying from nothing',
      unit: 'ms',
      ours: medianFigure(one),
      theirs: measured.ours,
      rounds,
    },
  ];
}
