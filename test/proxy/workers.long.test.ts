/** Several processes behind one address and over one store, as a user runs them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CommandMirror, commandMirror, startCommandMirror } from '../support/command-mirror.ts';
import { cachePath } from '../support/mirror-fixture.ts';
import { RawConnection, requestText } from '../support/raw-client.ts';
import { runSerai, type ServingCommand, startSerai } from '../support/serai-command.ts';
import { connectToEach, workersOf } from '../support/worker-processes.ts';

const TOML = 'workers = 2\n[repository.default]\nupstream = "UPSTREAM"\n';

interface Running {
  readonly mirror: CommandMirror;
  readonly serai: ServingCommand;
  readonly port: number;
  path(id: string): string;
  workers(): readonly number[];
  end(): Promise<void>;
}

async function start(...ids: readonly string[]): Promise<Running> {
  const mirror = await startCommandMirror(TOML);
  for (const id of ids) await mirror.upstream.publish(id);
  const serai = await startSerai(['--config', mirror.config], { cwd: mirror.folder });
  await serai.line('synced default: published');
  return {
    mirror,
    serai,
    port: Number(new URL(serai.address).port),
    path: (id) => cachePath('sha256', mirror.upstream.sha256(id)),
    workers: () => workersOf(serai.process.pid),
    end: async () => {
      if (serai.process.exitCode === null) await serai.stop();
      await mirror.remove();
    },
  };
}

/** As `start`, and ended with the test that is running. */
async function startForTest(): Promise<Running> {
  const running = await start('a.1');
  onTestFinished(() => running.end());
  return running;
}

function gate(): { readonly open: () => void; readonly opened: () => Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: () => promise };
}

describe.skipIf(process.platform !== 'linux')('all workers', () => {
  let running: Running;

  beforeAll(async () => {
    running = await start('all.1', 'a.1', 'b.1', 'c.1', 'bad.1', 'denied.1');
    running.mirror.upstream.tamper('bad.1');
  });

  afterAll(() => running.end());

  test('answer: index, archives, pages; the address is told once', async () => {
    const { serai, port, path, workers } = running;
    expect(workers()).toHaveLength(2);
    const connections = await connectToEach(port, workers());
    const answers: string[] = [];
    for (const connection of connections) {
      const seen: unknown[] = [];
      for (const asked of ['/index.tar.gz', path('all.1'), '/readyz', '/', '/nothing']) {
        const { status, body, headers } = await connection.get(asked);
        seen.push([status, headers.etag ?? body.toString()]);
      }
      answers.push(JSON.stringify(seen));
      connection.close();
    }
    expect(new Set(answers).size).toBe(1);
    expect(serai.lines.filter((line) => line.includes(' on http://'))).toHaveLength(1);
  });

  test('have 200 clients who miss an archive at once, and make one request upstream for each archive', async () => {
    const { mirror, port, path, workers } = running;
    const held = gate();
    mirror.upstream.delay('/archives/', held.opened);
    const before = mirror.upstream.requests('/archives/');
    const each = await connectToEach(port, workers());
    const many = await Promise.all(Array.from({ length: 198 }, () => RawConnection.open(port)));
    const connections = [...each, ...many];
    for (const connection of connections) connection.send(requestText('GET', path('a.1')));
    const others = await Promise.all(['b.1', 'c.1'].map(() => connectToEach(port, workers())));
    for (const [index, id] of ['b.1', 'c.1'].entries())
      for (const connection of others[index] ?? []) connection.send(requestText('GET', path(id)));
    await expect.poll(() => mirror.upstream.requests('/archives/')).toBe(before + 3);
    held.open();
    mirror.upstream.delay('/archives/', undefined);
    const bodies = await Promise.all(
      [...connections, ...others.flat()].map(async (connection) => {
        const { status, body } = await connection.response();
        connection.close();
        return `${status} ${body.length > 0 ? body.toString('hex') : ''}`;
      }),
    );
    expect(new Set(bodies).size).toBe(3);
    expect(bodies.every((body) => body.startsWith('200 '))).toBe(true);
    for (const id of ['a.1', 'b.1', 'c.1']) expect(mirror.upstream.requests(`/archives/${id}`)).toBe(1);
  });

  test('a failed download is remembered for all of them', async () => {
    const { mirror, port, path, workers } = running;
    const connections = await connectToEach(port, workers());
    for (const connection of connections) {
      const { status, body } = await connection.get(path('bad.1'));
      expect(status).toBe(404);
      expect(body.toString()).toContain('could not be had from 1 source');
      connection.close();
    }
    expect(mirror.upstream.requests('/archives/bad.1')).toBe(1);
  });

  test('a denial holds in each of them from its next request on', async () => {
    const { mirror, port, path, workers } = running;
    const connections = await connectToEach(port, workers());
    for (const connection of connections) {
      expect((await connection.get(path('denied.1'))).status).toBe(200);
      expect((await connection.get(path('denied.1'))).status).toBe(200);
    }
    await mirror.run(['deny', 'denied', '--reason', 'a test']);
    for (const connection of connections) {
      expect((await connection.get(path('denied.1'))).status).toBe(404);
      expect((await connection.get(path('all.1'))).status).toBe(200);
      connection.close();
    }
  });
});

describe.skipIf(process.platform !== 'linux')('two workers', () => {
  test('one that is killed is replaced, and the others and a download under way are not disturbed', async () => {
    const { mirror, serai, port, path, workers } = await startForTest();
    const held = gate();
    mirror.upstream.delay('/archives/', held.opened);
    const before = workers();
    const connections = await connectToEach(port, before);
    for (const connection of connections) connection.send(requestText('GET', path('a.1')));
    await expect.poll(() => mirror.upstream.requests('/archives/a.1')).toBe(1);
    const [victim] = before;
    const [lost, ...left] = connections;
    if (victim === undefined || lost === undefined) throw new Error('there are no workers');
    process.kill(victim, 'SIGKILL');
    await lost.ended();
    await serai.line('a worker died');
    await expect.poll(() => workers().length).toBe(2);
    expect(workers()).not.toContain(victim);
    held.open();
    for (const connection of left) expect((await connection.response()).status).toBe(200);
    const anew = await connectToEach(port, workers());
    for (const connection of anew) expect((await connection.get(path('a.1'))).status).toBe(200);
    expect(mirror.upstream.requests('/archives/a.1')).toBe(1);
    for (const connection of [...left, ...anew]) connection.close();
  });

  test('SIGTERM, told to all of them, lets answers under way end, downloads too, and exits 0', async () => {
    const { mirror, serai, port, path, workers } = await startForTest();
    const held = gate();
    mirror.upstream.delay('/archives/', held.opened);
    const pids = workers();
    const connections = await connectToEach(port, pids);
    for (const connection of connections) connection.send(requestText('GET', path('a.1')));
    await expect.poll(() => mirror.upstream.requests('/archives/a.1')).toBe(1);
    // As a supervisor that tells every process of a group.
    for (const pid of pids) process.kill(pid, 'SIGTERM');
    const ended = serai.stop();
    await serai.line('draining');
    held.open();
    for (const connection of connections) expect((await connection.response()).status).toBe(200);
    expect(await ended).toBe(0);
    expect(workersOf(serai.process.pid)).toEqual([]);
  });

  test('a second signal ends at once', async () => {
    const { mirror, serai, port, path, workers } = await startForTest();
    const held = gate();
    onTestFinished(held.open);
    mirror.upstream.delay('/archives/', held.opened);
    const [connection] = await connectToEach(port, workers());
    connection?.send(requestText('GET', path('a.1')));
    await expect.poll(() => mirror.upstream.requests('/archives/a.1')).toBe(1);
    const ended = serai.stop();
    await serai.line('draining');
    serai.process.kill('SIGTERM');
    expect(await ended).toBe(1);
    await connection?.ended();
  });

  test('an address that is taken is told once, with exit code 2', async () => {
    const { serai, mirror } = await startForTest();
    const other = await mkdtemp(join(tmpdir(), 'serai-workers-'));
    onTestFinished(() => rm(other, { recursive: true, force: true }));
    const listen = new URL(serai.address).host;
    const args = ['serve', '--config', mirror.config, '--listen', listen, '--data', join(other, 'data')];
    const { exitCode, stderr } = await runSerai(args, { cwd: other });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/cannot listen on .*another program is there/);
    expect(stderr.match(/cannot listen/g)).toHaveLength(1);
  });
});

test('with one worker, which is the default, there is no other process', async () => {
  const mirror = await commandMirror();
  await mirror.upstream.publish('a.1');
  const serai = await startSerai(['--config', mirror.config], { cwd: mirror.folder });
  onTestFinished(async () => void (await serai.stop()));
  await serai.line('synced default');
  if (process.platform === 'linux') {
    expect(workersOf(serai.process.pid)).toEqual([]);
    expect(await readFile(`/proc/${serai.process.pid}/cmdline`, 'utf8')).toContain('main.cjs');
  }
});
