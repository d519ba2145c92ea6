/** What 64 clients who read feel of a sync of the real repository. */

import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { firstAnswer } from '../support/http.ts';
import { cpuOf, peakOf, resetPeak } from '../support/proc.ts';
import { incompressible, KiB, makeRepository } from '../support/samples.ts';
import { makeSerai, runSerai, type ServingSerai, startSerai } from '../support/serai.ts';
import { type Loaded, parseWrk, pathsScript, wrkArguments } from '../support/wrk.ts';

const ROUNDS = 5;
const CLIENTS = 64;
const BYTES = 30 * KiB;
const GOAL = 2;
const LONGEST_SECONDS = 120;
/** Milliseconds between two requests of one client, for the load that leaves the machine room to breathe. */
const PAUSE = 50;

export default async function reading(bench: Bench): Promise<readonly Row[]> {
  const archive = { name: 'hit', bytes: incompressible('reading', BYTES) };
  const { archives, server } = await makeRepository(bench, [archive]);
  const path = archives[0]?.path ?? '';
  const rounds = bench.rounds(ROUNDS);
  const rows: Row[] = [];
  for (const { load, pause, goal } of [
    { load: 'without a pause', pause: undefined, goal: atMost(GOAL) },
    { load: `with ${PAUSE} ms between two requests of each`, pause: PAUSE, goal: undefined },
  ]) {
    const script = pathsScript(bench, [path], pause);
    const during: Figure[] = [];
    const without: Figure[] = [];
    for (let round = 0; round < rounds; round++) {
      const measured = await measureOnce(bench, server.address, path, script);
      during.push(measured.during);
      without.push(measured.without);
    }
    rows.push({
      work: `99th percentile of a hit of 30 KiB for ${CLIENTS} clients ${load}, while the real repository is synced`,
      rival: 'the same server when nothing is synced',
      unit: 'ms',
      ours: medianFigure(during),
      theirs: medianFigure(without),
      rounds,
      ...(goal === undefined ? {} : { goal }),
      note: 'server, sync and the load generator share the cores of one machine',
    });
  }
  return rows;
}

/** A new store each time, in which the real repository is not yet: the server syncs it as soon as it starts. */
async function measureOnce(
  bench: Bench,
  upstream: string,
  path: string,
  script: string,
): Promise<{ readonly during: Figure; readonly without: Figure }> {
  const home = await makeSerai(bench, {
    repositories: { default: { upstream }, real: { upstream: `file://${REAL_INDEX}` } },
  });
  await runSerai(bench, home, 'sync', 'default', '--archives');
  const serai = startSerai(bench, home);
  try {
    await firstAnswer(home.address + path);
    const begun = performance.now();
    const during = await loadUntil(bench, serai, script, serai.said('synced real: published'));
    const took = performance.now() - begun;
    const rest = new Promise((resolve) => setTimeout(resolve, took));
    const without = await loadUntil(bench, serai, script, rest);
    return { during, without };
  } finally {
    await serai.stop();
  }
}

/** wrk ends with its figures when it is interrupted. */
async function loadUntil(
  bench: Bench,
  serai: ServingSerai,
  script: string,
  end: Promise<unknown>,
): Promise<Figure> {
  resetPeak(serai.pid);
  const before = cpuOf(serai.pid);
  const how = { connections: CLIENTS, seconds: LONGEST_SECONDS, script };
  const wrk = bench.start('wrk', wrkArguments(serai.address, how));
  await end;
  await wrk.stop('SIGINT');
  const { p99 }: Loaded = parseWrk(wrk.printed());
  return { value: p99, cpu: cpuOf(serai.pid) - before, memory: peakOf(serai.pid) };
}
