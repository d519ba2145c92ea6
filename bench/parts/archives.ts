/** Fetching 2,000 archives beforehand, beside curl and sha256sum over the same addresses. */
import { cpSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atLeast, type Figure, interleave, mebibytes, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { incompressible, makeRepository, realisticSizes } from '../support/samples.ts';
import { makeSerai, runSerai } from '../support/serai.ts';

const ROUNDS = 5;
const ARCHIVES = 2000;
const GOAL = 0.8;
const BARE = join(import.meta.dirname, '..', 'support', 'bare-archives.ts');

export default async function archives(bench: Bench): Promise<readonly Row[]> {
  const sizes = realisticSizes(bench.amount(ARCHIVES, 500));
  const made = await makeRepository(
    bench,
    sizes.map((size, index) => ({ name: `wanted-${index}`, bytes: incompressible(`wanted ${index}`, size) })),
  );
  const total = mebibytes(sizes.reduce((sum, size) => sum + size, 0));
  const repositories = { default: { upstream: made.server.address } };
  const home = await makeSerai(bench, { repositories });
  await runSerai(bench, home, 'sync');
  const synced = bench.path('synced');
  cpSync(home.data, synced, { recursive: true });

  // Put aside, on both sides, and removed at the end: ext4 gives no inode of a file that was removed within the last five
  // seconds to a new one, and passes over them one by one. Making files took a tenth of serai's time, and without it a hundredth.
  const ours = async (): Promise<Figure> => {
    renameSync(home.data, bench.path('kept'));
    cpSync(synced, home.data, { recursive: true });
    const { value, cpu, memory } = await runSerai(bench, home, 'sync', '--archives');
    return { value: throughput(total, value), cpu, memory };
  };

  const list = bench.path('list');
  const sums = bench.path('sums');
  const files = made.archives.map(
    ({ id, source }) => `url = "${made.server.address}${source}"\noutput = "${id}"`,
  );
  writeFileSync(list, `${files.join('\n')}\n`);
  writeFileSync(sums, made.archives.map(({ id, sha256 }) => `${sha256}  ${id}\n`).join(''));
  const theirs = async (): Promise<Figure> => {
    const folder = bench.path('curl');
    mkdirSync(folder);
    const script = `curl --parallel --silent --fail --config '${list}' && sha256sum --quiet --check '${sums}'`;
    const { value, cpu, memory } = await bench.run('sh', ['-c', script], { cwd: folder });
    return { value: throughput(total, value), cpu, memory };
  };
  const bareList = bench.path('bare-list');
  writeFileSync(
    bareList,
    made.archives.map(({ source, sha256 }) => `${made.server.address}${source} ${sha256}\n`).join(''),
  );
  const bare = async (): Promise<Figure> => {
    const folder = bench.path('bare');
    mkdirSync(folder);
    const { value, cpu, memory } = await bench.run(process.execPath, [BARE, bareList, folder]);
    return { value: throughput(total, value), cpu, memory };
  };
  const rounds = bench.rounds(ROUNDS);
  const measured = await interleave(rounds, { ours, theirs, bare });
  const common = {
    work: `serai sync --archives of ${sizes.length} archives, ${total.toFixed(0)} MiB, the whole command`,
    rival: 'curl --parallel and sha256sum --check',
    unit: 'MiB per second',
    theirs: measured.theirs,
    rounds,
  };
  return [
    {
      ...common,
      ours: measured.ours,
      goal: atLeast(GOAL),
      note: 'serai syncs each archive to the disk (fsync) before it counts as kept; curl leaves that to the kernel',
    },
    {
      ...common,
      subject: 'bare Node: undici, sha256 and sha512, write and fsync in one pass',
      ours: measured.bare,
    },
  ];
}

function throughput(total: number, milliseconds: number): number {
  return (total / milliseconds) * 1000;
}
