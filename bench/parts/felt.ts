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
import { type Server, startNginx } from '../support/files.ts';
import { Opam } from '../support/opam.ts';
import { incompressible, makeRepository, realisticSizes, type SampleRepository } from '../support/samples.ts';
import { makeSerai, runSerai, type SeraiHome, startSyncedSerai } from '../support/serai.ts';

const ROUNDS = 3;
const PACKAGES = 20;
const GOAL = 1.05;

const FEELINGS = ['init cold', 'init warm', 'source cold', 'source warm'] as const;
type Feelings = Readonly<Record<(typeof FEELINGS)[number], Figure>>;

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

  const felt = { serai: new Map<string, Figure[]>(), nginx: new Map<string, Figure[]>() };
  const note = async (
    who: keyof typeof felt,
    round: number,
    feel: () => Promise<Feelings>,
  ): Promise<Figure> => {
    bench.say(`round ${round + 1} through ${who}`);
    const feelings = await feel();
    for (const name of FEELINGS) felt[who].set(name, [...(felt[who].get(name) ?? []), feelings[name]]);
    return feelings['init cold'];
  };
  const rounds = bench.rounds(ROUNDS);
  await interleave(rounds, {
    serai: (round) => note('serai', round, () => throughSerai(bench, home, synced, ids)),
    nginx: (round) => note('nginx', round, () => throughNginx(bench, backend, ids)),
  });
  return FEELINGS.map((name) => ({
    work: name.startsWith('init')
      ? `opam ${name}, the real repository`
      : `opam ${name}, ${PACKAGES} packages one after another`,
    subject: 'through serai',
    rival: 'through a caching nginx before opam admin cache',
    unit: 'ms',
    ours: medianFigure(felt.serai.get(name) ?? []),
    theirs: medianFigure(felt.nginx.get(name) ?? []),
    rounds,
    goal: atMost(GOAL),
    note: "CPU-seconds and memory are the client's",
  }));
}

async function throughSerai(
  bench: Bench,
  home: SeraiHome,
  synced: string,
  ids: readonly string[],
): Promise<Feelings> {
  rmSync(home.data, { recursive: true });
  cpSync(synced, home.data, { recursive: true });
  const serai = await startSyncedSerai(bench, home, 'default', 'real');
  try {
    return await feel(bench, { small: serai.address, real: `${serai.address}/real` }, ids);
  } finally {
    await serai.stop();
  }
}

async function throughNginx(bench: Bench, backend: Server, ids: readonly string[]): Promise<Feelings> {
  // Its cache is in a folder of its own, which is new each time. The probe fills nothing that a client asks for.
  const proxy = await startNginx(bench, { proxyOf: backend.address }, '/small/repo');
  try {
    return await feel(bench, { small: `${proxy.address}/small`, real: `${proxy.address}/real` }, ids);
  } finally {
    await proxy.stop();
  }
}

async function feel(
  bench: Bench,
  { small, real }: { readonly small: string; readonly real: string },
  ids: readonly string[],
): Promise<Feelings> {
  const init = async (): Promise<Figure> => {
    const client = new Opam(bench);
    const figure = await client.init(real);
    client.remove();
    return figure;
  };
  const [initCold, initWarm] = [await init(), await init()];
  const client = new Opam(bench);
  await client.init(small);
  await client.makeSwitch();
  const [sourceCold, sourceWarm] = [await client.sources(ids), await client.sources(ids)];
  client.remove();
  return {
    'init cold': initCold,
    'init warm': initWarm,
    'source cold': sourceCold,
    'source warm': sourceWarm,
  };
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
