/** From the start of the process, with the whole real repository in the store, to the first answer. */

import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, interleave, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { firstAnswer } from '../support/http.ts';
import { cpuOf, peakOf } from '../support/proc.ts';
import { makeSerai, runSerai, type SeraiHome, startSerai } from '../support/serai.ts';

const ROUNDS = 7;
const GOAL_MILLISECONDS = 500;

export default async function startup(bench: Bench): Promise<readonly Row[]> {
  const home = await makeSerai(bench, { repositories: { default: { upstream: `file://${REAL_INDEX}` } } });
  await runSerai(bench, home, 'sync');
  const theirs = async (): Promise<Figure> => bench.run(process.execPath, ['--eval', '0']);
  const rounds = bench.rounds(ROUNDS);
  await timeStart(bench, home, '/repo');
  const { index, health, bare } = await interleave(rounds, {
    index: () => timeStart(bench, home, '/repo'),
    health: () => timeStart(bench, home, '/healthz'),
    bare: theirs,
  });
  const common = { rival: 'node --eval 0, start to end', unit: 'ms', theirs: bare, rounds };
  return [
    {
      ...common,
      work: 'start with 18,793 versions and 11,496 archives known, to the first answer of the repository',
      ours: index,
      goal: atMost(GOAL_MILLISECONDS, 'value'),
    },
    { ...common, work: 'the same, to the first answer of /healthz', ours: health },
  ];
}

/** Milliseconds until the first 200, and what the process took until then. */
export async function timeStart(bench: Bench, home: SeraiHome, path: string): Promise<Figure> {
  const begun = performance.now();
  const serving = startSerai(bench, home);
  try {
    await Promise.race([firstAnswer(home.address + path), serving.said('\0')]);
    return { value: performance.now() - begun, cpu: cpuOf(serving.pid), memory: peakOf(serving.pid) };
  } finally {
    await serving.stop();
  }
}
