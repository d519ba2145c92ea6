/** The peak of resident memory while the whole real repository is synced and served. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, mebibytes, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { startNginx } from '../support/files.ts';
import { askFor, firstAnswer } from '../support/http.ts';
import { cpuOf, peakOfOne } from '../support/proc.ts';
import { RealHistory } from '../support/real-history.ts';
import { archivesOf, KiB, MiB, makeRepository } from '../support/samples.ts';
import { makeSerai, runSerai, type SeraiHome, startSerai } from '../support/serai.ts';
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
  const index = bench.path('index');
  mkdirSync(index);
  const publishTar = async (): Promise<void> =>
    copyFileSync(await history.tar(bench, 1), join(index, 'index.tar.gz'));
  copyFileSync(REAL_INDEX, join(index, 'index.tar.gz'));
  const files = await startNginx(bench, { folder: index }, '/index.tar.gz');

  const paths = [...archives.map(({ path }) => path), '/repo', '/index.tar.gz'];
  const rounds = bench.rounds(ROUNDS);
  const rows: Row[] = [];
  for (const { kind, upstream, publish } of [
    { kind: 'git', upstream: history.upstream(1), publish: async () => {} },
    { kind: 'index.tar.gz', upstream: files.address, publish: publishTar },
  ]) {
    const peaks: Figure[] = [];
    for (let round = 0; round < rounds; round++) {
      bench.say(`a ${kind} upstream, round ${round + 1}`);
      const home = await makeSerai(bench, {
        repositories: {
          default: { upstream: server.address },
          // Often enough that the change is found while the load goes on.
          real: { upstream, more: 'interval = "2s"' },
        },
      });
      await runSerai(bench, home, 'sync', 'default', '--archives');
      const change = async (): Promise<void> => {
        await history.change(1, CHANGED, `memory ${kind} ${round}`);
        await publish();
      };
      peaks.push(await measureOnce(bench, home, pathsScript(bench, paths), change));
    }
    rows.push({
      work: `resident peak while the real repository is published, changed and read, archives under load; ${kind} upstream`,
      unit: 'MiB',
      ours: medianFigure(peaks),
      rounds,
      goal: atMost(LIMIT_MIB, 'value'),
      note: '40 MiB of that are hot archives, which the load fills; processes of git are not counted',
    });
  }
  return rows;
}

async function measureOnce(
  bench: Bench,
  home: SeraiHome,
  script: string,
  change: () => Promise<void>,
): Promise<Figure> {
  const serai = startSerai(bench, home);
  await firstAnswer(`${home.address}/healthz`);
  const how = { connections: CONNECTIONS, seconds: 600, script };
  const load = bench.start('wrk', wrkArguments(home.address, how));
  await serai.said('synced real: published');
  for (let read = 0; read < INDEX_READS; read++) await askFor(`${home.address}/real/index.tar.gz`);
  await change();
  await serai.said('synced real: published', 2);
  await askFor(`${home.address}/real/index.tar.gz`);
  await load.stop('SIGINT');
  parseWrk(load.printed());
  const cpu = cpuOf(serai.pid);
  const peak = { value: mebibytes(peakOfOne(serai.pid)), cpu };
  await serai.stop();
  return peak;
}
