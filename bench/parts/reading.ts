/** What 64 clients who read feel of a sync of the real repository. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { firstAnswer, freePort } from '../support/http.ts';
import { cpuOf, peakOf, resetPeak } from '../support/proc.ts';
import { incompressible, KiB, makeRepository } from '../support/samples.ts';
import { makeSerai, runSerai, type ServingSerai, startSerai } from '../support/serai.ts';
import { type Loaded, parseWrk, pathsScript, wrkArguments } from '../support/wrk.ts';

const ROUNDS = 5;
const CLIENTS = 64;
const BYTES = 30 * KiB;
const GOAL = 2;
const WARM_SECONDS = 2;
const ALONE_SECONDS = 5;
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
      work: `hits of 30 KiB for ${CLIENTS} clients ${load}, while the real repository is synced`,
      rival: 'the same server when nothing is synced',
      unit: 'ms at the 99th percentile',
      ours: medianFigure(during),
      theirs: medianFigure(without),
      rounds,
      ...(goal === undefined ? {} : { goal }),
      note: 'server, sync and the load generator share the cores of one machine',
    });
  }
  return rows;
}

/**
 * A new store each time, in which the real repository is not yet. The server asks for it as soon as it starts, and gets
 * it when it has been measured without: both times it is warm.
 */
async function measureOnce(
  bench: Bench,
  upstream: string,
  path: string,
  script: string,
): Promise<{ readonly during: Figure; readonly without: Figure }> {
  const held = await holdIndex();
  const home = await makeSerai(bench, {
    repositories: { default: { upstream }, real: { upstream: held.address } },
    limits: 'headers_timeout = "10m"\n',
  });
  await runSerai(bench, home, 'sync', 'default', '--archives');
  const serai = startSerai(bench, home);
  try {
    await firstAnswer(home.address + path);
    await held.asked;
    await loadUntil(bench, serai, script, after(WARM_SECONDS));
    const without = await loadUntil(bench, serai, script, after(bench.amount(ALONE_SECONDS, 2)));
    const published = serai.said('synced real: published');
    const during = await loadUntil(bench, serai, script, published, held.release);
    return { during, without };
  } finally {
    await serai.stop();
    held.close();
  }
}

interface HeldIndex {
  readonly address: string;
  /** Resolves when somebody asks for the index. */
  readonly asked: Promise<void>;
  /** Lets everybody have it. */
  release(): void;
  close(): void;
}

/** An upstream that lets one wait for the real index. */
async function holdIndex(): Promise<HeldIndex> {
  const index = readFileSync(REAL_INDEX);
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    if (!request.url?.endsWith('/index.tar.gz')) {
      response.writeHead(404).end();
      return;
    }
    asked.resolve();
    await released.promise;
    response.writeHead(200, { 'content-length': index.length }).end(index);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { address: `http://127.0.0.1:${port}`, asked: asked.promise, release: released.resolve, close };
}

function after(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** wrk ends with its figures when it is interrupted. */
async function loadUntil(
  bench: Bench,
  serai: ServingSerai,
  script: string,
  end: Promise<unknown>,
  begun?: () => void,
): Promise<Figure> {
  resetPeak(serai.pid);
  const before = cpuOf(serai.pid);
  const how = { connections: CLIENTS, seconds: LONGEST_SECONDS, script };
  const wrk = bench.start('wrk', wrkArguments(serai.address, how));
  begun?.();
  await end;
  await wrk.stop('SIGINT');
  const { p99 }: Loaded = parseWrk(wrk.printed());
  return { value: p99, cpu: cpuOf(serai.pid) - before, memory: peakOf(serai.pid) };
}
