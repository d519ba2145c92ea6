/** The same tarballs from serai and from verdaccio, npm's private registry: a mirror on the same platform. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { atLeast, interleave, type Row } from '../report.ts';
import { type Bench, Skipped } from '../support/bench.ts';
import type { Server } from '../support/files.ts';
import { askFor, firstAnswer, freePort } from '../support/http.ts';
import {
  type Archive,
  incompressible,
  KiB,
  MiB,
  makeRepository,
  realisticSizes,
  type SampleRepository,
} from '../support/samples.ts';
import { makeSerai, runSerai, startSyncedSerai } from '../support/serai.ts';
import { load, pathsScript } from '../support/wrk.ts';

const ROUNDS = 5;
const SECONDS = 4;
const CONNECTIONS = 16;
const GOAL = 12;
/** Tarballs of the mixed load. */
const MIXED = 60;
const INSTALL_MILLISECONDS = 300_000;

const FIXED = [
  { name: '1 KiB', bytes: KiB },
  { name: '30 KiB', bytes: 30 * KiB },
  { name: '300 KiB', bytes: 300 * KiB },
  { name: '12 MiB', bytes: 12 * MiB },
];

export default async function verdaccio(bench: Bench): Promise<readonly Row[]> {
  const installed = await install(bench);
  bench.versions.verdaccio = installed.version;
  const sizes = [...FIXED.map(({ bytes }) => bytes), ...realisticSizes(MIXED)];
  const repository = await makeRepository(
    bench,
    sizes.map((size, index) => ({ name: `ball-${index}`, bytes: incompressible(`ball ${index}`, size) })),
  );
  const home = await makeSerai(bench, { repositories: { default: { upstream: repository.server.address } } });
  await runSerai(bench, home, 'sync', '--archives');
  const serai = await startSyncedSerai(bench, home, 'default');
  const rival = await startVerdaccio(bench, installed.program, repository);

  const rows: Row[] = [];
  const compare = async (what: string, archives: readonly Archive[], goal: boolean): Promise<void> => {
    bench.say(`tarballs of ${what}`);
    const side = (server: Server, paths: readonly string[]): (() => Promise<Row['ours']>) => {
      const script = pathsScript(bench, paths);
      const how = { connections: CONNECTIONS, seconds: bench.amount(SECONDS, 1), script };
      return async () => (await load(bench, server.pid, server.address, how)).figure;
    };
    const rounds = bench.rounds(ROUNDS);
    const sides = {
      ours: side(
        serai,
        archives.map(({ path }) => path),
      ),
      theirs: side(rival, archives.map(tarballPath)),
    };
    await sides.ours();
    await sides.theirs();
    rows.push({
      work: `tarballs of ${what}`,
      rival: `verdaccio ${installed.version}`,
      unit: 'requests per CPU-second',
      ...(await interleave(rounds, sides)),
      rounds,
      ...(goal ? { goal: atLeast(GOAL) } : {}),
    });
  };
  const mixed = repository.archives.slice(FIXED.length);
  await compare(`${MIXED} realistic sizes in turn, median about 60 KiB`, mixed, true);
  for (const [index, { name }] of FIXED.entries())
    await compare(name, repository.archives.slice(index, index + 1), false);
  return rows;
}

const packageSchema = z.object({ version: z.string() });

/** From the npm registry, into the part's own folder; node-fetch 1, which it would bring too, does not install. */
async function install(bench: Bench): Promise<{ readonly program: string; readonly version: string }> {
  const folder = bench.path('verdaccio');
  mkdirSync(folder);
  const wanted = { private: true, dependencies: { verdaccio: '6' }, overrides: { 'node-fetch': '2' } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(wanted));
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  bench.say('installing verdaccio from the npm registry');
  try {
    await bench.run('timeout', [String(INSTALL_MILLISECONDS / 1000), 'npm', ...args], { cwd: folder });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Skipped(`npm could not install verdaccio: ${reason.split('\n').slice(0, 3).join(' ')}`);
  }
  const home = join(folder, 'node_modules', 'verdaccio');
  const { version } = packageSchema.parse(JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')));
  return { program: join(home, 'bin', 'verdaccio'), version };
}

function tarballPath({ id }: Archive): string {
  const name = id.replace(/\.1$/, '');
  return `/${name}/-/${name}-1.0.0.tgz`;
}

/** Its storage holds a folder for each package: a manifest, and the tarballs. Everyone may read, nothing is logged. */
async function startVerdaccio(bench: Bench, program: string, repository: SampleRepository): Promise<Server> {
  const home = bench.path('registry');
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  for (const archive of repository.archives) {
    const name = archive.id.replace(/\.1$/, '');
    const folder = join(home, 'storage', name);
    mkdirSync(folder, { recursive: true });
    const file = `${name}-1.0.0.tgz`;
    writeFileSync(join(folder, file), readFileSync(join(repository.folder, archive.source)));
    const dist = { tarball: `${address}/${name}/-/${file}` };
    const manifest = {
      name,
      'dist-tags': { latest: '1.0.0' },
      versions: { '1.0.0': { name, version: '1.0.0', dist } },
      _attachments: { [file]: { version: '1.0.0' } },
    };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  }
  const config = join(home, 'config.yaml');
  writeFileSync(
    config,
    [
      'storage: ./storage',
      'auth: { htpasswd: { file: ./htpasswd } }',
      'uplinks: {}',
      "packages: { '**': { access: $all } }",
      'log: { type: stdout, format: json, level: fatal }',
      '',
    ].join('\n'),
  );
  const args = [program, '--config', config, '--listen', `127.0.0.1:${port}`];
  const started = bench.start(process.execPath, args, { cwd: home });
  const probe = repository.archives[0];
  if (probe === undefined) throw new Error('no archives were made');
  await Promise.race([firstAnswer(address + tarballPath(probe)), started.said('\0')]);
  await askFor(address + tarballPath(probe), probe.bytes);
  return { pid: started.pid, address, stop: () => started.stop() };
}
