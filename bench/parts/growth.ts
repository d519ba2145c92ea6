/** How costs grow with the repository, made larger by renaming, and with the change: exponents, fitted. */
import { rmSync, writeFileSync } from 'node:fs';
import { atMost, type Figure, mebibytes, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { RealHistory } from '../support/real-history.ts';
import { makeSerai, runSerai, type SeraiHome, startSyncedSerai } from '../support/serai.ts';
import { load } from '../support/wrk.ts';
import { timeStart } from './startup.ts';

const SCALES = [1, 4, 16];
const CHANGES = [10, 100, 1000];
/** The change that is made at every scale. */
const USUAL_CHANGE = 100;
const ROUNDS = 3;
const LOOKUP_SECONDS = 3;
/** Half of what would be growing with the repository; none is set for the change itself. */
const GOAL_INCREMENTAL = 0.5;

/** 16 times the real repository is beyond what is let in by default. */
const LIMITS = 'tree_entries = 2_000_000\ntree_content = "2 GiB"\nindex = "512 MiB"\n';

const COSTS = ['publication', 'change', 'start', 'lookup'] as const;
type Costs = Readonly<Record<(typeof COSTS)[number], Figure>>;

const WORKS: Readonly<Record<keyof Costs, string>> = {
  publication: 'first publication, serai sync as a whole command',
  change: `publication of a change of ${USUAL_CHANGE} versions, serai sync as a whole command`,
  start: 'start of serai serve to its first answer',
  lookup: 'looking up a checksum that nobody lists',
};

export default async function growth(bench: Bench): Promise<readonly Row[]> {
  const scales = bench.amount(SCALES, [1, 4]);
  bench.say(`making the real repository ${scales.join(', ')} times as large`);
  const history = await RealHistory.create(bench, scales);
  const measured: { readonly scale: number; readonly costs: Costs }[] = [];
  for (const scale of scales) measured.push({ scale, costs: await measureScale(bench, history, scale) });
  const byChange = await measureChanges(bench, history);

  const rows: Row[] = [];
  const [first] = measured;
  for (const { scale, costs } of measured) {
    for (const name of COSTS) {
      const unit = name === 'lookup' ? 'CPU-µs' : 'ms';
      const rival = scale === 1 || first === undefined ? {} : { rival: 'at 1×', theirs: first.costs[name] };
      rows.push({
        work: `${scale}×: ${WORKS[name]}`,
        unit,
        ours: costs[name],
        ...rival,
        rounds: roundsOf(name, bench),
      });
    }
  }
  const fitted = (value: (costs: Costs) => number): number =>
    exponent(measured.map(({ scale, costs }) => [scale, value(costs)]));
  for (const name of COSTS) {
    rows.push({
      work: `exponent of the ${name === 'lookup' ? 'CPU time' : 'time'} in the repository's size: ${WORKS[name]}`,
      unit: '',
      ours: { value: fitted((costs) => costs[name].value) },
      rounds: roundsOf(name, bench),
      ...(name === 'change' ? { goal: atMost(GOAL_INCREMENTAL, 'value') } : {}),
    });
  }
  for (const name of ['publication', 'change', 'start'] as const) {
    rows.push({
      work: `exponent of the peak of memory in the repository's size: ${WORKS[name]}`,
      unit: '',
      ours: { value: fitted((costs) => costs[name].memory ?? Number.NaN) },
      rounds: roundsOf(name, bench),
    });
  }
  for (const { count, figure } of byChange)
    rows.push({
      work: `1×: publication of a change of ${count} versions`,
      unit: 'ms',
      ours: figure,
      rounds: bench.rounds(ROUNDS),
    });
  rows.push({
    work: "exponent of the time in the change's size, at 1×",
    unit: '',
    ours: { value: exponent(byChange.map(({ count, figure }) => [count, figure.value])) },
    rounds: bench.rounds(ROUNDS),
    note: 'the start of a process is in every time of a whole command',
  });
  return rows;
}

/** A first publication of 16 times the real repository is measured once. */
function roundsOf(name: keyof Costs, bench: Bench): number {
  return name === 'publication' ? 1 : bench.rounds(ROUNDS);
}

async function measureScale(bench: Bench, history: RealHistory, scale: number): Promise<Costs> {
  bench.say(`${scale}×: publication`);
  const home = await makeHome(bench, history, scale);
  const publication = await runSerai(bench, home, 'sync');
  const versions = `${history.versions * scale} versions`;
  if (!publication.stderr.includes(versions)) throw new Error(`not ${versions}: ${publication.stderr}`);
  bench.say(`${scale}×: ${mebibytes(publication.memory).toFixed(0)} MiB, ${publication.value.toFixed(0)} ms`);
  const change: Figure[] = [];
  const start: Figure[] = [];
  for (let round = 0; round < bench.rounds(ROUNDS); round++) {
    await history.change(scale, USUAL_CHANGE, `growth ${scale} ${round}`);
    change.push(await runSerai(bench, home, 'sync'));
    start.push(await timeStart(bench, home, '/repo'));
  }
  const lookup = await measureLookup(bench, home);
  rmSync(home.data, { recursive: true });
  return { publication, change: medianFigure(change), start: medianFigure(start), lookup };
}

function makeHome(bench: Bench, history: RealHistory, scale: number): Promise<SeraiHome> {
  return makeSerai(bench, {
    repositories: { default: { upstream: history.upstream(scale) } },
    limits: LIMITS,
  });
}

/** The server's CPU time for a 404 after the catalogue was asked, each time for another checksum. */
async function measureLookup(bench: Bench, home: SeraiHome): Promise<Figure> {
  const script = bench.path('lookup.lua');
  writeFileSync(
    script,
    [
      'function request()',
      '  local hex = ""',
      '  for _ = 1, 8 do hex = hex .. string.format("%08x", math.random(0, 2147483647)) end',
      '  return wrk.format("GET", "/cache/sha256/" .. hex:sub(1, 2) .. "/" .. hex)',
      'end',
      '',
    ].join('\n'),
  );
  const serai = await startSyncedSerai(bench, home, 'default');
  try {
    const figures: Figure[] = [];
    for (let round = 0; round < bench.rounds(ROUNDS); round++) {
      const how = { connections: 16, seconds: bench.amount(LOOKUP_SECONDS, 1), script, allowRefusals: true };
      const { figure } = await load(bench, serai.pid, serai.address, how);
      figures.push({ ...figure, value: 1e6 / figure.value });
    }
    return medianFigure(figures);
  } finally {
    await serai.stop();
  }
}

async function measureChanges(
  bench: Bench,
  history: RealHistory,
): Promise<readonly { readonly count: number; readonly figure: Figure }[]> {
  bench.say('changes of different sizes');
  const home = await makeHome(bench, history, 1);
  await runSerai(bench, home, 'sync');
  const measured: { count: number; figure: Figure }[] = [];
  for (const count of CHANGES) {
    const figures: Figure[] = [];
    for (let round = 0; round < bench.rounds(ROUNDS); round++) {
      await history.change(1, count, `change of ${count} ${round}`);
      figures.push(await runSerai(bench, home, 'sync'));
    }
    measured.push({ count, figure: medianFigure(figures) });
  }
  return measured;
}

/** The slope of a straight line through the logarithms, by least squares: 1 where the cost grows as the size does. */
function exponent(points: readonly (readonly [size: number, cost: number])[]): number {
  const logs = points.map(([size, cost]) => [Math.log(size), Math.log(cost)] as const);
  const mean = (at: 0 | 1): number => logs.reduce((sum, log) => sum + log[at], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const above = logs.reduce((sum, log) => sum + (log[0] - x) * (log[1] - y), 0);
  return above / logs.reduce((sum, log) => sum + (log[0] - x) ** 2, 0);
}
