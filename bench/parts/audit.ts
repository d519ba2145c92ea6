/** Judging a long history step by step, beside what git itself needs to list its changes. */
import { realData } from '../real-index.ts';
import { atMost, interleave, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { RealHistory } from '../support/real-history.ts';

const ROUNDS = 3;
/** As many as the real history has. */
const STEPS = 25_746;
const GOAL = 2;

export default async function audit(bench: Bench): Promise<readonly Row[]> {
  const steps = bench.amount(STEPS, 2000);
  bench.say(`making ${steps} steps`);
  const history = await RealHistory.create(bench);
  await history.makeSteps(steps);
  await bench.run('git', ['symbolic-ref', 'HEAD', 'refs/heads/steps'], { cwd: history.folder });
  const slice = bench.path('slice.git');
  await bench.run('git', ['clone', '--quiet', '--bare', realData('history-slice.bundle'), slice]);
  const counted = await bench.run('git', ['rev-list', '--first-parent', '--count', 'HEAD'], { cwd: slice });
  return [
    {
      ...(await compare(bench, history.folder)),
      work: `serai audit over ${steps} made-up steps of the whole real repository, the whole command`,
      goal: atMost(GOAL),
    },
    {
      ...(await compare(bench, slice)),
      work: `serai audit over the ${counted.stdout.trim()} real steps of the slice, the whole command`,
      note:
        'the real history is here as a slice of a few hundred steps, where the start of the process is nearly all; ' +
        'so a history as long as the real one is made over the real repository, one version in each step',
    },
  ];
}

async function compare(bench: Bench, folder: string): Promise<Omit<Row, 'work'>> {
  const log = ['log', '--raw', '-m', '--first-parent', '--no-abbrev', 'HEAD'];
  const rounds = bench.rounds(ROUNDS);
  const sides = {
    ours: () => bench.run(bench.program, ['audit', folder, '--json'], { output: 'dropped' as const }),
    theirs: () => bench.run('git', log, { cwd: folder, output: 'dropped' as const }),
  };
  return {
    rival: 'git log --raw -m --first-parent',
    unit: 'ms',
    ...(await interleave(rounds, sides)),
    rounds,
  };
}
