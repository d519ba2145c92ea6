/** Publishing the real repository from a local git, first and after a change of 100 versions. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { configSchema } from '../../src/config.ts';
import { openMirror } from '../../src/mirror/mirror.ts';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import { atMost, type Figure, interleave, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { RealHistory } from '../support/real-history.ts';

const ROUNDS = 5;
const CHANGED = 100;
const GOAL_FIRST = 2.5;
const GOAL_CHANGE = 0.15;
const BARE = join(import.meta.dirname, '..', 'support', 'bare-publish.ts');

export default async function publish(bench: Bench): Promise<readonly Row[]> {
  const history = await RealHistory.create(bench);
  const changes: Figure[] = [];
  const ours = async (round: number): Promise<Figure> => {
    const data = bench.path('data');
    const mirror = await openMirror(
      configSchema.parse({
        data,
        // The default fetches archives with md5 alone to pin them, and there is no network here.
        repository: { default: { upstream: history.upstream(1), weak_hashes: 'warn' } },
      }),
      systemClock,
    );
    try {
      const sync = new RepositorySync({ ...mirror, repository: 'default' });
      const first = await bench.measure(async () => void (await sync.run(() => undefined)));
      await history.change(1, CHANGED, `change ${round}`);
      changes.push(await bench.measure(async () => void (await sync.run(() => undefined))));
      return first;
    } finally {
      await mirror.close();
      rmSync(data, { recursive: true });
    }
  };
  const theirs = (): Promise<Figure> =>
    bench.run('sh', ['-c', 'git archive x1 | gzip -6 > /dev/null'], { cwd: history.folder });
  const bare = (): Promise<Figure> => {
    const folder = bench.path('bare.git');
    return bench.run(process.execPath, [BARE, history.folder, 'x1', folder]);
  };
  const rounds = bench.rounds(ROUNDS);
  const measured = await interleave(rounds, { ours, theirs, bare });
  const first = {
    work: 'first publication from a local git, fetch included',
    rival: 'git archive | gzip -6',
    unit: 'ms',
    theirs: measured.theirs,
    rounds,
  };
  return [
    { ...first, ours: measured.ours, goal: atMost(GOAL_FIRST) },
    {
      ...first,
      subject: 'bare Node: the same fetch, listing and reading, sha256 of each file, and deflating in pieces',
      ours: measured.bare,
      note: 'the bare program parses nothing, keeps no catalogue, and starts its process',
    },
    {
      work: `publication of a change of ${CHANGED} versions, fetch included`,
      rival: 'the first publication',
      unit: 'ms',
      ours: medianFigure(changes),
      theirs: measured.ours,
      rounds,
      goal: atMost(GOAL_CHANGE),
    },
  ];
}
