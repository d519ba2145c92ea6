/** Blobs that are here: requests for each CPU-second of the server, beside nginx; varnish and bare Node to compare. */
import { atLeast, interleave, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';
import { type Server, startBareNode, startVarnish } from '../support/files.ts';
import { incompressible, KiB, MiB, makeRepository } from '../support/samples.ts';
import { makeSerai, runSerai, startSyncedSerai } from '../support/serai.ts';
import { load } from '../support/wrk.ts';

const ROUNDS = 5;
const SECONDS = 4;
const CONNECTIONS = 16;

/** The goals are the table's in the design: near to what a bare Node server with buffers reaches. */
const SIZES = [
  { name: '1 KiB', bytes: KiB, goal: 0.5 },
  { name: '30 KiB', bytes: 30 * KiB, goal: 0.35 },
  { name: '300 KiB', bytes: 300 * KiB, goal: 0.4 },
  { name: '12 MiB', bytes: 12 * MiB, goal: 0.3 },
];

export default async function hits(bench: Bench): Promise<readonly Row[]> {
  const { folder, archives, server } = await makeRepository(
    bench,
    SIZES.map(({ bytes }) => ({ name: `hit-${bytes}`, bytes: incompressible(`hit ${bytes}`, bytes) })),
  );
  const home = await makeSerai(bench, { repositories: { default: { upstream: server.address } } });
  await runSerai(bench, home, 'sync', '--archives');
  const [first] = archives;
  if (first === undefined) throw new Error('no archives were made');
  const servers = {
    serai: await startSyncedSerai(bench, home, 'default'),
    nginx: server,
    node: await startBareNode(bench, folder, first.path),
    varnish: await startVarnish(bench, server.address, first.path),
  };
  const rows: Row[] = [];
  for (const [index, { name, goal }] of SIZES.entries()) {
    const path = archives[index]?.path ?? '';
    bench.say(`hits of ${name}`);
    const seconds = bench.amount(SECONDS, 1);
    const measure = async ({ pid, address }: Server): Promise<Row['ours']> => {
      const how = { connections: CONNECTIONS, seconds };
      return (await load(bench, pid, address + path, how)).figure;
    };
    for (const each of Object.values(servers))
      await load(bench, each.pid, each.address + path, { connections: CONNECTIONS, seconds: 1 });
    const rounds = bench.rounds(ROUNDS);
    const measured = await interleave(rounds, {
      serai: () => measure(servers.serai),
      nginx: () => measure(servers.nginx),
      node: () => measure(servers.node),
      varnish: () => measure(servers.varnish),
    });
    const work = `hits of ${name}`;
    const theirs = measured.nginx;
    const common = { rival: 'nginx, one worker, sendfile', unit: 'requests per CPU-second', theirs, rounds };
    rows.push(
      { ...common, work, ours: measured.serai, goal: atLeast(goal) },
      { ...common, work, subject: 'bare Node with buffers', ours: measured.node },
      { ...common, work, subject: 'varnish', ours: measured.varnish },
    );
  }
  return rows;
}
