/** Verifying 18,793 signed versions, from nothing and after a change of one, beside bare node:crypto. */
import { createPublicKey, verify } from 'node:crypto';
import { VerdictMemory } from '../src/mirror/verdict-memory.ts';
import { createSignedDialect } from '../src/verify/signed/dialect.ts';
import { ed25519, root1, root2 } from '../test/support/signed-keys.ts';
import { changeOne, signReal, treeOf } from '../test/support/signed-real.ts';
import { REAL_INDEX } from './real-index.ts';
import { median, type Result, time } from './report.ts';

const ROUNDS = 3;
const GOAL_FROM_NOTHING = 1.5;
/** No goal is set for it; the command's, process start included, is 0.2 of the whole. */
const GOAL_ONE_CHANGE = 0.2;

export async function benchVerify(): Promise<readonly Result[]> {
  const real = await signReal(REAL_INDEX);
  const changed = changeOne(real, 'packages/0install/0install.2.18/opam');
  const before = treeOf(real);
  const after = treeOf(changed);
  const now = Date.parse('2026-06-02T00:00:00Z');
  const trust = { kind: 'anchors', fingerprints: [root1.fingerprint, root2.fingerprint], quorum: 2 } as const;

  const bare: number[] = [];
  const whole: number[] = [];
  const one: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await time(() => bareVerifications(real.versions)));
    const cache = new VerdictMemory([]);
    const dialect = createSignedDialect({ trust, threshold: 'verified-developer', cache });
    cache.begin();
    let trusted: string | undefined;
    whole.push(
      await time(async () => {
        const verdict = await dialect.verify({ tree: before }, undefined, now);
        const served = [...verdict.versions.values()].filter(({ withheld }) => withheld === undefined).length;
        if (served !== real.versions)
          throw new Error(`only ${served} of ${real.versions} versions were served`);
        trusted = verdict.trusted;
      }),
    );
    cache.settle();
    one.push(
      await time(async () => {
        const verdict = await dialect.verify({ tree: after, previous: before }, trusted, now);
        if (verdict.violations.length > 0) throw new Error(verdict.violations[0]?.message);
      }),
    );
  }
  const rival = median(bare);
  return [
    {
      work: `verifying ${real.versions} signed versions from nothing`,
      rival: 'as many bare node:crypto verifications',
      ours: median(whole),
      theirs: rival,
      goal: GOAL_FROM_NOTHING,
    },
    {
      work: 'verifying after a change of one version',
      rival: 'verifying from nothing',
      ours: median(one),
      theirs: median(whole),
      goal: GOAL_ONE_CHANGE,
    },
  ];
}

/** As many verifications of distinct signatures, by 500 imported keys, over texts of a signature file's length. */
function bareVerifications(count: number): void {
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(ed25519('bare').key, 'hex').toString('base64url') },
    format: 'jwk',
  });
  const text = Buffer.alloc(200, 'x');
  const entry = ed25519('bare').entry(text.toString('latin1'));
  const bytes = Buffer.from(/"([0-9a-f]{128})"/.exec(entry)?.[1] ?? '', 'hex');
  for (let index = 0; index < count; index++)
    if (!verify(null, text, key, bytes)) throw new Error('a good signature did not verify');
}
