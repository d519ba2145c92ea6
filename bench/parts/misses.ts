/** A miss of 12 MiB, from the request to its end, beside a bare download that hashes and keeps the file in one pass. */
import { rmSync } from 'node:fs';
import { atMost, type Figure, interleave, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { startBareMiss } from '../support/files.ts';
import { askFor } from '../support/http.ts';
import { cpuOf, peakOf } from '../support/proc.ts';
import { archivesOf, MiB, makeRepository } from '../support/samples.ts';
import { makeSerai, startSyncedSerai } from '../support/serai.ts';

const ROUNDS = 15;
const BYTES = 12 * MiB;
const GOAL = 1.15;
/** No server is judged by the first downloads of its life. */
const WARM = 3;

export default async function misses(bench: Bench): Promise<readonly Row[]> {
  const rounds = bench.rounds(ROUNDS);
  const made = await makeRepository(bench, archivesOf('miss', rounds + WARM, BYTES));
  const home = await makeSerai(bench, { repositories: { default: { upstream: made.server.address } } });
  const serai = await startSyncedSerai(bench, home, 'default');
  const bare = await startBareMiss(bench);
  const archive = (round: number): (typeof made.archives)[number] => {
    const found = made.archives[round];
    if (found === undefined) throw new Error(`no archive was made for round ${round}`);
    return found;
  };
  const timed = async (pid: number, url: string, bytes?: number): Promise<Figure> => {
    const cpu = cpuOf(pid);
    const { milliseconds } = await askFor(url, bytes);
    return { value: milliseconds, cpu: cpuOf(pid) - cpu, memory: peakOf(pid) };
  };
  const bareMiss = async (round: number, send: boolean): Promise<Figure> => {
    const { source, sha256 } = archive(round);
    const file = bench.path('download');
    const query = new URLSearchParams({ url: made.server.address + source, file, sha256 });
    if (send) query.set('send', '');
    const figure = await timed(bare.pid, `${bare.address}/?${query}`, send ? BYTES : undefined);
    rmSync(file);
    return figure;
  };
  const sides = {
    ours: (round: number) => timed(serai.pid, home.address + archive(round).path, BYTES),
    pass: (round: number) => bareMiss(round, false),
    sent: (round: number) => bareMiss(round, true),
  };
  for (let round = rounds; round < rounds + WARM; round++)
    for (const side of Object.values(sides)) await side(round);
  const { ours, pass, sent } = await interleave(rounds, sides);
  const common = { work: 'a miss of 12 MiB, from the request to its end', unit: 'ms', ours, rounds };
  const onePass = 'bare Node: download, sha256 and sha512, write and fsync in one pass';
  return [
    {
      ...common,
      rival: onePass,
      theirs: pass,
      goal: atMost(GOAL),
      note: "serai's time holds a second transfer, to the client, which begins when all hashes are checked",
    },
    { ...common, rival: `${onePass}, then sent to the client`, theirs: sent },
  ];
}
