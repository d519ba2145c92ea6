/** Requests per second with two worker processes over one store, against one. */
import { configSchema } from '../../src/config.ts';
import { atLeast, interleave, type Row } from '../report.ts';
import { type Bench, Skipped } from '../support/bench.ts';
import { incompressible, KiB, makeRepository } from '../support/samples.ts';
import { makeSerai, runSerai, startSyncedSerai } from '../support/serai.ts';
import { load } from '../support/wrk.ts';

const ROUNDS = 5;
const SECONDS = 4;
/** As many as a mirror has on a busy day: the workers accept by chance, and of 64 one of two had up to 40. */
const CONNECTIONS = 256;
const BYTES = 30 * KiB;
const GOAL = 1.7;

export default async function workers(bench: Bench): Promise<readonly Row[]> {
  if (!configSchema.safeParse({ workers: 2 }).success)
    throw new Skipped('the configuration does not know workers yet');
  const archive = { name: 'hit', bytes: incompressible('hit', BYTES) };
  const { archives, server } = await makeRepository(bench, [archive]);
  const path = archives[0]?.path ?? '';
  const seconds = bench.amount(SECONDS, 1);
  const side = async (count: number): Promise<() => Promise<Row['ours']>> => {
    const repositories = { default: { upstream: server.address } };
    const home = await makeSerai(bench, { repositories, more: `workers = ${count}` });
    await runSerai(bench, home, 'sync', '--archives');
    const serai = await startSyncedSerai(bench, home, 'default');
    const measure = async (): Promise<Row['ours']> => {
      const how = { connections: CONNECTIONS, seconds };
      const { requests, busiest, figure } = await load(bench, serai.pid, home.address + path, how);
      return { ...figure, value: requests / busiest };
    };
    await measure();
    return measure;
  };
  const sides = { ours: await side(2), theirs: await side(1) };
  const rounds = bench.rounds(ROUNDS);
  return [
    {
      work: 'hits of 30 KiB with two workers',
      rival: 'serai with one',
      unit: 'requests per CPU-second of the busiest process',
      ...(await interleave(rounds, sides)),
      rounds,
      goal: atLeast(GOAL),
      note:
        'the load generator takes one of the two cores; what the busiest process answers in a second of its own is ' +
        'what the server would answer in a second if each process had a core, an uneven share of the work included',
    },
  ];
}
