/** Judging a long history step by step, beside what git itself needs to list its changes. */
import { realData } from '../real-index.ts';
import { atMost, interleave, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';

const ROUNDS = 5;
const GOAL = 2;

export default async function audit(bench: Bench): Promise<readonly Row[]> {
  const folder = bench.path('history.git');
  await bench.run('git', ['clone', '--quiet', '--bare', realData('history-slice.bundle'), folder]);
  const counted = await bench.run('git', ['rev-list', '--first-parent', '--count', 'HEAD'], { cwd: folder });
  const log = ['log', '--raw', '-m', '--first-parent', '--no-abbrev', 'HEAD'];
  const rounds = bench.rounds(ROUNDS);
  const sides = {
    ours: () =>
      bench.run(process.execPath, [bench.program, 'audit', folder, '--json'], { output: 'dropped' as const }),
    theirs: () => bench.run('git', log, { cwd: folder, output: 'dropped' as const }),
  };
  return [
    {
      work: `serai audit over ${counted.stdout.trim()} first-parent steps, the whole command`,
      rival: 'git log --raw -m --first-parent',
      unit: 'ms',
      ...(await interleave(rounds, sides)),
      rounds,
      goal: atMost(GOAL),
      note:
        'this is the slice of the real history that the tests use, not its 25,746 steps: the start of the process ' +
        'weighs more, and the trees are smaller',
    },
  ];
}
