/**
 * What a client feels: `opam init` with the real repository and `opam source` of 20 packages, through serai, and through
 * nginx as a caching proxy in front of what `opam admin cache` and `opam admin index` made. Cold: neither has answered
 * for it yet, and serai has no archive; warm: the same again.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, interleave, medianFigure, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { startNginx } from '../support/files.ts';
import { Opam } from '../support/opam.ts';
import { incompressible, makeRepository, realisticSizes, type SampleRepository } from '../support/samples.ts';
import { makeSerai, runSerai, startSyncedSerai } from '../support/serai.ts';

/** An init of the real repository takes the client a quarter of a minute. */
const INIT_ROUNDS = 3;
const SOURCE_ROUNDS = 9;
const PACKAGES = 20;
const GOAL = 1.05;

interface Feelings {
  readonly cold: Figure;
  readonly warm: Figure;
}

interface Addresses {
  readonly small: string;
  readonly real: string;
}

/** Through a server that was never asked before, and is ended afterwards. */
type Through = (feel: (addresses: Addresses) => Promise<Feelings>) => Promise<Feelings>;

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
  const throughSerai: Through = async (feel) => {
    rmSync(home.data, { recursive: true });
    cpSync(synced, home.data, { recursive: true });
    const serai = await startSyncedSerai(bench, home, 'default', 'real');
    const feelings = await feel({ small: serai.address, real: `${serai.address}/real` });
    await serai.stop();
    return feelings;
  };
  const throughNginx: Through = async (feel) => {
    // Its cache is in a folder of its own, new each time; the probe fills nothing that a client asks for.
    const proxy = await startNginx(bench, { proxyOf: backend.address }, '/small/repo');
    const feelings = await feel({ small: `${proxy.address}/small`, real: `${proxy.address}/real` });
    await proxy.stop();
    return feelings;
  };
  const through = { ours: throughSerai, theirs: throughNginx };
  const init = await compare(bench.rounds(INIT_ROUNDS), through, async ({ real }) => {
    bench.say('opam init, twice');
    return { cold: await initOnce(bench, real), warm: await initOnce(bench, real) };
  });
  const source = await compare(bench.rounds(SOURCE_ROUNDS), through, async ({ small }) => {
    bench.say(`opam source of ${PACKAGES} packages, twice`);
    const client = new Opam(bench);
    await client.init(small);
    await client.makeSwitch();
    const feelings = { cold: await client.sources(ids), warm: await client.sources(ids) };
    client.remove();
    return feelings;
  });
  return [
    ...init.map((row) => ({ ...row, work: `opam init of the real repository, ${row.work}` })),
    ...source.map((row) => ({ ...row, work: `opam source of ${PACKAGES} packages, ${row.work}` })),
  ];
}

async function compare(
  rounds: number,
  through: Readonly<Record<'ours' | 'theirs', Through>>,
  feel: (addresses: Addresses) => Promise<Feelings>,
): Promise<readonly Row[]> {
  const warm: Record<'ours' | 'theirs', Figure[]> = { ours: [], theirs: [] };
  const side = (name: 'ours' | 'theirs') => async (): Promise<Figure> => {
    const feelings = await through[name](feel);
    warm[name].push(feelings.warm);
    return feelings.cold;
  };
  const cold = await interleave(rounds, { ours: side('ours'), theirs: side('theirs') });
  const common = {
    subject: 'through serai',
    rival: 'through a caching nginx before opam admin cache',
    unit: 'ms',
    rounds,
    goal: atMost(GOAL),
    note: "CPU-seconds and memory are the client's",
  };
  return [
    { ...common, work: 'cold', ...cold },
    { ...common, work: 'warm', ours: medianFigure(warm.ours), theirs: medianFigure(warm.theirs) },
  ];
}

async function initOnce(bench: Bench, address: string): Promise<Figure> {
  const client = new Opam(bench);
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
