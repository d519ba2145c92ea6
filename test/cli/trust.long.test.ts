/** Trust as a person decides on it: first use, what is trusted later, forgetting; over an upstream that is not git. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandResult, runSerai, startSerai } from '../support/serai-command.ts';
import { ada, bob, rm1, root1, root2 } from '../support/signed-keys.ts';
import { repository, type SignedRepository } from '../support/signed-repository.ts';
import { digest } from '../support/signed-texts.ts';

let folder: string;
let archive: Server;
let address: string;

const BYTES = 'the archive of foo.1.0';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serai-trust-'));
  archive = createServer((_, response) => response.end(BYTES));
  await new Promise<void>((resolve) => archive.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(archive.address() as AddressInfo).port}`;
});

afterEach(async () => {
  archive.closeAllConnections();
  archive.close();
  await rm(folder, { recursive: true, force: true });
});

/** foo.1.0 by ada, whose key an RM has signed, or not. */
function content(key: SignedRepository = repository().key(ada, rm1)): SignedRepository {
  const measured = digest(BYTES);
  const hex = /"([0-9a-f]{64})"/.exec(measured)?.[1];
  const opam = `opam-version: "2.0"\nurl { src: "${address}/foo" checksum: "sha256=${hex}" }\n`;
  return key
    .delegate('foo', [ada.id], ada)
    .version('foo.1.0', [ada], { opam, more: `archive: [${measured}]\n` });
}

async function offer({ files }: SignedRepository): Promise<void> {
  const upstream = join(folder, 'upstream');
  await rm(upstream, { recursive: true, force: true });
  for (const [path, text] of files) {
    await mkdir(dirname(join(upstream, path)), { recursive: true });
    await writeFile(join(upstream, path), Buffer.from(text, 'latin1'));
  }
}

async function configure(...lines: readonly string[]): Promise<void> {
  const repositoryLines = [`upstream = "file://${join(folder, 'upstream')}"`, 'dialect = "signed"', ...lines];
  const text = `data = "data"\nallow_private_addresses = true\n[repository.default]\n${repositoryLines.join('\n')}\n`;
  await writeFile(join(folder, 'serai.toml'), text);
}

function serai(...args: readonly string[]): Promise<CommandResult> {
  return runSerai([...args, '--config', join(folder, 'serai.toml')]);
}

describe('trust on first use', () => {
  it('shows the fingerprints, waits, and goes on once they are accepted', async () => {
    await offer(content());
    await configure('trust = "first-use"');
    const waiting = await serai('sync');
    expect([waiting.exitCode, waiting.stderr]).toEqual([1, expect.stringContaining(root1.fingerprint)]);

    const shown = await serai('trust', 'default');
    expect(shown.exitCode).toBe(1);
    expect(shown.stdout).toContain(root2.fingerprint);
    expect(shown.stdout).toMatch(/serai trust default --accept sha256=/);

    const stranger = await serai('trust', 'default', '--accept', `sha256=${'0'.repeat(64)}`);
    expect([stranger.exitCode, stranger.stderr]).toEqual([2, expect.stringContaining('does not list')]);
    const accept = ['--accept', root1.fingerprint, '--accept', root2.fingerprint];
    expect((await serai('trust', 'default', ...accept, '--quorum', '3')).exitCode).toBe(2);
    expect((await serai('trust', 'default', ...accept)).exitCode).toBe(0);

    expect((await serai('sync')).stderr).toMatch(/published 1 versions/);
    const later = await serai('trust', 'default');
    expect([later.exitCode, later.stdout]).toEqual([
      0,
      expect.stringMatching(/accepted on first use[\s\S]*keys\/root of 2026-01-01/),
    ]);
  });

  it('is forgotten on demand, and then waits anew', async () => {
    await offer(content());
    await configure('trust = "first-use"');
    await serai('trust', 'default', '--accept', root1.fingerprint, '--accept', root2.fingerprint);
    expect((await serai('sync')).exitCode).toBe(0);
    expect((await serai('trust', 'default', '--forget')).stdout).toMatch(/nothing is trusted any more/);
    expect((await serai('sync')).stderr).toMatch(/P4/);
  });
});

describe('trust = "none"', () => {
  it('says so everywhere', async () => {
    await offer(content());
    await configure('trust = "none"');
    expect((await serai('sync')).exitCode).toBe(0);
    expect((await serai('status')).stdout).toMatch(/WARNING +no trust anchors/);
    expect((await serai('trust', 'default')).stdout).toMatch(/NOTHING proves/);
    const running = await startSerai(['--config', join(folder, 'serai.toml')]);
    try {
      expect(JSON.stringify(await (await fetch(`${running.address}/readyz`)).json())).toMatch(
        /no trust anchors/,
      );
      expect(await (await fetch(running.address)).text()).toMatch(/no trust anchors/);
    } finally {
      await running.stop();
    }
  });
});

describe('an upstream that is not git', () => {
  const anchors = (): string[] => [
    `trust_anchors = ["${root1.fingerprint}", "${root2.fingerprint}"]`,
    'quorum = 2',
  ];

  it('is judged as one step between two trees, also after a restart', async () => {
    await offer(content());
    await configure(...anchors());
    expect((await serai('sync')).exitCode).toBe(0);
    await offer(content().remove('packages/foo/foo.1.0').version('foo.1.1', [ada]));
    const refused = await serai('sync');
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining(' L1 ')]);
    await offer(content().version('foo.1.1', [ada]));
    expect((await serai('sync')).stderr).toMatch(/published 2 versions/);
    expect((await serai('status')).stdout).toMatch(/freshness +unknown/);
  });

  it('serves neither a version below the threshold nor its archive, once the threshold rises, and explains why', async () => {
    const both = content(repository().key(ada))
      .key(bob, rm1)
      .delegate('bar', [bob.id], bob, rm1)
      .version('bar.1.0', [bob]);
    await offer(both);
    await configure(...anchors(), 'threshold = "signed"');
    expect((await serai('sync')).stderr).toMatch(/published 2 versions/);
    const hex = /"([0-9a-f]{64})"/.exec(digest(BYTES))?.[1] ?? '';
    const path = `/cache/sha256/${hex.slice(0, 2)}/${hex}`;
    const running = await startSerai(['--config', join(folder, 'serai.toml')]);
    try {
      await running.line('serving 2 versions');
      // Its own first sync, which still knows the old threshold.
      await running.line('synced default');
      expect((await fetch(`${running.address}${path}`)).status).toBe(200);
      await configure(...anchors(), 'threshold = "verified-key"');
      expect((await serai('sync')).stderr).toMatch(/published 1 versions .*1 held/);
      await running.line('serving 1 versions');
      // Withdrawn for the fresh and for the cached alike.
      expect((await fetch(`${running.address}${path}`)).status).toBe(404);
    } finally {
      await running.stop();
    }
    const told = await serai('explain', 'default', 'foo.1.0');
    expect(told.exitCode).toBe(1);
    expect(told.stdout).toMatch(
      /foo\.1\.0: NOT SERVED[\s\S]*because +P7[\s\S]*level +signed[\s\S]*signers +ada@example\.org/,
    );
    const good = await serai('explain', 'default', 'bar', '--json');
    expect([good.exitCode, JSON.parse(good.stdout)]).toEqual([
      0,
      [
        expect.objectContaining({
          version: 'bar.1.0',
          served: true,
          level: 'verified-developer',
          signers: [bob.id],
        }),
      ],
    ]);

    await configure(...anchors(), 'threshold = "signed"');
    expect((await serai('sync')).stderr).toMatch(/published 2 versions/);
    const again = await startSerai(['--config', join(folder, 'serai.toml')]);
    expect((await fetch(`${again.address}${path}`)).status).toBe(200);
    await again.stop();
  });
});
