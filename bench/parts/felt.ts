/**
 * What a client feels: `opam init` with the real repository and `opam source` of 20 packages, through serai, and through
 * nginx as a caching proxy in front of what `opam admin cache` and `opam admin index` made. Cold: neither has answered
 * for it yet, and serai has no archive; warm: the same again.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { startNginx } from '../support/files.ts';
import { Opam } from '../support/opam.ts';
import { ownCores } from '../support/proc.ts';
import { incompressible, makeRepository, realisticSizes, type SampleRepository } from '../support/samples.ts';
import { makeSerai, runSerai, startSyncedSerai } from '../support/serai.ts';

/** An init of the real repository takes the client a quarter of a minute. */
const INIT_ROUNDS = 8;
const SOURCE_ROUNDS = 8;
const PACKAGES = 20;
const GOAL = 1.05;

/** A server that was never asked before, with both repositories. */
interface Through {
  readonly small: string;
  readonly real: string;
  stop(): Promise<void>;
}

/** A client of one server, which does the same each time. */
interface Client {
  once(): Promise<Figure>;
  end(): void;
}

const SIDES = ['ours', 'theirs'] as const;
type Side = (typeof SIDES)[number];
type Sides<Each> = Readonly<Record<Side, Each>>;

export default async function felt(bench: Bench): Promise<readonly Row[]> {
  const origin = await makeRepository(bench, await tarballs(bench));
  const ids = origin.archives.map(({ id }) => id);
  const home = await makeSerai(bench, {
    repositories: {
      default: { upstream: origin.server.address },
      real: { upstream: `file://${REAL_INDEX}` },
    },
  });
  await runSerai(bench, home, 'sync');
  const synced = bench.path('synced');
  cpSync(home.data, synced, { recursive: true });
  const backend = await startNginx(bench, { folder: await adminFolder(bench, origin) }, '/small/repo');
  const through: Sides<() => Promise<Through>> = {
    ours: async () => {
      rmSync(home.data, { recursive: true });
      cpSync(synced, home.data, { recursive: true });
      const serai = await startSyncedSerai(bench, home, 'default', 'real');
      return { small: serai.address, real: `${serai.address}/real`, stop: () => serai.stop() };
    },
    theirs: async () => {
      // Its cache is in a folder of its own, new each time; the probe fills nothing that a client asks for.
      const proxy = await startNginx(bench, { proxyOf: backend.address }, '/small/repo');
      return { small: `${proxy.address}/small`, real: `${proxy.address}/real`, stop: () => proxy.stop() };
    },
  };
  const init = await compare(bench.rounds(INIT_ROUNDS), 'together', through, async ({ real }, core) => {
    bench.say('opam init, twice');
    return { once: () => initOnce(bench, real, core), end: () => undefined };
  });
  const source = await compare(bench.rounds(SOURCE_ROUNDS), 'in turns', through, async ({ small }) => {
    bench.say(`opam source of ${PACKAGES} packages, twice`);
    const client = new Opam(bench);
    await client.init(small);
    await client.makeSwitch();
    return { once: () => client.sources(ids), end: () => client.remove() };
  });
  return [
    ...init.map((row) => ({ ...row, work: `opam init of the real repository, ${row.work}` })),
    ...source.map((row) => ({ ...row, work: `opam source of ${PACKAGES} packages, ${row.work}` })),
  ];
}

/**
 * Where the client's own work is nearly all of what it feels, both run together, each on a core of its own where there are
 * two, and they swap them after each round: on a shared machine the same work takes a quarter longer a minute later, and of
 * eight rounds of `opam init` in turns, a quarter of a minute each, the medians said 1.13 when cold and 0.98 when warm.
 * Where it waits for the servers, which then would be in each other's way, they take turns, wherever there is room, and each
 * is first in every other round.
 */
async function compare(
  rounds: number,
  way: 'together' | 'in turns',
  through: Sides<() => Promise<Through>>,
  clientOf: (server: Through, core: number) => Promise<Client>,
): Promise<readonly Row[]> {
  const figures: Record<'cold' | 'warm', Record<Side, Figure[]>> = {
    cold: { ours: [], theirs: [] },
    warm: { ours: [], theirs: [] },
  };
  const cores = ownCores();
  for (let round = 0; round < rounds; round++) {
    const servers = { ours: await through.ours(), theirs: await through.theirs() };
    const [first, second] = [round, round + 1].map((turn) => cores[turn % cores.length] ?? 0);
    const clients = {
      ours: await clientOf(servers.ours, first ?? 0),
      theirs: await clientOf(servers.theirs, second ?? 0),
    };
    const order = round % 2 === 0 ? SIDES : SIDES.toReversed();
    for (const time of ['cold', 'warm'] as const) {
      const ask = async (side: Side): Promise<unknown> =>
        figures[time][side].push(await clients[side].once());
      if (way === 'together') await Promise.all(order.map(ask));
      else for (const side of order) await ask(side);
    }
    for (const side of SIDES) {
      clients[side].end();
      await servers[side].stop();
    }
  }
  return (['cold', 'warm'] as const).map((time) => ({
    work: time,
    subject: 'through serai',
    rival: 'through a caching nginx before opam admin cache',
    unit: 'ms',
    ours: medianFigure(figures[time].ours),
    theirs: medianFigure(figures[time].theirs),
    rounds,
    goal: atMost(GOAL),
    note: `memory is the client's; both clients ran ${way}`,
  }));
}

async function initOnce(bench: Bench, address: string, core: number): Promise<Figure> {
  const client = new Opam(bench, core);
  const figure = await client.init(address);
  client.remove();
  return figure;
}

/** Tarballs that opam can unpack. */
async function tarballs(bench: Bench): Promise<{ name: string; bytes: Buffer }[]> {
  const made: { name: string; bytes: Buffer }[] = [];
  for (const [index, size] of realisticSizes(PACKAGES).entries()) {
    const name = `felt-${index}`;
    const folder = bench.path('tarball');
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'CONTENT'), incompressible(name, size));
    await bench.run('tar', ['czf', 'archive.tar.gz', name], { cwd: folder });
    made.push({ name, bytes: readFileSync(join(folder, 'archive.tar.gz')) });
  }
  return made;
}

/** Both repositories as people serve them today: the archives fetched by `opam admin cache`, the index by `opam admin index`. */
async function adminFolder(bench: Bench, origin: SampleRepository): Promise<string> {
  const folder = bench.path('admin');
  const [small, real] = [join(folder, 'small'), join(folder, 'real')];
  mkdirSync(small, { recursive: true });
  mkdirSync(real);
  cpSync(join(origin.folder, 'packages'), join(small, 'packages'), { recursive: true });
  writeFileSync(join(small, 'repo'), 'opam-version: "2.0"\narchive-mirrors: "cache"\n');
  await bench.run('tar', ['xzf', REAL_INDEX, '-C', real]);
  const environment = { ...process.env, OPAMROOT: join(folder, 'root'), OPAMROOTISOK: '1', OPAMYES: '1' };
  const admin = (cwd: string, ...args: readonly string[]): Promise<unknown> =>
    bench.run('opam', ['admin', ...args], { cwd, env: environment, output: 'dropped' });
  bench.say('opam admin cache and opam admin index');
  await admin(small, 'cache', './cache');
  await admin(small, 'index');
  await admin(real, 'index');
  return folder;
}
