/** The worker processes of a running `serai serve`, told apart from outside. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';
import { RawConnection } from './raw-client.ts';

/** Process ids of the workers that run at present. */
export function workersOf(server: number | undefined): readonly number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) !== server || state === 'Z') continue;
      if (readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('/worker.cjs')) found.push(Number(name));
    } catch {
      // It has ended.
    }
  }
  return found;
}

/** A connection to each worker: while it is opened, the others are stopped and accept none. */
export async function connectToEach(port: number, workers: readonly number[]): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  for (const worker of workers) {
    const others = workers.filter((other) => other !== worker);
    for (const other of others) process.kill(other, 'SIGSTOP');
    try {
      const connection = await RawConnection.open(port);
      connections.push(connection);
      await connection.get('/healthz');
    } finally {
      for (const other of others) process.kill(other, 'SIGCONT');
    }
  }
  return connections;
}
