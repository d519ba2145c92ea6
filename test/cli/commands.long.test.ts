/** The program as a user runs it: help, exit codes, output, signals. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PackageUpstream, startPackageUpstream } from '../support/package-upstream.ts';
import { runSerai, startSerai } from '../support/serai-command.ts';

let upstream: PackageUpstream;
let folder: string;

beforeAll(async () => {
  upstream = await startPackageUpstream();
  await upstream.publish('good.1.0');
  await upstream.publish('bad.1.0');
  upstream.tamper('bad.1.0');
});

afterAll(() => upstream.remove());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serai-cli-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function flags(): string[] {
  return ['--upstream', upstream.address, '--data', join(folder, 'data'), '--allow-private-addresses'];
}

describe('usage', () => {
  it.each([
    [[], 2, /Usage: serai/],
    [['--help'], 0, /opam init http:\/\/127\.0\.0\.1:8080/],
    [
      ['serve', '--help'],
      0,
      /--allow-private-addresses[\s\S]*Exit codes: 0 done; 1 refused or failed; 2 wrong/,
    ],
    [['sync', '--help'], 0, /--archives/],
    [['status', '--help'], 0, /--json/],
    [['demo', '--help'], 0, /--exit/],
    [['serv'], 2, /unknown command/],
    [['sync', '--nope'], 2, /unknown option/],
    [['sync', 'nope'], 2, /there is no repository nope; the configuration has default \[usage\]/],
    [['status', '--config', '/nonexistent.toml'], 2, /cannot be read.*\[config-invalid\]/],
    [['serve', '--listen', 'here'], 2, /listen: expected HOST:PORT/],
  ] as const)('serai %j exits %d', async (args, exitCode, said) => {
    const result = await runSerai([...args], { cwd: folder });
    expect(result.stdout + result.stderr).toMatch(said);
    expect(result.exitCode).toBe(exitCode);
  });
});

describe('sync and status', () => {
  it('publish, fetch archives, name what could not be had, and go on where they were', async () => {
    const first = await runSerai(['sync', '--archives', ...flags()]);
    expect(first.exitCode).toBe(1);
    expect(first.stderr).toMatch(/published 2 versions of 2 packages as [0-9a-f]{64}/);
    expect(first.stderr).toMatch(/2 archives: 0 were here, 1 fetched, 1 could not be had/);
    expect(first.stderr).toMatch(/bad\.1\.0\.tar\.gz \[checksum-mismatch\]/);
    const before = upstream.requests('good.1.0');
    const second = await runSerai(['sync', '--archives', '--json', ...flags()]);
    expect(JSON.parse(second.stdout)).toMatchObject([
      {
        repository: 'default',
        sync: { kind: 'unchanged', versions: 2, packages: 2 },
        archives: { total: 2, present: 1, fetched: 0, failed: [{ code: 'checksum-mismatch' }] },
      },
    ]);
    expect(upstream.requests('good.1.0')).toBe(before);

    const status = await runSerai(['status', ...flags()]);
    expect(status.exitCode).toBe(0);
    expect(status.stdout).toMatch(/content +2 versions of 2 packages, 2 archives/);
    const json = await runSerai(['status', '--json', ...flags()]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      repositories: [{ name: 'default', ready: true, versions: 2 }],
    });
  });

  it('fail with the upstream refused, and status tells why', async () => {
    const args = ['--upstream', upstream.address, '--data', join(folder, 'data')];
    const refused = await runSerai(['sync', ...args]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/allow_private_addresses.*\[address-refused\]/s);
    const status = await runSerai(['status', ...args]);
    expect(status.exitCode).toBe(1);
    expect(status.stdout).toMatch(/snapshot +none yet[\s\S]*\[address-refused\]/);
  });

  it('sync several repositories of one file', async () => {
    const config = join(folder, 'serai.toml');
    await writeFile(
      config,
      `allow_private_addresses = true\n[repository.a]\nupstream = "${upstream.address}"\n[repository.b]\nupstream = "git+file://${upstream.git}"\n`,
    );
    const both = await runSerai(['sync', '--config', config]);
    expect(both.exitCode).toBe(0);
    expect(both.stderr).toMatch(/a: published 2 versions[\s\S]*b: published 2 versions/);
  });
});

describe('serve', () => {
  it('starts while the upstream cannot be reached, says so, and readyz tells why', async () => {
    const dead = [
      '--upstream',
      'http://127.0.0.1:9',
      '--data',
      join(folder, 'data'),
      '--allow-private-addresses',
    ];
    const serai = await startSerai(dead);
    try {
      expect(await serai.line('next try in')).toMatch(/upstream-unreachable/);
      const ready = await fetch(`${serai.address}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({
        ready: false,
        repositories: [{ ready: false, failure: { code: 'upstream-unreachable' } }],
      });
      expect((await fetch(`${serai.address}/healthz`)).status).toBe(200);
      const index = await fetch(`${serai.address}/index.tar.gz`);
      expect([index.status, index.headers.get('retry-after')]).toEqual([503, '10']);
    } finally {
      expect(await serai.stop()).toBe(0);
    }
  });

  it('drains at SIGTERM: exit 0', async () => {
    const serai = await startSerai(flags());
    await serai.line('serving 2 versions');
    expect((await fetch(`${serai.address}/readyz`)).status).toBe(200);
    expect(await serai.stop()).toBe(0);
    expect(serai.lines.join('\n')).toMatch(/draining[\s\S]*stopped/);
  });

  it('lets an answer under way end before it stops, and ends at once at a second signal', async () => {
    let release = (): void => {};
    let asked = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      asked = resolve;
    });
    upstream.delay('good.1.0.tar.gz', () => {
      asked();
      return held;
    });
    try {
      const [patient, impatient] = await Promise.all([
        startSerai(flags()),
        startSerai([...flags(), '--data', join(folder, 'other')]),
      ]);
      const path = `/cache/sha256/${upstream.sha256('good.1.0').slice(0, 2)}/${upstream.sha256('good.1.0')}`;
      await Promise.all([patient.line('serving 2 versions'), impatient.line('serving 2 versions')]);
      const answers = [fetch(`${patient.address}${path}`), fetch(`${impatient.address}${path}`)];
      const lost = expect(answers[1]).rejects.toThrow();
      await reached;
      const exits = [once(patient.process, 'exit'), once(impatient.process, 'exit')];
      patient.process.kill('SIGTERM');
      impatient.process.kill('SIGTERM');
      await Promise.all([patient.line('draining'), impatient.line('draining')]);
      impatient.process.kill('SIGTERM');
      expect((await exits[1])?.[0]).toBe(1);
      await lost;
      release();
      const answer = await answers[0];
      expect(answer?.status).toBe(200);
      expect((await exits[0])?.[0]).toBe(0);
    } finally {
      upstream.delay('good.1.0.tar.gz', undefined);
    }
  });

  it('serves the last good state after a restart, before any sync', async () => {
    const first = await startSerai(flags());
    await first.line('serving 2 versions');
    await first.stop();
    await upstream.switchOff();
    try {
      const second = await startSerai(flags());
      const index = await fetch(`${second.address}/index.tar.gz`);
      expect(index.status).toBe(200);
      await index.arrayBuffer();
      await second.line('next try in');
      expect((await fetch(`${second.address}/readyz`)).status).toBe(200);
      expect(await second.stop()).toBe(0);
    } finally {
      await upstream.switchOn();
    }
  });

  it('says what to do when another program has the port', async () => {
    const serai = await startSerai(flags());
    const port = new URL(serai.address).port;
    const second = await runSerai(['serve', ...flags(), '--listen', `127.0.0.1:${port}`]);
    expect(second.exitCode).toBe(2);
    expect(second.stderr).toMatch(/cannot listen on .*another program is there.*--listen/);
    await serai.stop();
  });
});

describe('demo', () => {
  it('walks through sync, index, miss, hit and refusal', async () => {
    const result = await runSerai(['demo', '--exit', '--listen', '127.0.0.1:0']);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toMatch(
      /sync .*default: 4 versions of 3 packages[\s\S]*sync .*git: 4 versions of 3 packages/,
    );
    expect(result.stdout).toMatch(/index [\s\S]*miss .*200[\s\S]*hit .*200[\s\S]*refused .*404/);
  });
});
