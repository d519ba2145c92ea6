/** A miss of 12 MiB, from the request to its end, beside a bare download that hashes and keeps the file in one pass. */
import { rmSync } from 'node:fs';
import { atMost, interleave, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { bareDownload } from '../support/bare-download.ts';
import { askFor } from '../support/http.ts';
import { cpuOf, peakOf } from '../support/proc.ts';
import { archivesOf, MiB, makeRepository } from '../support/samples.ts';
import { makeSerai, startSyncedSerai } from '../support/serai.ts';

const ROUNDS = 15;
const BYTES = 12 * MiB;
const GOAL = 1.15;

export default async function misses(bench: Bench): Promise<readonly Row[]> {
  const rounds = bench.rounds(ROUNDS);
  // The first two warm both sides: no mirror is judged by the first download of its life.
  const warm = 2;
  const { archives, server } = await makeRepository(bench, archivesOf('miss', rounds + warm, BYTES));
  const home = await makeSerai(bench, { repositories: { default: { upstream: server.address } } });
  const serai = await startSyncedSerai(bench, home, 'default');
  const archive = (round: number): (typeof archives)[number] => {
    const found = archives[round];
    if (found === undefined) throw new Error(`no archive was made for round ${round}`);
    return found;
  };
  const ours = async (round: number): Promise<Row['ours']> => {
    const cpu = cpuOf(serai.pid);
    const { milliseconds } = await askFor(home.address + archive(round).path, BYTES);
    return { value: milliseconds, cpu: cpuOf(serai.pid) - cpu, memory: peakOf(serai.pid) };
  };
  const theirs = async (round: number): Promise<Row['ours']> => {
    const file = bench.path('download');
    const { source } = archive(round);
    try {
      return await bench.measure(() =>
        bareDownload(server.address + source, file, ['sha256', 'sha512'], archive(round).sha256),
      );
    } finally {
      rmSync(file);
    }
  };
  for (let round = 0; round < warm; round++) {
    await ours(rounds + round);
    await theirs(rounds + round);
  }
  const measured = await interleave(rounds, { ours, theirs });
  return [
    {
      work: 'a miss of 12 MiB, from the request to its end',
      rival: 'bare Node: download, sha256 and sha512, write and fsync in one pass',
      unit: 'ms',
      ours: measured.ours,
      theirs: measured.theirs,
      rounds,
      goal: atMost(GOAL),
      note: "serai's time holds the second transfer too, to its own client, which begins when all hashes are checked",
    },
  ];
}
