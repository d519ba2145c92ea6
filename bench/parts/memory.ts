/** The peak of resident memory while the whole real repository is synced and served. */
import { atMost, type Figure, mebibytes, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { askFor, firstAnswer } from '../support/http.ts';
import { cpuOf, peakOf, peakOfOne } from '../support/proc.ts';
import { RealHistory } from '../support/real-history.ts';
import { archivesOf, KiB, MiB, makeRepository } from '../support/samples.ts';
import { makeSerai, runSerai, startSerai } from '../support/serai.ts';
import { parseWrk, pathsScript, wrkArguments } from '../support/wrk.ts';

const ROUNDS = 3;
const LIMIT_MIB = 350;
const CONNECTIONS = 32;
const CHANGED = 100;
const INDEX_READS = 20;
/** More than the memory for hot blobs holds. */
const SMALL = { count: 280, bytes: 300 * KiB };
const LARGE = { count: 2, bytes: 12 * MiB };

export default async function memory(bench: Bench): Promise<readonly Row[]> {
  const { archives, server } = await makeRepository(bench, [
    ...archivesOf('small', SMALL.count, SMALL.bytes),
    ...archivesOf('large', LARGE.count, LARGE.bytes),
  ]);
  const history = await RealHistory.create(bench);
  const rounds = bench.rounds(ROUNDS);
  const peaks: Figure[] = [];
  const trees: Figure[] = [];
  for (let round = 0; round < rounds; round++) {
    const home = await makeSerai(bench, {
      repositories: {
        default: { upstream: server.address },
        // Often enough that the change is found while the load goes on.
        real: { upstream: history.upstream(1), more: 'interval = "2s"' },
      },
    });
    await runSerai(bench, home, 'sync', 'default', '--archives');
    const script = pathsScript(bench, [...archives.map(({ path }) => path), '/repo', '/index.tar.gz']);
    const serai = startSerai(bench, home);
    await firstAnswer(`${home.address}/healthz`);
    const how = { connections: CONNECTIONS, seconds: 600, script };
    const load = bench.start('wrk', wrkArguments(home.address, how));
    await serai.said('synced real: published');
    for (let reads = 0; reads < INDEX_READS; reads++) await askFor(`${home.address}/real/index.tar.gz`);
    await history.change(1, CHANGED, `memory ${round}`);
    await serai.said('synced real: published', 2);
    await askFor(`${home.address}/real/index.tar.gz`);
    await load.stop('SIGINT');
    parseWrk(load.printed());
    const cpu = cpuOf(serai.pid);
    peaks.push({ value: mebibytes(peakOfOne(serai.pid)), cpu });
    trees.push({ value: mebibytes(peakOf(serai.pid)), cpu });
    await serai.stop();
  }
  return [
    {
      work: 'resident peak while the real repository is published, changed and read, with archives under load',
      unit: 'MiB',
      ours: medianFigure(peaks),
      rounds,
      goal: atMost(LIMIT_MIB, 'value'),
      note: 'a git upstream; 64 MiB of hot archives are in memory, which the load fills',
    },
    {
      work: 'the same, with what its processes of git still hold at the end',
      unit: 'MiB',
      ours: medianFigure(trees),
      rounds,
    },
  ];
}
